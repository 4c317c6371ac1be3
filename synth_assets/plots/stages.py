"""Which pictures a stage shows of its rows: what became of the candidates, how rewards and similarities lie, n-grams by rank, rows by topic."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.plots.bars import funnel, outcome
from synth_assets.plots.heat_map import heat_map
from synth_assets.plots.histogram import histogram
from synth_assets.plots.rank_frequency import rank_frequency
from synth_assets.plots.svg import Sheet
from synth_assets.quality.diversity import ngram_counts
from synth_assets.quality.measures import PARTS
from synth_assets.quality.words import words
from synth_assets.schemas import STAGES

__all__ = ["stage_plots", "whole_funnel"]

_BY_COLUMN: Mapping[str, str] = {
    "seeds": "language",
    "generated_instructions": "method",
    "evolved_instructions": "operation",
    "teacher_responses": "verdict",
    "preference_pairs": "method",
    "real_data": "kind",
    "filtered": "kind",
    "mixed": "origin",
}
"""What the columns of a stage's heat map of topics are."""

_NGRAMS = frozenset({"generated_instructions", "evolved_instructions", "filtered"})


def stage_plots(stage: str, made: Outcome, domain: Domain) -> dict[str, Sheet]:
    """The pictures of one stage, by the name of their metadata; none for a stage with nothing to see."""
    plots: dict[str, Sheet] = {}
    if made.rejected or made.surplus:
        rules = Counter(rule for _, rule in {(str(rejection.row["id"]), rejection.rule) for rejection in made.rejected})
        title = f"{stage} of {domain.name}: what became of {made.planned:,} candidates"
        plots["plot_outcome"] = outcome(title, made.planned, len(made.kept), len(made.surplus), rules)
    if not made.kept:
        return plots
    if stage in _BY_COLUMN:
        plots["plot_topics"] = _topics(stage, made.kept, domain)
    if stage == "evolved_instructions":
        plots |= _evolutions(made, domain)
    if stage in _NGRAMS:
        counted = ngram_counts([words(PARTS[stage].prompt(row)) for row in made.kept], 2)
        plots["plot_ngrams"] = rank_frequency(f"{stage} of {domain.name}: word 2-grams of prompts, occurrences by rank", counted[1].tolist())
    gates = domain.gates
    if stage == "preference_pairs":
        margins = [row["chosen_score"] - row["rejected_score"] for row in made.kept]
        plots["plot_margins"] = histogram(f"{len(margins):,} pairs by margin", margins, axis="chosen minus rejected reward", low=-1, threshold=0)
    if stage == "filtered":
        rewards = [row["reward"] for row in made.kept]
        axis = "reward, as a percentile of the domain's reference responses"
        plots["plot_rewards"] = histogram(f"{len(rewards):,} kept rows by reward", rewards, axis=axis, threshold=gates.reward.floor)
        plots["plot_nearest_rouge_l"] = _nearest(made.kept, "rouge_l", "ROUGE-L F", gates.near_duplicates.rouge_l)
        if any(row["cosine"] is not None for row in made.kept):
            plots["plot_nearest_cosine"] = _nearest(made.kept, "cosine", "embedding cosine", gates.near_duplicates.cosine)
    return plots


def whole_funnel(domain: Domain, accounts: Sequence[Row], last: Outcome) -> Sheet:
    """From seeds to the mix, by `accounts` (rows of stage_accounts of the domain) and by what the mix does now."""
    found = {row["stage"]: (row["kept"], row["rejected"], row["surplus"]) for row in accounts}
    found["mixed"] = (len(last.kept), len(last.rejected_ids), len(last.surplus))
    return funnel(f"{domain.name}: candidates kept, rejected and not needed", [(table.name, *found[table.name]) for table in STAGES if table.name in found])


def _evolutions(made: Outcome, domain: Domain) -> dict[str, Sheet]:
    """The share of evolutions that stand, by operation and round; a cell in which none was tried is empty."""
    stood = Counter((str(row["operation"]), int(row["round"])) for row in made.kept if row["round"])
    rejected = {str(r.row["id"]): (str(r.row["operation"]), int(r.row["round"])) for r in made.rejected if "operation" in r.row}
    tried = stood + Counter(rejected.values())
    if not tried:
        return {}
    operations, rounds = sorted({name for name, _ in tried}), sorted({number for _, number in tried})
    shares = [[stood[name, n] / tried[name, n] if tried[name, n] else None for n in rounds] for name in operations]
    title = f"{domain.name}: {sum(stood.values()):,} of {sum(tried.values()):,} evolutions stand, by operation and round"
    return {"plot_yield": heat_map(title, operations, [f"round {n}" for n in rounds], shares, shown=lambda share: f"{share:.0%}", full=1.0)}


def _nearest(rows: Sequence[Row], column: str, measure: str, limit: float) -> Sheet:
    values = [row[column] for row in rows if row[column] is not None]
    return histogram(f"{len(values):,} prompts by similarity to the nearest kept one", values, axis=measure, threshold=limit)


def _topics(stage: str, rows: Sequence[Row], domain: Domain) -> Sheet:
    """Declared topics from the top, with rows or without, then any others."""
    column = _BY_COLUMN[stage]
    cells = Counter((str(row["topic"]), str(row[column])) for row in rows)
    shown = [*domain.topic_names, *sorted({topic for topic, _ in cells} - set(domain.topic_names))]
    names = sorted({name for _, name in cells}, key=_place(stage))
    return heat_map(f"{stage} of {domain.name}: rows by topic and {column}", shown, names, [[cells[topic, name] for name in names] for topic in shown])


def _place(stage: str) -> Callable[[str], tuple[bool, str]]:
    """Sorts columns by name, what was not evolved first."""
    return lambda name: (stage == "evolved_instructions" and name != "none", name)
