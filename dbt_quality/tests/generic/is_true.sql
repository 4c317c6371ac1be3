{#- The expression holds for every row; null counts as broken. -#}
{% test is_true(model, expression) %}

select *
from {{ model }}
where ({{ expression }}) is not true

{% endtest %}
