with

kept as (

    select
        domain,
        round,
        operation,
        count(*) as kept

    from {{ ref('stg_evolved_instructions') }}

    where round > 0

    group by domain, round, operation

),

-- a candidate that broke three rules is one candidate
candidates as (

    select distinct
        domain,
        row_id,
        try_cast(candidate ->> '$.round' as integer) as round,
        candidate ->> '$.operation' as operation

    from {{ ref('stg_rejections') }}

    where stage = 'evolved_instructions'

),

rejected as (

    select
        domain,
        round,
        operation,
        count(*) as rejected

    from candidates

    where round > 0

    group by domain, round, operation

),

evolution as (

    select
        domain,
        round,
        operation,
        coalesce(kept.kept, 0) as kept,
        coalesce(rejected.rejected, 0) as rejected

    from kept

    full outer join rejected using (domain, round, operation)

),

yields as (

    select
        *,
        kept / (kept + rejected) as yield

    from evolution

)

select * from yields
