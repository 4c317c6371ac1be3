-- sharing calls out neither loses nor adds any
{{ config(meta={'dagster': {'ref': {'name': 'teacher_cost'}}}) }}

with

shared as (

    select
        coalesce(sum(calls), 0) as calls,
        coalesce(sum(input_tokens + output_tokens), 0) as tokens,
        coalesce(sum(cost_usd), 0) as cost_usd

    from {{ ref('teacher_cost') }}

),

paid as (

    select
        count(*) as calls,
        coalesce(sum(input_tokens + output_tokens), 0) as tokens,
        coalesce(sum(cost_usd), 0) as cost_usd

    from {{ ref('stg_teacher_calls') }}

)

select *

from shared

cross join paid

where abs(shared.calls - paid.calls) > 1e-6 * paid.calls
    or abs(shared.tokens - paid.tokens) > 1e-6 * paid.tokens
    or abs(shared.cost_usd - paid.cost_usd) > 1e-6 * paid.cost_usd
