{#-
    The words of a text as synth_assets/quality/words.py has them, but for
    NFKC: lower-case runs of letters and digits, each Han character alone.
-#}
{% macro words(text) -%}
    regexp_extract_all(
        regexp_replace(
            lower(nfc_normalize({{ text }})), '(\p{Han})', ' \1 ', 'g'
        ),
        '[\p{L}\p{N}]+'
    )
{%- endmacro %}
