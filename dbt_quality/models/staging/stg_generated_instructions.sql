with

source as (

    select * from {{ source('synth', 'generated_instructions') }}

),

renamed as (

    select
        ---------- ids
        id as row_id,

        ---------- texts
        domain,
        method

    from source

)

select * from renamed
