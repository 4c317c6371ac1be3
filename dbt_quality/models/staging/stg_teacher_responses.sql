with

source as (

    select * from {{ source('synth', 'teacher_responses') }}

),

renamed as (

    select
        ---------- ids
        id as row_id,

        ---------- texts
        domain,
        method,
        stop_reason

    from source

)

select * from renamed
