"""The gates together: which of a domain's candidates may go into the mix, and why the others may not.

Rules, decontamination and the reward test every candidate, all of them, so that the report shows each rule's own and overlapping
share. Near-duplicates are looked for among those that pass, one survivor per group: the better reward, then the earlier row. What
passes beyond the domain's target is surplus; the first ones stand, or by the domain's choice the varied ones. Gates only select, they never ask the teacher.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.conversations import with_thinking
from synth_assets.identity import row_id
from synth_assets.quality.decontamination import Hit, Index
from synth_assets.quality.diverse_selection import complexities, select_diverse
from synth_assets.quality.findings import one_line
from synth_assets.quality.near_duplicates import deduplicate
from synth_assets.quality.rules import check_row
from synth_assets.quality.words import words

__all__ = ["KINDS", "Rewards", "answers_of", "candidates", "metrics", "reject_contaminated", "screen"]

KINDS = ("sft", "preference")

Embed = Callable[[Sequence[str]], NDArray[np.floating[Any]]]
Rewards = Callable[[Sequence[str], Sequence[str]], Sequence[float]]
"""Prompts and responses to percentiles of the domain's reference responses, 0 to 1."""


def candidates(responses: Sequence[Row], pairs: Sequence[Row], instructions: Sequence[Row], reward_version: str) -> list[Row]:
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
                    "response": source["chosen"] if pair else with_thinking(source["thinking"], source["response"]),
                    "rejected": source["rejected"] if pair else None,
                    "reward_version": source["reward_version"] if pair else reward_version,
                    "reward_margin": source["chosen_score"] - source["rejected_score"] if pair else None,
                    "model": source["model"],
                }
            )
    return rows


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
    for row, reward, coverage in zip(rows, scores, scan.coverage, strict=True):
        row |= {"reward": float(reward), "contamination": coverage}
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
            [row["reward"] for row in passed],
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
            row["rouge_l"], row["jaccard"] = float(result.rouge_l[place]), float(result.jaccard[place])
            row["cosine"] = None if result.cosine is None else float(result.cosine[place])
            (outcome.kept if place in taken else outcome.surplus).append(row)
    return scan.hits


def _taken(domain: Domain, rows: Sequence[Row], target: int, embed: Embed | None) -> set[int]:
    """Which of the rows that passed stand: the first ones, or by diversity."""
    selection = domain.gates.selection
    if selection.by == "order" or len(rows) <= target:
        return set(range(min(target, len(rows))))
    prompts = [row["prompt"] for row in rows]
    scores = np.array([row["reward"] for row in rows]) * complexities(prompts)
    return set(select_diverse(scores.tolist(), embed(prompts) if embed is not None else None, target, selection.max_cosine))


def _test(domain: Domain, row: Row, outcome: Outcome) -> None:
    """Every gate that looks at one row alone."""
    for finding in check_row(row["prompt"], row["response"], language=domain.language, rules=domain.gates.rules):
        outcome.reject(row, finding.rule, finding.score, finding.evidence)
    if row["reward"] < domain.gates.reward.floor:
        outcome.reject(row, "reward_floor", row["reward"], f"percentile {row['reward']:.3f}, floor {domain.gates.reward.floor}")
    margin = row["reward_margin"]
    if margin is not None and margin <= 0:
        outcome.reject(row, "reward_margin", margin, "the chosen answer scores no higher than the rejected one")


def answers_of(row: Row) -> list[str]:
    """The answers that decontamination reads after a row's prompt: its response, and in a pair the rejected one too."""
    return [answer for answer in (row["response"], row["rejected"]) if answer]


def reject_contaminated(rows: Sequence[Row], hits: Sequence[Hit], outcome: Outcome) -> None:
    """Reject every row that has a hit, once per rule, with the hit that covers most of its item."""
    strongest: dict[tuple[str, str], Hit] = {}
    for hit in hits:
        place = (hit.row_id, hit.rule)
        if place not in strongest or hit.score > strongest[place].score:
            strongest[place] = hit
    by_id = {row["id"]: row for row in rows}
    for (identity, rule), hit in strongest.items():
        outcome.reject(by_id[identity], f"contaminated_{rule}", hit.score, one_line(f"{hit.benchmark} {hit.item_id}: {hit.ngram}"))


def metrics(outcome: Outcome, numbers: Mapping[str, float]) -> dict[str, float]:
    """Mean reward beside the diversity measures `numbers`, for the history."""
    rewards = [row["reward"] for row in outcome.kept]
    return dict(numbers) | ({"reward_mean": sum(rewards) / len(rewards)} if rewards else {})
