"""The quality report: one HTML file that says what became of all candidates, what the gates did, and shows rows of both sides.

Figures come from the marts of the dbt project, samples from the stages' tables, all through one `query` function, so that the page can be made from
any connection. Invariant: the page is complete in itself and runs nothing. Every text is escaped, and its Content-Security-Policy forbids
scripts and requests of any kind, whatever a model wrote.
"""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from synth_assets.accounts import Outcome, Row
from synth_assets.errors import StageFailed
from synth_assets.plots.histogram import histogram
from synth_assets.plots.rank_frequency import rank_frequency
from synth_assets.plots.svg import Sheet
from synth_assets.quality.diversity import ngram_counts
from synth_assets.quality.findings import one_line
from synth_assets.quality.words import words
from synth_assets.schemas import STAGES

__all__ = ["MARTS", "Query", "ReportData", "Sample", "collect", "of_release", "render", "write"]

Query = Callable[[str, Sequence[Any]], list[Row]]
"""Rows of a `select`, given its text and the values of its `?`."""

MARTS = (
    *("funnel", "gate_results", "rejections_by_rule", "diversity_history", "topic_cells", "topic_coverage", "contamination", "mix_composition"),
    "teacher_cost",
)
"""The tables of the schema `quality` that the report reads."""

TEMPLATE = files("synth_assets.release") / "quality_report.html.j2"

MEASURES = {
    "distinct_2_of_100": "Different word 2-grams by all, within a hundred prompts; higher is more varied.",
    "entropy_2": "Entropy of the word 2-grams, in bits.",
    "self_bleu": "Mean BLEU of a prompt against all others; lower is more varied.",
    "compression_ratio": "Bytes by zlib's bytes; lower is more varied.",
    "vendi": "Effective number of different prompts, of at most 1,000, by embeddings.",
    "verb_noun_pairs": "Different pairs of root verb and object in at most 1,000 prompts, where a parser is installed.",
    "nearest_cosine_mean": "Mean cosine of a prompt to its nearest neighbour; lower is more varied.",
    "topic_entropy": "Spread of the rows over the declared topics, 1 when even.",
    "mean_words": "Mean words of a prompt.",
    "mean_response_words": "Mean words of an answer.",
    "reward_mean": "Mean reward percentile.",
}
"""Metrics of the history that the report shows for `filtered`, with their meaning."""

LONGEST = 1200
"""Characters shown of one text."""

_TEXTS = ("instruction", "input", "prompt", "thinking", "response", "chosen", "rejected", "text")
"""Columns of a candidate that people read, in the order in which they are shown."""


@dataclass(frozen=True)
class Sample:
    """One row as a reader sees it."""

    domain: str
    label: str
    """Kind of a kept row, stage of a rejected one."""
    row_id: str
    texts: Mapping[str, str]
    """Its texts by column name, none of them empty."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Further values by name."""
    reasons: Sequence[Row] = ()
    """Of a rejected row: rule, score and evidence of every rule that it broke."""


@dataclass(frozen=True)
class ReportData:
    """All that the page shows; rows have the columns of the mart of the same name."""

    as_of: str | None
    """When the newest slice was materialized, ISO 8601; None for an empty warehouse."""
    release: str | None
    """Version of the last release."""
    funnel: Sequence[Row]
    """With `checks`: whether the blocking checks of the slice passed, None while they have not run."""
    rejections_by_rule: Sequence[Row]
    topic_cells: Sequence[Row]
    topic_coverage: Sequence[Row]
    contamination: Sequence[Row]
    mix_composition: Sequence[Row]
    teacher_cost: Sequence[Row]
    kept: Sequence[Sample]
    rejected: Sequence[Sample]
    gate_results: Sequence[Row] = ()
    diversity: Sequence[Row] = ()
    """The newest measures of `filtered`: domain, metric, value, baseline and change."""
    plots: Mapping[str, Sequence[Sheet]] = field(default_factory=dict)
    """Pictures by domain."""

    @property
    def key_numbers(self) -> dict[str, int | float | None]:
        """The few numbers that stand for the whole; dollars are None where no price is known."""
        costs = [row["cost_usd"] for row in self.teacher_cost if row["cost_usd"] is not None]
        return {
            "domains": len({row["domain"] for row in self.funnel}),
            "mixed_rows": sum(row["rows"] for row in self.mix_composition),
            "released_rows": sum(row["released_rows"] for row in self.mix_composition),
            "rejected_candidates": sum(row["rejected"] for row in self.funnel),
            "failed_slices": sum(row["checks"] is False for row in self.funnel),
            "warnings": sum(row["result"] == "warned" for row in self.gate_results),
            "contamination_hits": sum(row["hits"] for row in self.contamination if row["rule"] != "similar"),
            "teacher_calls": round(sum(row["calls"] for row in self.teacher_cost)),
            "cost_usd": sum(costs) if costs else None,
        }


def collect(query: Query, *, kept_samples: int = 3, rejected_samples: int = 1) -> ReportData:
    """Read the report's data; the marts must have been built.

    Args:
        query: Reads the warehouse. All reads should see one state.
        kept_samples: Rows of filtered per domain and kind.
        rejected_samples: Candidates per domain, stage and rule. Both are drawn by a hash of the id: the same rows give the same sample.
    """
    newest = query("select max(materialized_at) as at from synth.stage_history", [])
    released = query("select max(version) as version from synth.release", [])
    return ReportData(
        as_of=newest[0]["at"],
        release=released[0]["version"],
        funnel=query(_FUNNEL, []),
        rejections_by_rule=query("select * from quality.rejections_by_rule order by domain, stage, rows desc, rule", []),
        topic_cells=query("select * from quality.topic_cells order by domain, is_declared desc, topic", []),
        topic_coverage=query("select * from quality.topic_coverage order by domain, stage", []),
        contamination=query("select * from quality.contamination order by domain, stage, hits desc, benchmark, rule, part", []),
        mix_composition=query("select * from quality.mix_composition order by domain, kind, rows desc, origin, source, license", []),
        teacher_cost=query("select * from quality.teacher_cost order by domain = '', domain, stage", []),
        kept=[_kept(row) for row in query(_KEPT, [kept_samples])],
        rejected=_rejected(query(_REJECTED, [rejected_samples])),
        gate_results=query("select * from quality.gate_results order by domain = '', domain, position, result = 'passed', result, check_name", []),
        diversity=query(_DIVERSITY, [list(MEASURES)]),
        plots=_plots(query),
    )


def of_release(data: ReportData, version: str, outcomes: Mapping[str, Outcome]) -> ReportData:
    """The report that goes with a release: `data` as it was before, with the release's own account in the place of an earlier one's."""
    own = [
        {
            "domain": domain,
            "stage": "release",
            "position": len(STAGES) + 1,
            "planned": outcome.planned,
            "candidates": outcome.candidates,
            "kept": len(outcome.kept),
            "rejected": len(outcome.rejected_ids),
            "surplus": len(outcome.surplus),
            "checks": None,
            "yield": len(outcome.kept) / outcome.planned if outcome.planned else None,
        }
        for domain, outcome in outcomes.items()
    ]
    funnel = sorted([*(row for row in data.funnel if row["stage"] != "release"), *own], key=lambda row: (row["domain"], row["position"]))
    place = ("domain", "kind", "origin", "source", "license")
    released = Counter(tuple(row[name] for name in place) for outcome in outcomes.values() for row in outcome.kept)
    mix = [{**row, "released_rows": released[tuple(row[name] for name in place)]} for row in data.mix_composition]
    return replace(data, release=version, funnel=funnel, mix_composition=mix)


def render(data: ReportData) -> str:
    """The page."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"count": _count, "share": _share, "dollars": _dollars, "cut": _cut, "number": _number, "wording": _wording, "moment": _moment}
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(data=data, measures=MEASURES)


def write(path: Path, html: str) -> None:
    """Put the page at `path`, so that a reader finds the old page or the new one, never half of one."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(html, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise StageFailed(f"{path} could not be written: {error}. The page from before stands: make room, or mend the permissions, and run again.") from error
    finally:
        unfinished.unlink(missing_ok=True)


_FUNNEL = """
    with newest as (
        select domain, stage, passed from synth.stage_history
        qualify row_number() over (partition by domain, stage order by materialized_at desc) = 1
    )
    select funnel.*, newest.passed as checks from quality.funnel
    -- what is not partitioned is materialized under no domain
    left join newest on newest.stage = funnel.stage and newest.domain = if(funnel.stage = 'release', '', funnel.domain)
    order by funnel.domain, funnel.position
"""

_DIVERSITY = """
    select domain, metric, value, baseline, change from quality.diversity_history
    where stage = 'filtered' and list_contains(?, metric)
    qualify row_number() over (partition by domain, metric order by materialized_at desc) = 1
    order by domain
"""

_KEPT = """
    select id, domain, kind, topic, method, model, reward, prompt, response, rejected from synth.filtered
    qualify row_number() over (partition by domain, kind order by md5(id)) <= ?
    order by domain, kind, md5(id)
"""

# Candidates are chosen by their keys alone: their JSON is read for the chosen ones only.
_REJECTED = """
    with candidates as (
        select domain, stage, row_id, min(rule) as first_rule from synth.rejections group by domain, stage, row_id
    ), chosen as (
        select * from candidates
        qualify row_number() over (partition by domain, stage, first_rule order by md5(row_id)) <= ?
    )
    select domain, stage, row_id, rule, score, evidence, "row" as candidate
    from chosen join synth.rejections using (domain, stage, row_id)
    order by domain, stage, first_rule, md5(row_id), rule
"""


def _plots(query: Query) -> dict[str, list[Sheet]]:
    """Rewards, similarities and n-grams of what passed the gates, by domain."""
    plots: dict[str, list[Sheet]] = {}
    for row in query("select domain, list(reward) as rewards, list(rouge_l) as nearest, list(prompt) as prompts from synth.filtered group by domain", []):
        grams = ngram_counts([words(prompt) for prompt in row["prompts"]], 2)[1]
        plots[row["domain"]] = [
            histogram("Kept rows by reward", row["rewards"], axis="percentile of the domain's reference responses"),
            histogram("Prompts by similarity to the nearest kept one", row["nearest"], axis="ROUGE-L F"),
            rank_frequency("Word 2-grams of prompts, occurrences by rank", grams.tolist()),
        ]
    return plots


def _kept(row: Row) -> Sample:
    facts = {name: row[name] for name in ("topic", "method", "model")} | {"reward": f"{row['reward']:.2f}"}
    return Sample(row["domain"], row["kind"], row["id"], _texts(row), facts)


def _rejected(rows: Sequence[Row]) -> list[Sample]:
    """One sample per candidate from its rows of `rejections`, in their order."""
    grouped: defaultdict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        grouped[row["domain"], row["stage"], row["row_id"]].append(row)
    return [Sample(domain, stage, row_id, _texts(json.loads(found[0]["candidate"])), reasons=found) for (domain, stage, row_id), found in grouped.items()]


def _texts(row: Mapping[str, Any]) -> dict[str, str]:
    # The JSON of a candidate may escape half of a surrogate pair, which no file can hold.
    return {name: row[name].encode(errors="replace").decode() for name in _TEXTS if isinstance(row.get(name), str) and row[name].strip()}


def _count(value: float) -> str:
    """A number of things, with thousands apart; shared calls may leave a fraction."""
    return f"{value:,.0f}" if float(value).is_integer() or value >= 100 else f"{value:,.1f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _dollars(value: float | None) -> str:
    """Four digits behind the point, since one call of a small model costs less than a cent."""
    return "unknown" if value is None else f"${value:,.4f}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{round(value, 9):.3g}"


def _wording(expected: str) -> str:
    """An expectation of Great Expectations in fewer words: what is looked at and its bounds, a long list of values cut."""
    kind, _, given = expected.partition(": ")
    if not kind.startswith("expect_"):
        return expected
    said = given.removeprefix("column ").replace("_", " ").replace("min value", "at least").replace("max value", "at most").replace("value set", "one of")
    return one_line(said, 160)


def _moment(instant: str) -> str:
    """An ISO 8601 instant to the minute."""
    return f"{instant[:10]} {instant[11:16]} UTC" if instant[10:11] == "T" else instant


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text) - LONGEST:,} more characters)"
