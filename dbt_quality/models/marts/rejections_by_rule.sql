with

rejections as (

    select
        *,
        count(*) over (partition by domain, stage, row_id) as rules_broken

    from {{ ref('stg_rejections') }}

),

slices as (

    select
        domain,
        stage,
        count(distinct row_id) as rejected

    from rejections

    group by domain, stage

),

by_rule as (

    select
        rejections.domain,
        rejections.stage,
        rejections.rule,
        count(*) as rows,
        count(*) / any_value(slices.rejected) as share,
        count(*) filter (where rejections.rules_broken = 1) as rows_alone

    from rejections

    inner join slices using (domain, stage)

    group by rejections.domain, rejections.stage, rejections.rule

)

select * from by_rule
