-- the parts of a mix are the whole mix
{{ config(meta={'dagster': {'ref': {'name': 'mix_composition'}}}) }}

select
    domain,
    kind,
    sum(row_share) as row_share,
    sum(token_share) as token_share

from {{ ref('mix_composition') }}

group by domain, kind

having abs(sum(row_share) - 1) > 1e-9
    or abs(sum(token_share) - 1) > 1e-9
