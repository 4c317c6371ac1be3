"""The dataset card of a release: what is in it, where it comes from, what was checked, and what that does not show.

Every figure is from `Facts`. Texts of users and models come into the page only through `escaped`, which the template applies to every value by
itself, so that a title or a model's name can neither break a table nor bring in markup.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from synth_assets.accounts import Row
from synth_assets.conversations import approximate_tokens
from synth_assets.quality.findings import one_line
from synth_assets.release.export import data_files, tables
from synth_assets.release.facts import Facts, achieved
from synth_assets.release.recipe import FOLDER
from synth_assets.release.selection import HELD_OUT, KINDS, ROUGE_L, SPLITS
from synth_assets.teacher.terms import terms_of

__all__ = ["CURATED", "SMALL_TEACHER", "escaped", "front_matter", "render"]

CURATED = "curated"
"""Source and licence of the real rows that come with the demonstration domains."""

SMALL_TEACHER = "smollm2-135m"
"""What the embedded teacher's name contains, in lower case."""

_LONGEST = 400
_MARKUP = {ord(c): f"\\{c}" for c in "\\`*_{}[]<>|#~$&!"}
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"), (10_000_000, "1M<n<10M"))
_HUB_LICENSES = {"apache-2.0", "mit", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "odc-by", "openrail"}
_COSTS = {"calls", "input_tokens", "output_tokens", "cost_usd", "unknown_calls", "unknown_usd", "cost_per_kept_row_usd"}
_ACCOUNT = {"planned", "kept", "rejected", "surplus", "yield", *_COSTS}
"""Metrics that the card shows elsewhere."""


def render(facts: Facts, *, with_report: bool = False) -> str:
    """`README.md`: Markdown with the YAML front matter from which `datasets.load_dataset(folder, "sft")` finds its files.

    `with_report` says whether the quality report goes with the release.
    """
    environment = Environment(  # noqa: S701 - the page is Markdown: `finalize` escapes for it
        finalize=lambda value: value if isinstance(value, Markup) else escaped(value),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    template = environment.from_string((files("synth_assets.release") / "card.md.j2").read_text(encoding="utf-8"))
    rows = facts.rows
    return template.render(
        front_matter=Markup(front_matter(facts)),  # noqa: S704 - YAML, quoted by its own writer
        facts=facts,
        kinds=[kind for kind in KINDS if any(row["kind"] == kind for row in rows)],
        row_count=len(rows),
        splits=[(kind, split, len(group)) for (kind, split), group in tables(rows).items()],
        held_out=HELD_OUT,
        rouge_l=ROUGE_L,
        mix=_shares(rows, "kind", "domain", "origin"),
        methods=_shares(rows, "domain", "kind", "method"),
        licenses=_shares(rows, "source", "license", "origin"),
        curated=sum(CURATED in (row["source"], row["license"]) for row in rows),
        seed_sources=[(*place, n) for place, n in facts.seed_sources.items()],
        shares=[
            (name, kind, domain.mix.synthetic_share, found["rows"], found["tokens"])
            for name, domain in facts.domains.items()
            for kind in KINDS
            if (found := achieved(facts.outcomes[name].kept, kind))
        ],
        recipe=FOLDER,
        with_report=with_report,
        terms=terms_of,
        small_teachers=[model for model in facts.teachers if SMALL_TEACHER in model.lower()],
        warned=[name for name, domain in facts.domains.items() if domain.gates.quality == "warn"],
        figures=_figures(facts.source.history),
        reviews=_reviews(facts.source.reviews),
        cost=_cost(facts.source.costs),
    )


def front_matter(facts: Facts) -> str:
    """The card's YAML, which names the Parquet files of every kind and split that is not empty."""
    present = list(tables(facts.rows))
    found = sorted({one_line(license_).lower() for license_ in (*(row["license"] for row in facts.rows), *(place[1] for place in facts.seed_sources))})
    known = set(found) <= _HUB_LICENSES
    count = len(facts.rows)
    data: dict[str, Any] = {
        "pretty_name": one_line(f"Synthetic training data: {', '.join(domain.title for domain in facts.domains.values())}", _LONGEST),
        "language": sorted({row["language"] for row in facts.rows}),
        **({"license": found} if known else {"license": "other", "license_name": "several, see the card"}),
        "task_categories": ["text-generation"],
        "tags": ["synthetic"],
        "size_categories": [next((name for limit, name in _SIZES if count < limit), "n>10M")],
        "configs": [
            {
                "config_name": kind,
                **({"default": True} if kind == present[0][0] else {}),
                "data_files": [{"split": split, "path": data_files(kind, split)} for split in SPLITS if (kind, split) in present],
            }
            for kind in KINDS
            if any(kind == k for k, _ in present)
        ],
    }
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=10_000)


def escaped(value: object) -> str:
    """A value as Markdown that shows it and does nothing else: one line, at most 400 characters, markup of Markdown and HTML escaped."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    text = one_line(str(value), _LONGEST).translate(_MARKUP)
    # At the beginning of a line these begin lists, headings and rules.
    return f"\\{text}" if text[:1] in {"+", "-", "="} else text


def _shares(rows: Sequence[Row], *names: str) -> list[dict[str, Any]]:
    """Rows, their share and approximate tokens for every combination of the columns `names`, sorted. Shares are of the first column where that is
    the kind, else of all rows.
    """
    counts: Counter[tuple[str, ...]] = Counter()
    tokens: Counter[tuple[str, ...]] = Counter()
    for row in rows:
        key = tuple(str(row[name]) for name in names)
        counts[key] += 1
        tokens[key] += approximate_tokens(row)
    whole: Counter[str] = Counter(row["kind"] for row in rows) if names[0] == "kind" else Counter()
    return [{"cells": key, "rows": n, "share": f"{n / (whole[key[0]] or len(rows)):.1%}", "tokens": tokens[key]} for key, n in sorted(counts.items())]


def _figures(history: Iterable[Row]) -> list[tuple[str, str, str, float]]:
    """(domain, stage, figure, value) of every metric that is no part of an account."""
    return [(row["domain"], row["stage"], name, value) for row in history for name, value in sorted(row["metrics"].items()) if name not in _ACCOUNT]


def _reviews(reviews: Iterable[Row]) -> list[tuple[str, str, int, int, str]]:
    """(domain, purpose, sampled rows, rows that somebody read, verdicts) of the spot check."""
    found: defaultdict[tuple[str, str], dict[str | None, int]] = defaultdict(dict)
    for row in reviews:
        found[row["domain"], row["purpose"]][row["verdict"]] = row["row_count"]
    return [
        (*place, sum(verdicts.values()), sum(n for v, n in verdicts.items() if v), ", ".join(f"{v}: {n}" for v, n in verdicts.items() if v) or "none")
        for place, verdicts in found.items()
    ]


def _cost(costs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The calls of all models together; dollars are those of the calls whose price is known."""
    priced = [row["cost_usd"] for row in costs if row["cost_usd"] is not None]
    return {
        "calls": sum(row["calls"] for row in costs),
        "unpriced": sum(row["unpriced"] for row in costs),
        "cost_usd": f"{sum(priced):.4f}" if priced else None,
    }
