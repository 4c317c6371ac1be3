with

source as (

    select * from {{ source('synth', 'spot_check') }}

),

renamed as (

    select
        ---------- ids
        id as row_id,
        row_id as filtered_row_id,

        ---------- texts
        domain,
        purpose,
        verdict

    from source

)

select * from renamed
