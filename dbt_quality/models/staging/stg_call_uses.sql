with

source as (

    select * from {{ source('synth', 'call_uses') }}

),

renamed as (

    select
        ---------- ids
        key as call_key,
        row_id,

        ---------- texts
        domain,
        stage

    from source

)

select * from renamed
