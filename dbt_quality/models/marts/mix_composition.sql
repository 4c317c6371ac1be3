with

mixed as (

    select
        *,
        len({{ words("array_to_string(texts, ' ')") }}) as words,
        -- the estimate of the release's card: UTF-8 bytes by 4
        round_even(strlen(array_to_string(texts, '')) / 4, 0) as tokens

    from {{ ref('stg_mixed') }}

),

released as (

    select mixed_row_id from {{ ref('stg_release') }}

),

composition as (

    select
        mixed.domain,
        mixed.kind,
        mixed.origin,
        mixed.source,
        mixed.license,
        count(*) as rows,
        count(released.mixed_row_id) as released_rows,
        sum(mixed.words)::bigint as words,
        sum(mixed.tokens)::bigint as approximate_tokens

    from mixed

    left join released on mixed.row_id = released.mixed_row_id

    group by
        mixed.domain, mixed.kind, mixed.origin, mixed.source, mixed.license

),

shares as (

    select
        *,
        rows / sum(rows) over (partition by domain, kind) as row_share,
        approximate_tokens / nullif(
            sum(approximate_tokens) over (partition by domain, kind), 0
        ) as token_share

    from composition

)

select * from shares
