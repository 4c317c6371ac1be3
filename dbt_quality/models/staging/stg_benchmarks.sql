with

source as (

    select * from {{ source('synth', 'benchmarks') }}

),

renamed as (

    select
        ---------- ids
        item_id,

        ---------- texts
        benchmark,
        part

    from source

)

select * from renamed
