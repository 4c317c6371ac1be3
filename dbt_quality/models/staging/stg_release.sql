with

source as (

    select * from {{ source('synth', 'release') }}

),

renamed as (

    select
        ---------- ids
        id as row_id,
        mixed_id as mixed_row_id,

        ---------- texts
        domain,
        split,
        version

    from source

)

select * from renamed
