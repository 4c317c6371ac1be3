with

source as (

    select * from {{ source('synth', 'rejections') }}

),

renamed as (

    select
        ---------- ids
        row_id,

        ---------- texts
        domain,
        stage,
        rule,
        "row" as candidate,

        ---------- numbers
        score

    from source

)

select * from renamed
