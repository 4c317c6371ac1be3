with

source as (

    select * from {{ source('synth', 'check_results') }}

),

renamed as (

    select
        ---------- ids
        run_id,
        row_ids,

        ---------- texts
        domain,
        stage,
        check_name,
        kind,
        expected,
        seen,
        error,
        checked_at,

        ---------- numbers
        unexpected_count,

        ---------- booleans
        blocking,
        passed

    from source

)

select * from renamed
