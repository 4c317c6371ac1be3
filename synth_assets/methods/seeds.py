"""Seeds and curated rows: what people wrote, as rows with ids, so that everything downstream has a parent."""

from collections.abc import Mapping

from synth_assets.accounts import Outcome
from synth_assets.domain_files import LoadedDomain
from synth_assets.identity import canonical, row_id
from synth_assets.quality.findings import one_line
from synth_assets.real_sources import External
from synth_assets.records import CuratedPair


def seeds(loaded: LoadedDomain, outcome: Outcome) -> None:
    """One row per seed record; the file was checked when it was read."""
    domain = loaded.config
    outcome.planned += len(loaded.seeds)
    for _, record in loaded.seeds:
        outcome.kept.append(
            {
                "id": row_id(domain.name, "seeds", record.instruction, record.input, record.response),
                "domain": domain.name,
                "topic": record.topic,
                "language": domain.language,
                "instruction": record.instruction,
                "input": record.input,
                "response": record.response,
                "answer": record.answer,
                "source": domain.seeds.source,
                "license": domain.seeds.license,
            }
        )


def real_data(loaded: LoadedDomain, outcome: Outcome, external: Mapping[int, External] | None = None) -> None:
    """One row per record of every source that the domain names, with that source's licence; a repeated record is rejected.

    `external` has what queries and datasets gave, by their place in `real_data`; their rows that are no records are rejected.
    """
    domain = loaded.config
    seen: dict[str, int] = {}
    for place, (file, records) in enumerate(loaded.curated):
        given = (external or {}).get(place, External(list(records)))
        shared = {"domain": domain.name, "language": domain.language, "kind": file.kind, "source": file.source, "license": file.license}
        outcome.planned += len(given.records) + len(given.unusable)
        for number, parts, fault in given.unusable:
            identity = row_id(domain.name, "real_data", "unusable", file.name, number, canonical(parts))
            outcome.reject({**shared, **parts, "id": identity}, "unusable_record", evidence=one_line(f"row {number} of {file.name}: {fault}"))
        for _, record in given.records:
            response, rejected = (record.chosen, record.rejected) if isinstance(record, CuratedPair) else (record.response, None)
            identity = row_id(domain.name, "real_data", file.kind, record.instruction, record.input, response, rejected)
            row = {
                **shared,
                "id": identity,
                "topic": record.topic,
                "instruction": record.instruction,
                "input": record.input,
                "response": response,
                "rejected": rejected,
            }
            seen[identity] = seen.get(identity, 0) + 1
            if seen[identity] == 1:
                outcome.kept.append(row)
            else:
                again = {**row, "id": row_id(domain.name, "real_data", identity, seen[identity])}
                outcome.reject(again, "duplicate", evidence=f"the same as {identity}, in {file.name} or a source before it")
