"""The handful: a domain made small so that what is asked for it is what a whole run asks too.

Attempts, answers and evolutions are the same requests in a run of any size: the first attempts see the seeds alone, and the rest follows from its
row. Which rows a method draws from a pool that is not complete yet (`evol_instruct.roots`, `constitutional.pairs`) cannot be known; roots are those
that a run draws from the seeds if its methods reach their targets. Invariant: nothing here asks, and settings that decide a request stay as they are.
"""

from collections.abc import Sequence

from synth_assets.accounts import Row
from synth_assets.config import Domain
from synth_assets.methods import evol_instruct, reasoning
from synth_assets.teacher.messages import Profile

__all__ = ["made_small", "seeds_for"]


def made_small(domain: Domain, rows: int) -> Domain:
    """`domain` whose methods stop at so many attempts, roots and pairs."""
    methods = domain.methods
    changes: dict[str, object] = {}
    for name in ("self_instruct", "magpie"):
        if (asked := getattr(methods, name)) is not None:
            changes[name] = asked.model_copy(update={"target": min(rows, asked.target), "attempts_per_target": 1.0})
    for name in ("constitutional", "best_of_n"):
        if (paired := getattr(methods, name)) is not None:
            changes[name] = paired.model_copy(update={"pairs": min(rows, paired.pairs)})
    if methods.evol_instruct is not None:
        changes["evol_instruct"] = methods.evol_instruct.model_copy(update={"roots": None})
    return domain.model_copy(update={"methods": methods.model_copy(update=changes)})


def seeds_for(domain: Domain, seeds: Sequence[Row], rows: int, profile: Profile) -> list[Row]:
    """The seeds that go through, in their order: those whose evolution a whole run draws, if need be others, and one with an answer where that counts."""
    settings, methods = domain.methods.evol_instruct, domain.methods
    chosen = list(seeds)
    if settings is not None:
        generated = sum(s.target for s in (methods.self_instruct, methods.magpie if profile.raw_prompt else None) if s is not None)
        places = evol_instruct.drawn_places(domain, len(seeds) + generated, settings)
        chosen = [seeds[place] for place in places if place < len(seeds)] or chosen
    chosen = chosen[:rows]
    if not any(reasoning.traced(domain, row) for row in chosen):
        checked = [row for row in seeds if reasoning.traced(domain, row)][:1]
        chosen = [*chosen[: rows - len(checked)], *checked]
    return chosen
