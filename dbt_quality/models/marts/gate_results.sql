with

results as (

    select * from {{ ref('stg_check_results') }}

),

-- what was said of rows that have been replaced since is history
newest as (

    select
        domain,
        stage,
        run_id

    from {{ ref('stg_stage_history') }}

    qualify row_number() over (
        partition by domain, stage
        order by materialized_at desc
    ) = 1

),

gates as (

    select
        results.domain,
        results.stage,
        list_position({{ var('stages') }}, results.stage) as position,
        results.check_name,
        results.kind,
        case
            when results.passed then 'passed'
            when results.blocking then 'failed'
            else 'warned'
        end as result,
        results.expected,
        results.seen,
        results.unexpected_count,
        results.row_ids,
        results.error,
        results.checked_at

    from results

    inner join newest using (domain, stage, run_id)

)

select * from gates
