with

source as (

    select * from {{ source('synth', 'teacher_calls') }}

),

renamed as (

    select
        ---------- ids
        key as call_key,
        attempt,

        ---------- texts
        model,
        paid_at,

        ---------- numbers
        input_tokens,
        output_tokens,
        cost_usd

    from source

)

select * from renamed
