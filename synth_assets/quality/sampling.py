"""The spot check's two samples: a uniform one that decides the gate, and an audit one of rows where a rule nearly fired.

Only the uniform sample says anything about the whole; the audit one looks where the automatic gates are least sure. Verdicts belong
to the content that was seen, by its `content_key`, so that a row with a new parent keeps them and changed content is asked anew.
"""

from collections.abc import Mapping, Sequence

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.identity import digest, row_id, seeded


def content_key(row: Row) -> str:
    """Digest of what a reviewer sees of a row of `filtered`."""
    return digest([row["kind"], row["system"], row["prompt"], row["response"], row["rejected"]])[:32]


def nearness(domain: Domain, row: Row) -> float:
    """How near a row came to being rejected, 0 (far) to 1 (at the limit): the nearest of its gates."""
    gates = domain.gates
    shares = [
        row["rouge_l"] / gates.near_duplicates.rouge_l if gates.near_duplicates.rouge_l else 0.0,
        row["jaccard"] / gates.near_duplicates.jaccard if gates.near_duplicates.jaccard else 0.0,
        (row["cosine"] or 0.0) / gates.near_duplicates.cosine if gates.near_duplicates.cosine else 0.0,
        row["contamination"] / gates.decontamination.coverage if gates.decontamination.coverage else 0.0,
        (1 - row["reward"]) / (1 - gates.reward.floor) if gates.reward.floor < 1 else 0.0,
    ]
    return min(1.0, max(shares))


def spot_check(domain: Domain, rows: Sequence[Row], verdicts: Mapping[str, str], outcome: Outcome, similar: Mapping[str, float] | None = None) -> None:
    """Fill `outcome` with the two samples of `rows` (of `filtered`); `verdicts` by content key are carried over.

    Rows in `similar`, by id the cosine to a benchmark item, come first in the audit sample: no rule drops what may be a paraphrase, so people look.

    A row may stand in both samples. Uniform sampling without replacement by seed and the rows' ids alone, so that the order of
    `rows` does not matter.
    """
    queue = similar or {}
    by_id = sorted(rows, key=lambda row: str(row["id"]))
    gate = seeded(domain.seed, domain.name, "spot_check").sample(by_id, min(domain.spot_check.gate, len(by_id)))
    audit = sorted(by_id, key=lambda row: (-queue.get(row["id"], 0.0), -nearness(domain, row), str(row["id"])))[: domain.spot_check.audit]
    for purpose, sample in (("gate", gate), ("audit", audit)):
        outcome.planned += len(sample)
        for row in sample:
            key = content_key(row)
            outcome.kept.append(
                {
                    "id": row_id(domain.name, "spot_check", purpose, row["id"]),
                    "domain": domain.name,
                    "row_id": row["id"],
                    "content_key": key,
                    "purpose": purpose,
                    "verdict": verdicts.get(key),
                }
            )
