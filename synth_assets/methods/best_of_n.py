"""Preference pairs by best-of-n (Magpie, arXiv 2406.08464: 5 samples at T 0.8, the reward model's best against its worst).

Drawn answered instructions are answered n times anew. What can be used is scored by the domain's reward model, a judge's aspects included, and
the best is chosen; rejected is the worst, or as in Tulu 3 (arXiv 2411.15124) a random one of those below the best. Samples that tie, or say
the same, are no pair. Every sample stays in the row, with its score or the rule that makes it unusable.
"""

from collections.abc import Sequence

from synth_assets.accounts import Outcome, Row
from synth_assets.config import BestOfN, Domain
from synth_assets.identity import canonical, row_id, seeded
from synth_assets.methods.candidates import drawn_responses, folded
from synth_assets.methods.distillation import brevity
from synth_assets.methods.scoring import Scorer
from synth_assets.prompts import version
from synth_assets.quality.scores import Score
from synth_assets.teacher.messages import Message, Plan, Profile, Reply, Request

METHOD = "best_of_n"
TEMPLATES = ("distill_small",)


def plan(domain: Domain, responses: Sequence[Row], profile: Profile, scorer: Scorer, outcome: Outcome) -> Plan:
    """Pairs for `responses` (rows of teacher_responses), one per drawn row."""
    settings = domain.methods.best_of_n
    if settings is None:
        return
    rows = drawn_responses(domain, responses, METHOD, settings.pairs)
    outcome.planned += len(rows)
    replies = iter((yield [_request(domain, settings, row, number, profile) for row in rows for number in range(settings.samples)]))
    sampled = [(row, [next(replies) for _ in range(settings.samples)]) for row in rows]
    usable = [[reply.text.strip() for reply in own if not reply.rule] for _, own in sampled]
    compared = [texts if _differ(texts) else [] for texts in usable]
    scored = yield from scorer.score(
        [row["prompt"] for (row, _), texts in zip(sampled, compared, strict=True) for _ in texts], [t for c in compared for t in c]
    )
    scores = iter(scored)
    for (row, own), texts in zip(sampled, compared, strict=True):
        _settle(domain, settings, row, own, [next(scores) for _ in texts], profile, outcome)


def _differ(texts: Sequence[str]) -> bool:
    """Whether there is anything to compare."""
    return len({folded(text) for text in texts}) > 1


def _request(domain: Domain, settings: BestOfN, row: Row, number: int, profile: Profile) -> Request:
    sampling = profile.sampling(temperature=settings.temperature)
    return Request((Message("user", row["prompt"]),), settings.max_tokens, brevity(domain, profile), sample=number, sampling=sampling)


def _settle(domain: Domain, settings: BestOfN, row: Row, replies: Sequence[Reply], scores: Sequence[Score], profile: Profile, outcome: Outcome) -> None:
    """Make a pair of one prompt's samples, or reject them together."""
    texts = [reply.text.strip() for reply in replies if not reply.rule]
    pair = _pair(domain, row, replies, scores, profile)
    outcome.use(pair["id"], pair["call_keys"])
    ranked = [(score.raw, place) for place, score in enumerate(scores) if score.raw is not None]
    if len(texts) < 2:
        outcome.reject(pair, "samples_unusable", len(texts), ", ".join(reply.rule for reply in replies if reply.rule))
    elif not _differ(texts):
        outcome.reject(pair, "samples_tied", 0.0, "all samples say the same")
    elif len(ranked) < 2:
        broken = next(score for score in scores if score.raw is None)
        outcome.reject(pair, broken.rule or "samples_unscored", len(ranked), broken.evidence)
    else:
        # Of equal scores the earlier sample, so that the pair does not hang on the order of a sort.
        best, chosen = max(ranked, key=lambda found: (found[0], -found[1]))
        below = [(value, place) for value, place in ranked if value < best and folded(texts[place]) != folded(texts[chosen])]
        if not below:
            outcome.reject(pair, "samples_tied", 0.0, f"all {len(ranked)} samples score {best:.4g}")
            return
        worst = min(below) if settings.rejected == "worst" else seeded(domain.seed, domain.name, METHOD, "rejected", row["id"]).choice(below)
        pair |= {"chosen": texts[chosen], "rejected": texts[worst[1]]}
        outcome.kept.append(pair)


def _pair(domain: Domain, row: Row, replies: Sequence[Reply], scores: Sequence[Score], profile: Profile) -> Row:
    """The row of one prompt's samples, without its two sides."""
    given = iter(scores or [Score(None)] * len(replies))
    samples: list[Row] = []
    for reply in replies:
        if reply.rule:
            samples.append({"response": reply.text, "rule": reply.rule})
        else:
            score = next(given)
            samples.append({"response": reply.text.strip(), "score": score.raw} | ({"aspects": dict(score.aspects)} if score.aspects else {}))
    keys = dict.fromkeys([*(reply.key for reply in replies), *(call for score in scores for call in score.calls)])
    return {
        "id": row_id(domain.name, "preference_pairs", METHOD, row["id"], canonical(samples), *keys),
        "domain": domain.name,
        "topic": row["topic"],
        "language": domain.language,
        "instruction_id": row["instruction_id"],
        "response_id": row["id"],
        "method": METHOD,
        "prompt": row["prompt"],
        "principle": [],
        "critique": [],
        "revisions": 0,
        "samples": canonical(samples),
        "model": next((reply.model for reply in replies if not reply.failure), row["model"]),
        "prompt_version": version("distill_small", domain.language) if profile.small else "plain@1",
        "call_keys": list(keys),
    }
