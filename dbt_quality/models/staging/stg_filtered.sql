with

source as (

    select * from {{ source('synth', 'filtered') }}

),

renamed as (

    select
        ---------- ids
        id as row_id,

        ---------- texts
        domain,
        topic,
        kind,
        prompt

    from source

)

select * from renamed
