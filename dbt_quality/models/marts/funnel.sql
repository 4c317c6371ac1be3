with

accounts as (

    select * from {{ ref('stg_stage_accounts') }}

),

funnel as (

    select
        domain,
        stage,
        list_position({{ var('stages') }}, stage) as position,
        planned,
        candidates,
        kept,
        rejected,
        surplus,
        kept / nullif(planned, 0) as yield

    from accounts

)

select * from funnel
