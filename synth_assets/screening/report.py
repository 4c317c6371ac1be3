"""What a screening found, as `report.json` has it and as a person reads it.

Every rule has its own share (rows that it alone rejects) beside all its rows, and every two rules the rows that both reject: so it shows which rule
could be dropped without letting anything through. Invariant: kept + rejected = rows, and the rules' own rows never add up to more than the rejected.
"""

import resource
import sys
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np

from synth_assets import __version__
from synth_assets.quality.findings import one_line
from synth_assets.screening.benchmarks import Benchmark
from synth_assets.screening.columns import Columns
from synth_assets.screening.reading import Source
from synth_assets.screening.screened import Gates, Screened
from synth_assets.screening.settings import CONTAMINATION_RULES, NEAR_DUPLICATE_RULES, Limit
from synth_assets.screening.testing import ROW_RULES

__all__ = ["report", "summary"]

_PAIRS = 100
"""Overlaps of two rules that are listed."""

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def report(
    source: Source,
    columns: Columns,
    gates: Gates,
    benchmarks: Sequence[Benchmark],
    screened: Screened,
    limits: Sequence[Limit],
    notes: Sequence[str],
    seconds: float,
) -> dict[str, Any]:
    """The content of `report.json`.

    Args:
        source: The file.
        columns: How it was read.
        gates: What it was put through.
        benchmarks: What it must not contain.
        screened: What was found.
        limits: What --fail-on said.
        notes: Sentences about gates that were off.
        seconds: Wall time of the whole run.
    """
    bits = np.frombuffer(screened.broken, np.uint64)
    rejected = screened.rejected
    return {
        "synth_assets": __version__,
        "input": {"file": source.path.name, "sha256": source.digest(), "bytes": source.path.stat().st_size, "form": source.form, "columns": columns.named},
        "settings": {
            "language": gates.language,
            "gates": gates.settings.model_dump(mode="json", exclude={"quality", "max_failed_share", "reward"}),
            "near_duplicates": gates.near_duplicates,
            "semantic": gates.embed is not None and gates.near_duplicates,
            "survivor": "better reward, then earlier row" if gates.reward is not None else "earlier row",
        },
        "notes": list(notes),
        "rows": {
            "read": screened.rows,
            "kept": screened.rows - rejected,
            "rejected": rejected,
            "rejected_share": rejected / screened.rows,
            "bad_lines": screened.bad_lines,
        },
        "bad_lines": [{"reason": reason, "lines": lines} for reason, lines in screened.bad_reasons.most_common(20)],
        "rules": _rules(screened, bits),
        "overlaps": _overlaps(screened, bits),
        "benchmarks": [_benchmark(benchmark, screened) for benchmark in benchmarks],
        "review": _review(gates, screened),
        "reward": _reward(screened),
        "diversity": {"prompts": screened.diversity_rows, **screened.diversity},
        "fail_on": [_limit(limit, screened, bits) for limit in limits],
        "seconds": {part: round(value, 2) for part, value in screened.seconds.items()} | {"all": round(seconds, 2)},
        "peak_memory_mb": _peak_memory(),
    }


def summary(content: dict[str, Any]) -> list[str]:
    """`content` in lines for a terminal: escaped, no text of a row."""
    rows = content["rows"]
    share = f"{rows['rejected_share']:.2%}"
    lines = [f"{rows['read']} rows: {rows['kept']} kept, {rows['rejected']} rejected ({share}). Bad lines: {rows['bad_lines']}."]
    lines += [f"  {one_line(bad['reason'])}: {bad['lines']}" for bad in content["bad_lines"][:5]]
    fired = [rule for rule in content["rules"] if rule["rows"]]
    if fired:
        lines += ["", f"{'rule':<30}{'rows':>10}{'share':>10}{'alone':>10}"]
        lines += [f"{rule['rule']:<30}{rule['rows']:>10}{rule['share']:>10.3%}{rule['own_rows']:>10}" for rule in sorted(fired, key=lambda r: -r["rows"])]
        lines += ["'alone': rows that no other rule rejects.", ""]
    for benchmark in content["benchmarks"]:
        lines.append(f"{one_line(benchmark['name'])}: {benchmark['items_found']} of {benchmark['items']} items found, in {benchmark['rows']} rows at most.")
    if content["review"] is not None:
        found, cosine = content["review"]["rows"], content["review"]["cosine"]
        lines.append(f"To look at: {found} rows that passed have a cosine of {cosine:g} or more to an item. The report lists the nearest as `review`.")
    diversity = content["diversity"]
    shown = [f"{name} {diversity[name]:.3g}" for name in ("distinct_2", "compression_ratio", "self_bleu", "vendi") if name in diversity]
    if shown:
        lines.append(f"Kept prompts ({diversity['prompts']} measured): {', '.join(shown)}.")
    lines += [one_line(note, 300) for note in content["notes"]]
    lines.append(f"Time: {content['seconds']['all']:.0f} s. Memory: {content['peak_memory_mb']} MB at most.")
    for limit in content["fail_on"]:
        verdict = "EXCEEDED" if limit["exceeded"] else "kept"
        lines.append(f"--fail-on {limit['name']}={limit['most']:g}: {verdict}, {limit['share']:.3%} of rows.")
    return lines


def _rules(screened: Screened, bits: "np.ndarray[Any, np.dtype[np.uint64]]") -> list[dict[str, Any]]:
    """Every rule that was applied, those that found nothing too."""
    listed: list[dict[str, Any]] = []
    for name, (description, source) in (ROW_RULES | CONTAMINATION_RULES | NEAR_DUPLICATE_RULES).items():
        rows = own = 0
        if name in screened.names:
            bit = np.uint64(1 << screened.names.index(name))
            rows, own = int(np.count_nonzero(bits & bit)), int(np.count_nonzero(bits == bit))
        share = {"share": rows / screened.rows, "own_share": own / screened.rows}
        listed.append({"rule": name, "description": description, "source": source, "rows": rows, "own_rows": own, **share})
    return listed


def _overlaps(screened: Screened, bits: "np.ndarray[Any, np.dtype[np.uint64]]") -> list[dict[str, Any]]:
    """Rows that two rules both reject, the most first."""
    several = bits[np.bitwise_count(bits) > 1]
    pairs: list[dict[str, Any]] = []
    for (one, name), (other, second) in combinations(enumerate(screened.names), 2):
        both = np.uint64((1 << one) | (1 << other))
        rows = int(np.count_nonzero((several & both) == both))
        if rows:
            pairs.append({"rules": [name, second], "rows": rows})
    return sorted(pairs, key=lambda pair: -pair["rows"])[:_PAIRS]


def _benchmark(benchmark: Benchmark, screened: Screened) -> dict[str, Any]:
    by_rule = {rule: rows for (name, rule), rows in screened.hits.items() if name == benchmark.name}
    return {
        "name": benchmark.name,
        "sha256": benchmark.digest,
        "columns": benchmark.columns,
        "items": len({item.item_id for item in benchmark.items}),
        "items_found": len(screened.items[benchmark.name]),
        "rows": sum(by_rule.values()),
        "rows_by_rule": by_rule,
    }


def _review(gates: Gates, screened: Screened) -> dict[str, Any] | None:
    """Rows that passed and whose prompt is near to an item's in meaning, the nearest first; None where they were not looked for."""
    if gates.similar is None:
        return None
    nearest = [
        {"line": -line, "cosine": round(cosine, 4), "benchmark": benchmark, "item_id": item, "item": text}
        for cosine, line, benchmark, item, text in sorted(screened.review, reverse=True)
    ]
    return {"cosine": gates.settings.decontamination.review_cosine, "rows": screened.review_rows, "nearest": nearest}


def _reward(screened: Screened) -> dict[str, float] | None:
    """Quantiles of the reward of the rows that passed rules and decontamination."""
    if not len(screened.rewards):
        return None
    return {f"p{round(100 * q)}": float(np.quantile(screened.rewards, q)) for q in _QUANTILES}


def _limit(limit: Limit, screened: Screened, bits: "np.ndarray[Any, np.dtype[np.uint64]]") -> dict[str, Any]:
    if limit.name == "bad_lines":
        share = screened.bad_lines / (screened.rows + screened.bad_lines)
    else:
        counted = np.uint64(sum(1 << screened.names.index(rule) for rule in limit.rules(screened.names)))
        share = int(np.count_nonzero(bits & counted)) / screened.rows
    return {"name": limit.name, "most": limit.most, "share": share, "exceeded": share > limit.most}


def _peak_memory() -> int:
    """Megabytes that this process, and the largest of its children, held at most; the system counts in kB, macOS in bytes."""
    unit = 1_000_000 if sys.platform == "darwin" else 1_000
    return round(sum(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / unit)
