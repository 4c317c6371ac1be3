with

source as (

    select * from {{ source('synth', 'mixed') }}

),

renamed as (

    select
        ---------- ids
        id as row_id,

        ---------- texts
        domain,
        topic,
        kind,
        origin,
        source,
        license,

        ---------- lists
        [
            message.content
            for message in list_concat(
                messages, coalesce(chosen, []), coalesce(rejected, [])
            )
        ] as texts

    from source

)

select * from renamed
