"""What an earlier run of a domain used: per method and per step of it, calls and tokens, and how many candidates were accepted.

Read from the rows that stand in the warehouse and the calls behind them; a domain that never ran has no past. Rates and averages only:
how much a run wants follows from its settings, which may have changed since.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from synth_assets.warehouse import Warehouse

__all__ = ["JUDGE", "JUDGED_PAIR", "JUDGED_ROW", "STAGES", "Method", "Past", "Step", "past_of", "seconds_per_token"]

STAGES = ("generated_instructions", "evolved_instructions", "teacher_responses", "preference_pairs")
"""The stages whose methods ask the teacher, in the order of the graph."""

JUDGE, JUDGED_ROW, JUDGED_PAIR = "judge", 1, 2
"""The reward model's own name among the methods, where it is a judge, and its steps: one answer, and a pair."""


@dataclass(frozen=True)
class Step:
    """One kind of request of a method, such as the judge's of Evol-Instruct."""

    calls: int
    """Distinct ones."""
    tries: float
    """Paid tries per call: above 1 where replies were malformed."""
    read: float
    """Input tokens per try."""
    written: float
    """Output tokens per try."""


@dataclass(frozen=True)
class Method:
    """One method in one stage."""

    candidates: int = 0
    accepted: int = 0
    """Kept and surplus."""
    steps: Mapping[int, Step] = field(default_factory=dict)
    """By place among the calls behind a candidate, from 1."""

    @property
    def rate(self) -> float:
        """Accepted candidates of all."""
        return self.accepted / self.candidates if self.candidates else 0.0

    def reached(self, place: int) -> float:
        """Share of the candidates that came as far as this step."""
        return self.steps[place].calls / self.candidates if self.candidates and place in self.steps else 0.0


Past = Mapping[str, Method]
"""By method's name."""


def past_of(warehouse: Warehouse, domain: str) -> Past:
    """What the last run of `domain` used; empty where nothing of it is stored."""
    found: dict[str, Method] = {}
    with warehouse.read():
        for stage in STAGES:
            rows = warehouse.query(_CANDIDATES.format(stage=stage), {"domain": domain, "stage": stage})
            steps = warehouse.query(_STEPS.format(stage=stage), {"domain": domain, "stage": stage})
            for row in rows:
                own = {s["place"]: Step(s["calls"], s["tries"], s["read"], s["written"]) for s in steps if s["method"] == row["method"]}
                if own:
                    found[row["method"]] = Method(row["candidates"], row["accepted"], own)
        judged = {row["place"]: Step(row["calls"], row["tries"], row["read"], row["written"]) for row in warehouse.query(_JUDGED, {"domain": domain})}
    return found | ({JUDGE: Method(steps=judged)} if judged else {})


def seconds_per_token(warehouse: Warehouse, model: str) -> float | None:
    """Seconds per output token of one call among the others of its run; None where `model` never answered."""
    query = "select sum(latency_ms) / 1000 / nullif(sum(output_tokens), 0) as pace from synth.teacher_calls where model = ?"
    (row,) = warehouse.query(query, [model])
    return row["pace"]  # type: ignore[no-any-return]


_MADE = """
with stored as (
    select id as row_id, method, call_keys, true as accepted from synth.{stage} where domain = $domain
    union all
    select row_id, any_value(row->>'$.method'), any_value(try_cast(row->'$.call_keys' as varchar[])), false
    from synth.rejections where domain = $domain and stage = $stage group by row_id
    union all
    select row_id, row->>'$.method', try_cast(row->'$.call_keys' as varchar[]), true from synth.surplus where domain = $domain and stage = $stage
),
used as (select distinct key, row_id from synth.call_uses where domain = $domain and stage = $stage),
made as (select * from stored where row_id in (select row_id from used)),
paid as (select key, count(*) as tries, sum(input_tokens) as read, sum(output_tokens) as written from synth.teacher_calls group by key)
"""
_EACH = """count(*) as calls, (sum(tries) / count(*))::double as tries,
    (sum(read) / sum(tries))::double as read, (sum(written) / sum(tries))::double as written"""
_CANDIDATES = f"{_MADE} select method, count(*) as candidates, count(*) filter (where accepted) as accepted from made group by 1"  # noqa: S608 - constants
_PLACED = """
placed as (
    -- A call that is not among the row's own is a judge's.
    select distinct m.method, u.key, coalesce(list_position(m.call_keys, u.key), if(len(m.call_keys) > 0, 0, 1)) as place from used u join made m using (row_id)
)
"""
_STEPS = f"{_MADE}, {_PLACED} select method, place, {_EACH} from placed join paid using (key) where place > 0 group by 1, 2"  # noqa: S608 - constants
_JUDGED = f"""
{_MADE.format(stage="preference_pairs").replace("$stage", "'preference_pairs'")}, {_PLACED},
judged as (
    select distinct key, {JUDGED_PAIR} as place from placed where place = 0
    union select distinct key, {JUDGED_ROW} from synth.call_uses where domain = $domain and stage = 'filtered'
)
select place, {_EACH} from judged join paid using (key) group by 1
"""  # noqa: S608 - constants
