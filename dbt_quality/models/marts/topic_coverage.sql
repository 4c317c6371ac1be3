with

cells as (

    select * from {{ ref('topic_cells') }}

    where is_declared

),

stage_cells as (

    {% for stage in ['filtered', 'mixed'] %}
    {{ 'union all' if not loop.first }}
    select
        domain,
        '{{ stage }}' as stage,
        {{ stage }} as rows,
        {{ stage }} / nullif(
            sum({{ stage }}) over (partition by domain), 0
        ) as share

    from cells
    {% endfor %}

),

coverage as (

    select
        domain,
        stage,
        count(*) as declared,
        count(*) filter (where rows > 0) as filled,
        filled / declared as coverage,
        -- an empty topic adds nothing; DuckDB refuses ln(0)
        -sum(share * ln(nullif(share, 0))) / nullif(ln(declared), 0) as evenness

    from stage_cells

    group by domain, stage

)

select * from coverage
