"""The gates together: which of a domain's candidates may go into the mix, and why the others may not.

Rules, decontamination and the reward test every candidate, all of them, so that the report shows each rule's own and overlapping
share. Near-duplicates are looked for among those that pass, one survivor per group. What passes beyond the domain's target is surplus; the
first ones stand, or by the domain's choice the varied ones. Gates only select: they make no row and change none.

Candidates come in numbered waves, and rows stand in their order: of near-duplicates of two waves the earlier stands, whatever their rewards;
within a wave the better reward, then the earlier row; what a person corrected goes before all. Invariant: a further wave changes nothing about
the rows before it, so that which rows are accepted depends neither on how many waves were made nor on when.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.conversations import response_of
from synth_assets.identity import row_id
from synth_assets.quality.decontamination import Hit, Index
from synth_assets.quality.diverse_selection import complexities, select_diverse
from synth_assets.quality.findings import Finding, one_line
from synth_assets.quality.human_fixes import METHOD as HUMAN_FIX
from synth_assets.quality.near_duplicates import deduplicate
from synth_assets.quality.rules import check_row
from synth_assets.quality.scores import Score, ratings_json
from synth_assets.quality.words import words

__all__ = ["KINDS", "Embed", "Rewards", "answers_of", "candidates", "contamination_findings", "reject_contaminated", "screen", "target_metrics"]

SOURCES = ("diverse_selection", "scores")
"""The modules beside this one that decide which rows stand: a change in one makes what was filtered stale."""

KINDS = ("sft", "preference")

CORRECTED = 2.0
"""Stands for the reward among near-duplicates where a person corrected the answer: above every percentile."""

Embed = Callable[[Sequence[str]], NDArray[np.floating[Any]]]
Rewards = Callable[[Sequence[str], Sequence[str]], Sequence[Score]]
"""Prompts and responses to scores with percentiles of the domain's reference responses."""


def candidates(responses: Sequence[Row], pairs: Sequence[Row], instructions: Sequence[Row], reward_version: str, calibration: int) -> list[Row]:
    """Rows of teacher_responses and preference_pairs in the shape of `filtered`, without their scores."""
    roots = {row["id"]: row["root_id"] for row in instructions}
    rows: list[Row] = []
    for kind, sources in zip(KINDS, (responses, pairs), strict=True):
        for source in sources:
            pair = kind == "preference"
            rows.append(
                {
                    "id": row_id(source["domain"], "filtered", kind, source["id"]),
                    "domain": source["domain"],
                    "topic": source["topic"],
                    "language": source["language"],
                    "kind": kind,
                    "source_id": source["id"],
                    "root_id": roots[source["instruction_id"]],
                    "method": source["method"],
                    "system": "" if pair else source["system"],
                    "prompt": source["prompt"],
                    "response": response_of(source),
                    "rejected": source["rejected"] if pair else None,
                    "reward_version": reward_version,
                    "calibration": calibration,
                    "orders_agree": source["orders_agree"] if pair else None,
                    "reward_margin": source["chosen_score"] - source["rejected_score"] if pair else None,
                    "model": source["model"],
                    "parent_id": None,
                    "wave": source.get("wave") or 0,
                    "attributes": source.get("attributes"),
                }
            )
    return sorted(rows, key=lambda row: row["wave"])


def screen(domain: Domain, rows: Sequence[Row], *, index: Index, embed: Embed | None, rewards: Rewards, outcome: Outcome) -> list[Hit]:
    """Sort `rows` into `outcome`; returns every contamination hit.

    Args:
        domain: Its gates and targets.
        rows: What `candidates` made, in the order in which they stand.
        index: The domain's benchmarks.
        embed: Prompts to vectors; None where no model knows the language, and the semantic gate is off.
        rewards: Percentiles by the reward model.
        outcome: Filled.
    """
    outcome.planned += len(rows)
    gates = domain.gates
    scan = index.scan_answers([(row["id"], row["prompt"], answers_of(row)) for row in rows])
    reject_contaminated(rows, scan.hits, outcome)
    scores = rewards([row["prompt"] for row in rows], [row["response"] for row in rows])
    for row, score, coverage in zip(rows, scores, scan.coverage, strict=True):
        row |= {"reward": score.percentile, "ratings": ratings_json(response=score), "contamination": coverage}
        _book(row, score, outcome)
    _score_corrected(rows, rewards, outcome)
    for row in rows:
        _test(domain, row, outcome)
    rejected = outcome.rejected_ids
    for kind, target in zip(KINDS, (domain.targets.sft, domain.targets.preference), strict=True):
        passed = [row for row in rows if row["kind"] == kind and row["id"] not in rejected]
        if not passed:
            continue
        result = deduplicate(
            [words(row["prompt"]) for row in passed],
            [words(f"{row['prompt']}\n{row['response']}") for row in passed],
            embed([row["prompt"] for row in passed]) if embed is not None else None,
            _standing([CORRECTED if row["method"] == HUMAN_FIX else row["reward"] for row in passed], passed),
            gates.near_duplicates,
        )
        for row in passed:
            row |= {"rouge_l": 0.0, "jaccard": 0.0, "cosine": None}
        for duplicate in result.dropped:
            survivor = passed[duplicate.survivor]
            evidence = one_line(f"{survivor['id']}: {survivor['prompt']}")
            outcome.reject(passed[duplicate.row], f"near_duplicate_{duplicate.measure}", duplicate.similarity, evidence)
        taken = _taken(domain, [passed[number] for number in result.kept], target, embed)
        for place, number in enumerate(result.kept):
            row = passed[number]
            for measure in ("rouge_l", "jaccard", "cosine"):
                column = getattr(result, measure)
                row[measure] = None if column is None else float(column[place])
            (outcome.kept if place in taken else outcome.surplus).append(row)
    return scan.hits


def _book(row: Row, score: Score, outcome: Outcome) -> None:
    """Note the calls behind a score, and reject what has none."""
    outcome.use(row["id"], score.calls)
    if score.rule:
        outcome.reject(row, score.rule, evidence=score.evidence)


def _score_corrected(rows: Sequence[Row], rewards: Rewards, outcome: Outcome) -> None:
    """The margin of pairs whose chosen answer a person corrected: the one that they were made with was another answer's."""
    pairs = [row for row in rows if row["method"] == HUMAN_FIX and row["rejected"] is not None and row["reward"] is not None]
    for row, worse in zip(pairs, rewards([row["prompt"] for row in pairs], [row["rejected"] for row in pairs]), strict=True):
        _book(row, worse, outcome)
        row |= {"reward_margin": None if worse.percentile is None else row["reward"] - worse.percentile, "orders_agree": None}


def _standing(scores: Sequence[float], rows: Sequence[Row]) -> list[float]:
    """Scores that put the rows in their order of standing: corrected ones, then wave by wave, within a wave by `scores`."""
    order = sorted(range(len(rows)), key=lambda place: (scores[place] < CORRECTED, rows[place]["wave"], -scores[place], place))
    standing = [0.0] * len(rows)
    for rank, place in enumerate(order):
        standing[place] = -float(rank)
    return standing


def _taken(domain: Domain, rows: Sequence[Row], target: int, embed: Embed | None) -> set[int]:
    """Which of the rows that passed stand: the first ones, or by diversity.

    By diversity every wave is chosen from by itself: it fills what the waves before it left open, and unseats none of them.
    """
    selection = domain.gates.selection
    if selection.by == "order":
        return set(range(min(target, len(rows))))
    prompts = [row["prompt"] for row in rows]
    vectors = embed(prompts) if embed is not None else None
    taken: list[int] = []
    for wave in sorted({row["wave"] for row in rows}):
        places = [place for place, row in enumerate(rows) if row["wave"] == wave]
        scores = np.array([rows[place]["reward"] for place in places]) * complexities([prompts[place] for place in places])
        own, before = (None, None) if vectors is None else (vectors[places], vectors[taken])
        taken += [places[number] for number in select_diverse(scores.tolist(), own, target - len(taken), selection.max_cosine, before)]
    return set(taken)


def _test(domain: Domain, row: Row, outcome: Outcome) -> None:
    """Every gate that looks at one row alone."""
    checked = row["method"] == "reasoning"  # kept only because its answer is the reference's
    for finding in check_row(row["prompt"], row["response"], language=domain.language, rules=domain.gates.rules, reference_answer_expected=checked):
        outcome.reject(row, finding.rule, finding.score, finding.evidence)
    if row["reward"] is not None and row["reward"] < domain.gates.reward.floor:
        outcome.reject(row, "reward_floor", row["reward"], f"percentile {row['reward']:.3f}, floor {domain.gates.reward.floor}")
    margin = row["reward_margin"]
    if margin is not None and margin <= 0:
        outcome.reject(row, "reward_margin", margin, "the chosen answer scores no higher than the rejected one")
    if row["orders_agree"] is False:
        outcome.reject(row, "judge_disagrees", margin, "shown in the other order, the two answers are not judged alike")


def answers_of(row: Row) -> list[str]:
    """The answers that decontamination reads after a row's prompt: its response, and in a pair the rejected one too."""
    return [answer for answer in (row["response"], row["rejected"]) if answer]


def reject_contaminated(rows: Sequence[Row], hits: Sequence[Hit], outcome: Outcome) -> None:
    """Reject every row that has a hit, once per rule, with the hit that covers most of its item."""
    by_id = {row["id"]: row for row in rows}
    for identity, findings in contamination_findings(hits).items():
        for finding in findings:
            outcome.reject(by_id[identity], finding.rule, finding.score, finding.evidence)


def contamination_findings(hits: Sequence[Hit]) -> dict[str, list[Finding]]:
    """Findings by row id, one per row and rule: the hit that covers most of its item."""
    strongest: dict[tuple[str, str], Hit] = {}
    for hit in hits:
        place = (hit.row_id, hit.rule)
        if place not in strongest or hit.score > strongest[place].score:
            strongest[place] = hit
    found: dict[str, list[Finding]] = {}
    for (identity, rule), hit in strongest.items():
        found.setdefault(identity, []).append(Finding(f"contaminated_{rule}", hit.score, one_line(f"{hit.benchmark} {hit.item_id}: {hit.ngram}")))
    return found


def target_metrics(domain: Domain, outcome: Outcome) -> dict[str, float]:
    """By kind the rows that are wanted, and how many of them are missing."""
    numbers: dict[str, float] = {}
    for kind in KINDS:
        wanted, have = getattr(domain.targets, kind), sum(row["kind"] == kind for row in outcome.kept)
        if wanted:
            numbers |= {f"wanted_{kind}": wanted, f"short_{kind}": max(0, wanted - have)}
    return numbers
