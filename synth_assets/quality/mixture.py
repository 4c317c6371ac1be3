"""The two sides of a domain put together, kind by kind, as conversations.

A synthetic row that people rejected, or that is a near-duplicate of a real one, leaves; then each kind is mixed at the domain's share; what the
share leaves no room for is surplus.
"""

from collections.abc import Callable, Mapping, Sequence

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.conversations import messages, prompt_of, user_text
from synth_assets.identity import row_id
from synth_assets.quality.findings import one_line
from synth_assets.quality.gates import KINDS
from synth_assets.quality.human_fixes import REPLACED
from synth_assets.quality.mixing import mix
from synth_assets.quality.near_duplicates import RougePool
from synth_assets.quality.sampling import content_key
from synth_assets.quality.words import words

_DEFECTS = {"reject": "human_rejected", "fix": REPLACED}
"""Verdict to the rule that keeps the row out. A row with a fix is still here where `filtered` has not run since."""


def blend(
    domain: Domain, synthetic: Sequence[Row], real: Sequence[Row], verdicts: Mapping[str, str], terms_of: Callable[[str], str], outcome: Outcome
) -> dict[str, float]:
    """Fill `outcome` with the mix of rows of `filtered` and `real_data`; returns the achieved share per kind.

    Args:
        domain: Its targets, share and limits.
        synthetic: Rows of `filtered`.
        real: Rows of `real_data`.
        verdicts: What people said, by content key.
        terms_of: The licence or terms of what a model wrote.
        outcome: Filled.
    """
    outcome.planned += len(synthetic) + len(real)
    rules = {row["id"]: _DEFECTS.get(verdicts.get(content_key(row), "")) for row in synthetic}
    shares: dict[str, float] = {}
    for kind in KINDS:
        sides = {row["id"]: row for row in (_synthetic(r, terms_of(r["model"])) for r in synthetic if r["kind"] == kind)}
        others = {row["id"]: row for row in (_real(r) for r in real if r["kind"] == kind)}
        for row in sides.values():
            if rule := rules[row["source_id"]]:
                outcome.reject(row, rule, evidence="found by a person in the spot check")
        sides = {i: row for i, row in sides.items() if rules[row["source_id"]] is None}
        sides = _apart(domain, sides, others, outcome)
        chosen = mix(
            {i: row["topic"] for i, row in sides.items()},
            {i: row["topic"] for i, row in others.items()},
            domain.mix.synthetic_share,
            domain.seed,
            domain.name,
            kind,
        )
        rows = sides | others
        outcome.kept.extend(rows[i] for i in chosen.chosen)
        outcome.surplus.extend(rows[i] for i in chosen.surplus)
        if chosen.share is not None:
            shares[f"synthetic_share_{kind}"] = chosen.share
    return shares


def _apart(domain: Domain, synthetic: dict[str, Row], real: dict[str, Row], outcome: Outcome) -> dict[str, Row]:
    """The synthetic rows that are no near-duplicate of a real one by ROUGE-L of their prompts."""
    pool = RougePool()
    ids = list(real)
    for i in ids:
        pool.add(words(user_text(real[i]["messages"])))
    apart: dict[str, Row] = {}
    for i, row in synthetic.items():
        near = pool.exceeds(words(user_text(row["messages"])), domain.gates.near_duplicates.rouge_l)
        if near is None:
            apart[i] = row
        else:
            outcome.reject(row, "near_duplicate_of_real", near[1], one_line(f"{ids[near[0]]}: {user_text(real[ids[near[0]]]['messages'])}"))
    return apart


def _synthetic(row: Row, terms: str) -> Row:
    return _conversation(
        row,
        system=row["system"],
        prompt=row["prompt"],
        origin="synthetic",
        root_id=row["root_id"],
        method=row["method"],
        source=f"synthetic: {row['model']}",
        license=terms,
        reward=row["reward"],
    )


def _real(row: Row) -> Row:
    return _conversation(
        row,
        system="",
        prompt=prompt_of(row),
        origin="real",
        root_id=row["id"],
        method="human",
        source=row["source"],
        license=row["license"],
        reward=None,
    )


def _conversation(row: Row, *, system: str, prompt: str, **columns: object) -> Row:
    pair = row["kind"] == "preference"
    return {
        "id": row_id(row["domain"], "mixed", row["kind"], columns["origin"], row["id"]),
        "domain": row["domain"],
        "topic": row["topic"],
        "language": row["language"],
        "kind": row["kind"],
        "messages": messages(system=system, user=prompt, assistant="" if pair else row["response"]),
        "chosen": messages(assistant=row["response"]) if pair else None,
        "rejected": messages(assistant=row["rejected"]) if pair else None,
        "source_id": row["id"],
        **columns,
    }
