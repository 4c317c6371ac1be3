with

source as (

    select * from {{ source('synth', 'preference_pairs') }}

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
