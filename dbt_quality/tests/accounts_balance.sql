-- every planned candidate is in exactly one place
{{ config(meta={'dagster': {'ref': {'name': 'funnel'}}}) }}

select *

from {{ ref('funnel') }}

where planned != kept + rejected + surplus
    or candidates != kept + rejected + surplus
