-- the accounts say what the tables themselves hold
{{ config(meta={'dagster': {'ref': {'name': 'funnel'}}}) }}

with

counted as (

    select
        domain,
        stage,
        count(*) as kept,
        0 as rejected,
        0 as surplus

    from {{ ref('int_stage_rows') }}

    group by domain, stage

    union all

    select
        domain,
        stage,
        0 as kept,
        count(distinct row_id) as rejected,
        0 as surplus

    from {{ ref('stg_rejections') }}

    group by domain, stage

    union all

    select
        domain,
        stage,
        0 as kept,
        0 as rejected,
        count(*) as surplus

    from {{ ref('stg_surplus') }}

    group by domain, stage

),

summed as (

    select
        domain,
        stage,
        sum(kept) as kept,
        sum(rejected) as rejected,
        sum(surplus) as surplus

    from counted

    group by domain, stage

)

select
    domain,
    stage,
    funnel.kept as kept_by_account,
    summed.kept as kept_by_count,
    funnel.rejected as rejected_by_account,
    summed.rejected as rejected_by_count,
    funnel.surplus as surplus_by_account,
    summed.surplus as surplus_by_count

from {{ ref('funnel') }} as funnel

full outer join summed using (domain, stage)

where funnel.kept is distinct from coalesce(summed.kept, 0)
    or funnel.rejected is distinct from coalesce(summed.rejected, 0)
    or funnel.surplus is distinct from coalesce(summed.surplus, 0)
