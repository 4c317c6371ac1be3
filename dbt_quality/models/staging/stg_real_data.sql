with

source as (

    select * from {{ source('synth', 'real_data') }}

),

renamed as (

    select
        ---------- ids
        id as row_id,

        ---------- texts
        domain,
        topic,
        kind

    from source

)

select * from renamed
