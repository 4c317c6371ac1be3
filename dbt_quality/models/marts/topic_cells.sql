with

rows as (

    {% for stage in ['seeds', 'filtered', 'mixed'] %}
    {{ 'union all' if not loop.first }}
    select
        domain,
        topic,
        '{{ stage }}' as stage

    from {{ ref('stg_' ~ stage) }}
    {% endfor %}

),

cells as (

    select
        domain,
        topic,
        count(*) filter (where stage = 'seeds') as seeds,
        count(*) filter (where stage = 'filtered') as filtered,
        count(*) filter (where stage = 'mixed') as mixed,
        seeds > 0 as is_declared

    from rows

    group by domain, topic

)

select * from cells
