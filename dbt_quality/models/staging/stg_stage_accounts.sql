with

source as (

    select * from {{ source('synth', 'stage_accounts') }}

),

renamed as (

    select
        ---------- texts
        domain,
        stage,

        ---------- numbers
        planned,
        candidates,
        kept,
        rejected,
        surplus

    from source

)

select * from renamed
