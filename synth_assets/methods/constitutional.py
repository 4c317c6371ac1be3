"""Preference pairs by critique and revision (Constitutional AI, Bai et al. 2022, arXiv 2212.08073).

An answer is critiqued under a principle drawn by seed and revised, up to four rounds with a principle each. The last revision is
chosen, the first answer rejected; a revision that says the same as the original, or tells of it, is no pair. Every critique, principle and round
stays in the row.
"""

from collections.abc import Callable, Sequence

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.identity import row_id, seeded
from synth_assets.methods.candidates import bare, drawn_responses, folded, reject_reply
from synth_assets.methods.revisions import speaks_of_an_answer, without_presentation
from synth_assets.prompts import load, principles
from synth_assets.teacher.messages import Plan, Profile, Reply, Request

METHOD = "constitutional"
TEMPLATES = ("critique", "revision", "principles")
CRITIQUE_TOKENS = 300
SMALL_CRITIQUE_TOKENS = 60

Similarity = Callable[[Sequence[tuple[str, str]]], Sequence[float | None]]
"""Pairs of texts to the cosines of their embeddings; None where no model knows the language."""


def plan(domain: Domain, responses: Sequence[Row], profile: Profile, similarity: Similarity | None, outcome: Outcome) -> Plan:
    """Pairs from `responses` (rows of teacher_responses); scores are added by whoever has a reward model."""
    settings = domain.methods.constitutional
    if settings is None:
        return
    pairs = [_begin(domain, row) for row in drawn_responses(domain, responses, METHOD, settings.pairs)]
    outcome.planned += len(pairs)
    living = pairs
    for number in range(settings.rounds):
        for pair in living:
            pair["principle"] = [*pair["principle"], principle_for(domain, pair["response_id"], number)]
        critiques = yield [_critique(domain, pair, profile) for pair in living]
        living = [p for p, reply in zip(living, critiques, strict=True) if _take(p, reply, "critique", outcome)]
        revisions = yield [_revise(domain, pair, profile) for pair in living]
        living = [p for p, reply in zip(living, revisions, strict=True) if _take(p, reply, "chosen", outcome)]
    for pair in living:
        pair["id"] = row_id(domain.name, "preference_pairs", METHOD, pair["response_id"], pair["principle"], pair["critique"], pair["chosen"])
    cosines: Sequence[float | None] = [None] * len(living)
    if similarity is not None and living:
        cosines = similarity([(p["chosen"], p["rejected"]) for p in living])
    for pair, cosine in zip(living, cosines, strict=True):
        outcome.use(pair["id"], pair["call_keys"])
        if folded(pair["chosen"]) == folded(pair["rejected"]):
            outcome.reject(pair, "revision_unchanged", 1.0, "the same text")
        elif cosine is not None and cosine >= settings.unchanged_cosine:
            outcome.reject(pair, "revision_unchanged", cosine, f"cosine {cosine:.3f}")
        else:
            outcome.kept.append(pair)


def principle_for(domain: Domain, response_id: str, number: int) -> str:
    """The principle of one round, by seed."""
    pool = domain.principles or principles(domain.language)
    return seeded(domain.seed, domain.name, METHOD, number, response_id).choice(pool)


def _begin(domain: Domain, row: Row) -> Row:
    return {
        "domain": domain.name,
        "topic": row["topic"],
        "language": domain.language,
        "instruction_id": row["instruction_id"],
        "response_id": row["id"],
        "method": METHOD,
        "prompt": row["prompt"],
        "chosen": row["response"],
        "rejected": row["response"],
        "principle": [],
        "critique": [],
        "revisions": 0,
        "samples": None,
        "model": row["model"],
        "prompt_version": f"{load('critique', domain.language).version} {load('revision', domain.language).version}",
        "call_keys": [],
    }


def _critique(domain: Domain, pair: Row, profile: Profile) -> Request:
    system, messages = load("critique", domain.language).render(prompt=pair["prompt"], response=pair["chosen"], principle=pair["principle"][-1])
    return Request(messages, SMALL_CRITIQUE_TOKENS if profile.small else CRITIQUE_TOKENS, system, sampling=profile.sampling(temperature=0.3))


def _revise(domain: Domain, pair: Row, profile: Profile) -> Request:
    settings = domain.methods.constitutional
    assert settings is not None
    system, messages = load("revision", domain.language).render(prompt=pair["prompt"], response=pair["chosen"], critique=pair["critique"][-1])
    return Request(messages, settings.max_tokens, system, sampling=profile.sampling(temperature=0.3))


def _take(pair: Row, reply: Reply, column: str, outcome: Outcome) -> bool:
    """Put a reply into its pair; False when it cannot be used, and the pair is rejected with what it has.

    A critique that ran out of tokens still tells what is wrong; a revision that did is no answer.
    """
    pair["call_keys"] = [*pair["call_keys"], reply.key]
    text = reply.text.strip() if column == "critique" else without_presentation(bare(reply.text))
    rule = reply.rule or ("" if text else "empty")
    if not rule and column == "chosen" and speaks_of_an_answer(text) and not speaks_of_an_answer(pair["rejected"]):
        rule = "comment"
    cut_critique = column == "critique" and rule == "max_tokens" and text
    if rule and not cut_critique:
        reject_reply(reply, pair, f"{'critique' if column == 'critique' else 'revision'}_{rule}", outcome, pair["call_keys"])
        return False
    if column == "critique":
        pair["critique"] = [*pair["critique"], text]
    else:
        pair["revisions"] += folded(text) != folded(pair["chosen"])
        pair["chosen"] = text
    return True
