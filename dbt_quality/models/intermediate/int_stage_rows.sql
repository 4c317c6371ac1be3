with

stage_rows as (

    {% for stage in var('stages') %}
    {{ 'union all' if not loop.first }}
    select
        domain,
        '{{ stage }}' as stage,
        row_id

    from {{ ref('stg_' ~ stage) }}
    {% endfor %}

)

select * from stage_rows
