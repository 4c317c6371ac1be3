{#- The columns name a row: none of them is null, and no two rows are equal in all of them. One test, for each costs dbt 40 ms and Dagster 20. -#}
{% test key(model, columns) %}

select {{ columns | join(', ') }}
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
    or {{ columns | join(' is null or ') }} is null

{% endtest %}
