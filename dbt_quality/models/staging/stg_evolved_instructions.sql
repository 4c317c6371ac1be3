with

source as (

    select * from {{ source('synth', 'evolved_instructions') }}

),

renamed as (

    select
        ---------- ids
        id as row_id,

        ---------- texts
        domain,
        method,
        operation,

        ---------- numbers
        round

    from source

)

select * from renamed
