with

source as (

    select * from {{ source('synth', 'seeds') }}

),

renamed as (

    select
        ---------- ids
        id as row_id,

        ---------- texts
        domain,
        topic

    from source

)

select * from renamed
