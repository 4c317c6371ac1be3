"""The spot check's two samples: a uniform one that decides the gate, and an audit one that looks for what the gates miss.

Both are drawn from the lot: what the automatic gates let pass, before people took anything out, so that rejecting what was found does not make the
next sample look better than its lot. Each row has its place in the uniform sample by a hash of seed and id: a row that comes or goes moves one place,
and all other verdicts stay in the sample. Verdicts belong to the content that was seen, by its `content_key`. Invariant: the order of rows counts nowhere.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.identity import digest, row_id
from synth_assets.quality.closeness import closeness

__all__ = ["BANDS", "SEEN", "audit_sample", "content_key", "gate_sample", "nearness", "spot_check"]

BANDS = 4
"""Reward bands of the audit: quarters of the percentiles."""

SEEN = ("kind", "system", "prompt", "response", "rejected")
"""Columns of `filtered` that a reviewer sees."""


def content_key(row: Row) -> str:
    """Digest of what a reviewer sees of a row of `filtered`."""
    return digest([row[column] for column in SEEN])[:32]


def nearness(domain: Domain, row: Row) -> float:
    """How near a row came to being rejected, 0 (far) to 1 (at the limit): the nearest of its gates."""
    gates = domain.gates
    shares = [
        row["rouge_l"] / gates.near_duplicates.rouge_l if gates.near_duplicates.rouge_l else 0.0,
        row["jaccard"] / gates.near_duplicates.jaccard if gates.near_duplicates.jaccard else 0.0,
        (row["cosine"] or 0.0) / gates.near_duplicates.cosine if gates.near_duplicates.cosine else 0.0,
        row["contamination"] / gates.decontamination.coverage if gates.decontamination.coverage else 0.0,
        (1 - row["reward"]) / (1 - gates.reward.floor) if gates.reward.floor < 1 else 0.0,
        closeness(row["prompt"], row["response"], domain.language, gates.rules),
    ]
    return min(1.0, max(shares))


def gate_sample(domain: Domain, lot: Sequence[Row]) -> list[Row]:
    """Rows drawn uniformly without replacement, in the order of their draw: all of them where there are no more than asked for."""
    return sorted(lot, key=lambda row: digest([domain.seed, domain.name, "gate", row["id"]]))[: domain.spot_check.gate]


def audit_sample(domain: Domain, rows: Sequence[Row], similar: Mapping[str, float] | None = None) -> list[Row]:
    """Half of it the rows that may paraphrase a benchmark item and those that came nearest to a limit, the rest spread evenly over topics,
    methods and reward bands, in each the nearest first.
    """
    wanted = min(domain.spot_check.audit, len(rows))
    near = {row["id"]: nearness(domain, row) for row in rows}
    queue = similar or {}
    ordered = sorted(rows, key=lambda row: (-queue.get(row["id"], 0.0), -near[row["id"]], str(row["id"])))
    first = ordered[: (wanted + 1) // 2]
    cells: defaultdict[tuple[tuple[str, str], ...], list[Row]] = defaultdict(list)
    for row in reversed(ordered[len(first) :]):
        cells[_cell(row)].append(row)
    counts = Counter(part for row in first for part in _cell(row))
    drawn = list(first)
    while len(drawn) < wanted:
        # The cell whose topic, method and band were drawn least so far; of equal ones that with the nearest row.
        cell = min(cells, key=lambda c: (sum(counts[part] for part in c), -near[cells[c][-1]["id"]], c))
        drawn.append(cells[cell].pop())
        counts.update(cell)
        if not cells[cell]:
            del cells[cell]
    return drawn


def _cell(row: Row) -> tuple[tuple[str, str], ...]:
    return ("topic", row["topic"]), ("method", row["method"]), ("band", str(min(BANDS - 1, int(row["reward"] * BANDS))))


def spot_check(
    domain: Domain, lot: Sequence[Row], rows: Sequence[Row], verdicts: Mapping[str, str], outcome: Outcome, similar: Mapping[str, float] | None = None
) -> None:
    """Fill `outcome` with the two samples; a row may stand in both.

    Args:
        domain: Its seed, limits and sample sizes.
        lot: What the gate is about: rows that the automatic gates let pass.
        rows: What the audit looks at: rows of `filtered` as they are now.
        verdicts: By content key, carried over.
        outcome: Filled.
        similar: Cosine to a benchmark item, by row id, of rows that may paraphrase one: no rule drops them, so that people look.
    """
    for purpose, sample in (("gate", gate_sample(domain, lot)), ("audit", audit_sample(domain, rows, similar))):
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
