with

source as (

    select * from {{ source('synth', 'stage_history') }}

),

renamed as (

    select
        ---------- ids
        run_id,
        data_version,

        ---------- texts
        domain,
        stage,
        materialized_at,
        metrics,

        ---------- booleans
        passed

    from source

)

select * from renamed
