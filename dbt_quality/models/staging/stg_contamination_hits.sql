with

source as (

    select * from {{ source('synth', 'contamination_hits') }}

),

renamed as (

    select
        ---------- ids
        row_id,
        item_id,

        ---------- texts
        domain,
        stage,
        part,
        benchmark,
        rule,

        ---------- numbers
        score

    from source

)

select * from renamed
