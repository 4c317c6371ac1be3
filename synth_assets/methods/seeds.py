"""Seeds and curated rows: what people wrote, as rows with ids, so that everything downstream has a parent."""

from synth_assets.accounts import Outcome
from synth_assets.domain_files import LoadedDomain
from synth_assets.identity import row_id
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


def real_data(loaded: LoadedDomain, outcome: Outcome) -> None:
    """One row per curated record of every file that the domain names, with that file's source and licence; a repeated record is rejected."""
    domain = loaded.config
    seen: dict[str, int] = {}
    for file, records in loaded.curated:
        outcome.planned += len(records)
        for _, record in records:
            pair = isinstance(record, CuratedPair)
            response, rejected = (record.chosen, record.rejected) if isinstance(record, CuratedPair) else (record.response, None)
            identity = row_id(domain.name, "real_data", file.kind, record.instruction, record.input, response, rejected)
            row = {
                "id": identity,
                "domain": domain.name,
                "topic": record.topic,
                "language": domain.language,
                "kind": "preference" if pair else "sft",
                "instruction": record.instruction,
                "input": record.input,
                "response": response,
                "rejected": rejected,
                "source": file.source,
                "license": file.license,
            }
            seen[identity] = seen.get(identity, 0) + 1
            if seen[identity] == 1:
                outcome.kept.append(row)
            else:
                again = {**row, "id": row_id(domain.name, "real_data", identity, seen[identity])}
                outcome.reject(again, "duplicate", evidence=f"the same as {identity}, in {file.path} or a file before it")
