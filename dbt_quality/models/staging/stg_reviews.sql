with

source as (

    select * from {{ source('synth', 'reviews') }}

),

renamed as (

    select
        ---------- ids
        content_key,
        row_id,

        ---------- texts
        domain,
        reviewer,
        verdict,
        -- verdicts from before there were reasons, and corrections without one
        coalesce(nullif(reason, ''), 'other') as reason,
        undoes,

        ---------- times
        reviewed_at

    from source

)

select * from renamed
