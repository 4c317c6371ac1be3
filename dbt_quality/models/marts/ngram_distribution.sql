with

prompts as (

    -- several samples of one prompt count once
    select distinct
        domain,
        prompt

    from {{ ref('stg_filtered') }}

),

tokenized as (

    select
        domain,
        {{ words('prompt') }} as words

    from prompts

),

ngrams as (

    {% for n in [1, 2, 3] %}
    {{ 'union all' if not loop.first }}
    select
        domain,
        {{ n }} as n,
        unnest(
            [
                array_to_string(words[i:i + {{ n - 1 }}], ' ')
                for i in range(1, len(words) - {{ n - 2 }})
            ]
        ) as ngram

    from tokenized
    {% endfor %}

),

counted as (

    select
        domain,
        n,
        ngram,
        count(*) as occurrences

    from ngrams

    group by domain, n, ngram

),

ranked as (

    select
        domain,
        n,
        row_number() over (
            partition by domain, n
            order by occurrences desc, ngram
        ) as rank,
        ngram,
        occurrences,
        occurrences / sum(occurrences) over (partition by domain, n) as share

    from counted

)

select * from ranked

where rank <= {{ var('ngram_top') }}
