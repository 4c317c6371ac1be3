with

calls as (

    select
        call_key,
        count(*) as attempts,
        sum(input_tokens) as input_tokens,
        sum(output_tokens) as output_tokens,
        sum(cost_usd) as cost_usd,
        count(*) filter (where cost_usd is null) as unpriced

    from {{ ref('stg_teacher_calls') }}

    group by call_key

),

users as (

    select distinct
        call_key,
        domain,
        stage

    from {{ ref('stg_call_uses') }}

),

shares as (

    select
        *,
        1 / count(*) over (partition by call_key) as share

    from users

),

-- a call that nobody uses any more was paid for all the same
shared_out as (

    select
        calls.*,
        coalesce(shares.domain, '') as domain,
        coalesce(shares.stage, '') as stage,
        coalesce(shares.share, 1) as share

    from calls

    left join shares using (call_key)

),

cost as (

    select
        domain,
        stage,
        sum(attempts * share) as calls,
        sum(input_tokens * share) as input_tokens,
        sum(output_tokens * share) as output_tokens,
        sum(cost_usd * share) as cost_usd,
        sum(unpriced * share) as unpriced_calls

    from shared_out

    group by domain, stage

)

select * from cost
