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
        value - lag(value) over (
            partition by domain, stage, metric
            order by materialized_at, run_id
        ) as change

    from metrics

    where value is not null

)

select * from compared
