with

hits as (

    select * from {{ ref('stg_contamination_hits') }}

),

benchmarks as (

    select
        benchmark,
        count(distinct item_id) as items

    from {{ ref('stg_benchmarks') }}

    group by benchmark

),

contamination as (

    select
        hits.domain,
        hits.stage,
        hits.benchmark,
        hits.rule,
        hits.part,
        count(*) as hits,
        count(distinct hits.row_id) as rows,
        count(distinct hits.item_id) as items,
        count(distinct hits.item_id) / any_value(benchmarks.items) as item_share

    from hits

    left join benchmarks using (benchmark)

    group by
        hits.domain, hits.stage, hits.benchmark, hits.rule, hits.part

)

select * from contamination
