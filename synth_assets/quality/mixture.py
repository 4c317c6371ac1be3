"""The two sides of a domain put together, kind by kind, as conversations.

A synthetic row that people rejected, or that is a near-duplicate of a real one, leaves; then each kind is mixed at the domain's share; what the
share leaves no room for is surplus.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Cap, Domain
from synth_assets.conversations import approximate_tokens, messages, prompt_of, user_text
from synth_assets.identity import row_id
from synth_assets.quality.cosine import cosines
from synth_assets.quality.findings import one_line
from synth_assets.quality.gates import KINDS, Embed
from synth_assets.quality.human_fixes import REPLACED
from synth_assets.quality.mixing import Limit, mix
from synth_assets.quality.near_duplicates import RougePool, jaccard_pairs
from synth_assets.quality.sampling import content_key
from synth_assets.quality.words import words

__all__ = ["blend"]

_BLOCK = 256
"""Synthetic prompts compared at a time with all real ones: 256 x 50,000 cosines are 100 MB."""
_DEFECTS = {"reject": "human_rejected", "fix": REPLACED}
"""Verdict to the rule that keeps the row out. A row with a fix is still here where `filtered` has not run since."""


def blend(
    domain: Domain,
    synthetic: Sequence[Row],
    real: Sequence[Row],
    verdicts: Mapping[str, str],
    terms_of: Callable[[str], str],
    outcome: Outcome,
    embed: Embed | None = None,
) -> dict[str, float]:
    """Fill `outcome` with the mix of rows of `filtered` and `real_data`; returns the achieved share per kind, by rows and by tokens.

    Args:
        domain: Its targets, share and limits.
        synthetic: Rows of `filtered`.
        real: Rows of `real_data`.
        verdicts: What people said, by content key.
        terms_of: The licence or terms of what a model wrote.
        outcome: Filled.
        embed: Turns prompts into vectors; None where no model knows the language.
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
        sides = _apart(domain, sides, others, embed, outcome)
        rows = sides | others
        chosen = mix(
            {i: row["topic"] for i, row in sides.items()},
            {i: row["topic"] for i, row in others.items()},
            domain.mix.synthetic_share,
            domain.seed,
            domain.name,
            kind,
            limits=[_limit(cap, rows.values()) for cap in domain.mix.caps],
        )
        outcome.kept.extend(rows[i] for i in chosen.chosen)
        outcome.surplus.extend(rows[i] for i in chosen.surplus)
        if chosen.share is not None:
            tokens = [sum(approximate_tokens(rows[i]) for i in side) for side in (chosen.synthetic, chosen.real)]
            shares |= {f"synthetic_share_{kind}": chosen.share, f"synthetic_token_share_{kind}": tokens[0] / max(1, sum(tokens))}
    return shares


def _limit(cap: Cap, rows: Iterable[Row]) -> Limit:
    column, value = ("method", cap.method) if cap.method is not None else ("source", cap.source)
    return Limit(f"{column} {value}", cap.share, frozenset(row["id"] for row in rows if row[column] == value))


def _apart(domain: Domain, synthetic: dict[str, Row], real: dict[str, Row], embed: Embed | None, outcome: Outcome) -> dict[str, Row]:
    """The synthetic rows that are no near-duplicate of a real one, by the domain's own three measures."""
    if not real or not synthetic:
        return synthetic
    people, candidates = list(real.values()), list(synthetic.values())
    settings = domain.gates.near_duplicates
    asked = [user_text(row["messages"]) for row in people]

    def reject(row: Row, rule: str, similarity: float, nearest: int) -> None:
        outcome.reject(row, rule, similarity, one_line(f"{people[nearest]['id']}: {asked[nearest]}"))

    # Only pairs across the border are looked for: those among synthetic rows were the gates' business, and are many more.
    pool = RougePool()
    for prompt in asked:
        pool.add(words(prompt))
    for row in candidates:
        if (near := pool.exceeds(words(user_text(row["messages"])), settings.rouge_l)) is not None:
            reject(row, "near_duplicate_of_real", near[1], near[0])
    pairs = jaccard_pairs([words(_said(row)) for row in (*people, *candidates)], settings.jaccard)
    strongest: dict[int, tuple[float, int]] = {}
    for left, right, similarity in zip(pairs.left, pairs.right, pairs.similarity, strict=True):
        one, other = sorted((int(left), int(right)))
        if one < len(people) <= other:
            place = other - len(people)
            strongest[place] = max(strongest.get(place, (0.0, 0)), (float(similarity), -one))
    for place, (similarity, one) in sorted(strongest.items()):
        reject(candidates[place], "near_duplicate_of_real_jaccard", similarity, -one)
    if embed is not None:
        vectors = embed(asked)
        for start in range(0, len(candidates), _BLOCK):
            block = candidates[start : start + _BLOCK]
            near_real = cosines(embed([user_text(row["messages"]) for row in block]), vectors)
            for row, nearest, cosine in zip(block, near_real.argmax(axis=1), near_real.max(axis=1), strict=True):
                if cosine > settings.cosine:
                    reject(row, "near_duplicate_of_real_cosine", float(cosine), int(nearest))
    rejected = outcome.rejected_ids
    return {i: row for i, row in synthetic.items() if i not in rejected}


def _said(row: Row) -> str:
    """Prompt and answer of a row, for a pair the better one."""
    return "\n".join(turn["content"] for turn in [*row["messages"], *(row["chosen"] or ())] if turn["role"] != "system")


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
        "attributes": row.get("attributes"),
        **columns,
    }
