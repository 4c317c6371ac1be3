with

reviews as (

    select * from {{ ref('stg_reviews') }}

),

undone as (

    select
        domain,
        content_key,
        reviewer,
        undoes as reviewed_at

    from reviews

    where verdict = 'undo'

),

-- each reviewer's newest entry that was not taken back
standing as (

    select reviews.*

    from reviews

    anti join undone using (domain, content_key, reviewer, reviewed_at)

    where reviews.verdict <> 'undo'

    qualify row_number() over (
        partition by reviews.domain, reviews.content_key, reviews.reviewer
        order by reviews.reviewed_at desc
    ) = 1

),

-- of several reviewers the strictest verdict stands
strictest as (

    select
        *,
        count(*) over (partition by domain) as contents_read

    from (
        select *

        from standing

        qualify row_number() over (
            partition by domain, content_key
            order by
                list_position(['reject', 'fix', 'accept'], verdict),
                reviewed_at desc,
                reviewer desc
        ) = 1
    )

),

by_rule as (

    select
        strictest.domain,
        reason_rules.rule,
        strictest.reason,
        count(*) as missed,
        count(*) filter (where strictest.verdict = 'fix') as missed_and_fixed,
        count(*) / any_value(strictest.contents_read) as share,
        max_by(strictest.row_id, strictest.reviewed_at) as newest_row_id

    from strictest

    inner join {{ ref('int_reason_rules') }} as reason_rules using (reason)

    where strictest.verdict <> 'accept'

    group by strictest.domain, reason_rules.rule, strictest.reason

)

select * from by_rule
