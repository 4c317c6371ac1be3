with

history as (

    select * from {{ ref('stg_stage_history') }}

),

metrics as (

    select
        history.domain,
        history.stage,
        history.run_id,
        history.materialized_at,
        history.passed,
        metric.key as metric,
        try_cast(metric.value as double) as value

    from history, json_each(history.metrics) as metric

),

compared as (

    select
        *,
        last_value(case when passed then value end ignore nulls) over (
            partition by domain, stage, metric
            order by materialized_at, run_id
            rows between unbounded preceding and 1 preceding
        ) as baseline

    from metrics

    where value is not null

),

changes as (

    select
        *,
        value - baseline as change

    from compared

)

select * from changes
