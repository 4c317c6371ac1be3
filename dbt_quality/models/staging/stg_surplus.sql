with

source as (

    select * from {{ source('synth', 'surplus') }}

),

renamed as (

    select
        ---------- ids
        row_id,

        ---------- texts
        domain,
        stage

    from source

)

select * from renamed
