{#- The column is null or lies between two limits, both included. -#}
{% test between(model, column_name, low=0, high=1) %}

select {{ column_name }}
from {{ model }}
where {{ column_name }} < {{ low }}
    or {{ column_name }} > {{ high }} + 1e-9

{% endtest %}
