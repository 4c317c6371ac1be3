"""The forecast's interval: it holds for every mixture of replies, from every point at which a run was broken off, and is nothing at its end."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_assets.accounts import Outcome
from synth_assets.cli import main
from synth_assets.config import Domain
from synth_assets.conversations import prompt_of
from synth_assets.domain_files import LoadedDomain, load_domain, shipped_folder
from synth_assets.errors import BudgetExceeded
from synth_assets.forecast.answers import kept_of
from synth_assets.forecast.domain import DomainForecast, Terms, Use, forecast
from synth_assets.forecast.estimate import require_budget
from synth_assets.forecast.instructions import expected_attempts
from synth_assets.forecast.interval import Interval
from synth_assets.forecast.known import Known
from synth_assets.forecast.past import STAGES, Method, Past, Step
from synth_assets.forecast.sizes import filler
from synth_assets.home import Home
from synth_assets.identity import digest
from synth_assets.methods import best_of_n, constitutional, distillation, evol_instruct, magpie, reasoning, self_instruct, verified_pairs
from synth_assets.methods import seeds as seeds_method
from synth_assets.methods.instruction_pool import InstructionPool
from synth_assets.methods.judge import Judge
from synth_assets.methods.scoring import Calibrated, Direct, score_pairs
from synth_assets.prompts import load
from synth_assets.quality.gates import candidates
from synth_assets.records import SeedRecord
from synth_assets.teacher.messages import Plan, Profile, Reply, Request
from synth_assets.teacher.prices import LEAST_BUDGET, Price
from synth_assets_tests.methods.driving import LARGE, SEEDS, SMALL, TOPICS, make_domain

RATED = ("Instruction following", "Truthfulness", "Honesty", "Helpfulness")
ASKING = (*STAGES, "filtered")
PRICE = Price(3.0, 15.0)
TERMS = Terms(PRICE)
METHODS: dict[str, dict[str, Any]] = {
    "self_instruct": {"target": 3, "batch": 2, "human_examples": 2, "machine_examples": 1, "max_tokens": 60},
    "magpie": {"target": 2, "batch": 2, "max_tokens": 30},
    "evol_instruct": {"rounds": 2, "roots": 5, "max_tokens": 80},
    "reasoning": {"samples": 2, "keep": 2, "max_tokens": 100},
    "constitutional": {"pairs": 4, "rounds": 2, "max_tokens": 90},
    "best_of_n": {"pairs": 3, "samples": 3, "max_tokens": 70},
    "distillation": {"max_tokens": 100, "style": "orca"},
}


def loaded(language: str = "en", **changes: dict[str, Any]) -> LoadedDomain:
    domain = make_domain(language, **{name: METHODS[name] | changes.get(name, {}) for name in METHODS})
    topics = list(TOPICS[language])
    records = [
        SeedRecord(topic=topics[n % 3], instruction=text, response=text * 2, answer="7" if n % 3 == 0 else None) for n, text in enumerate(SEEDS[language])
    ]
    return LoadedDomain(domain, Path(), list(enumerate(records, start=1)), [], {}, "")


def judged(found: LoadedDomain) -> LoadedDomain:
    """The same domain with the teacher as its reward model."""
    gates = found.config.gates
    config = found.config.model_copy(update={"gates": gates.model_copy(update={"reward": gates.reward.model_copy(update={"by": "judge"})})})
    return LoadedDomain(config, found.folder, found.seeds, found.curated, found.benchmarks, found.digest)


class World:
    """A teacher that answers by `style`, and what it was paid for: the run is broken off after `most` calls. Of revisions every third is hardly one."""

    def __init__(self, style: str, most: int = 1 << 30) -> None:
        self.style = style
        self.most = most
        self.paid: dict[Request, Reply] = {}
        self.used: dict[str, list[Request]] = {stage: [] for stage in ASKING}
        self.compared: dict[tuple[str, str], float] = {}

    def similarity(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """What a run computes, and then finds again."""
        self.compared |= {pair: 0.99 if int(digest(list(pair))[:6], 16) % 3 == 0 else 0.5 for pair in pairs}
        return [self.compared[pair] for pair in pairs]

    def known_similarity(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        """What is found without computing anything."""
        return [self.compared.get(pair) for pair in pairs]

    def reply(self, request: Request, stage: str) -> Reply:
        if request not in self.paid:
            if len(self.paid) >= self.most:
                raise KeyboardInterrupt
            self.used[stage].append(request)
            self.paid[request] = self._answer(request)
        return self.paid[request]

    def known(self) -> Known:
        return Known(lambda requests: [self.paid.get(request) for request in requests], empty=not self.paid)

    def _answer(self, request: Request) -> Reply:
        key = digest(request.body())
        number = int(key[:6], 16)
        style = self.style if self.style != "mixed" else ("good", "refused", "cut", "good", "wordless")[number % 5]
        stop = {"refused": "refusal", "cut": "max_tokens"}.get(style, "end_turn")
        text = {"refused": "", "wordless": "ok"}.get(style, f"Tell how item {number % 997} of row {number % 89} was made, and by whom exactly {number}.")
        if style == "good" and request.max_tokens == evol_instruct.JUDGE_TOKENS:
            text = "Not equal"
        if style == "good" and "Honesty" in "".join([request.system, *(m.content for m in request.messages)]):
            text = "\n".join(f"{letter}{name}: {number % 5 + 1}" for letter in ("", "A ", "B ") for name in RATED)
        traced = request.thinks or any("<think>" in part for part in (request.system, *(message.content for message in request.messages)))
        if style in {"good", "lengthy"} and traced:
            return self._trace(request, key, f"Seven, since {number}." if style == "good" else filler(request.max_tokens - 40, number))
        return Reply(key, text, stop, "teacher")

    def _trace(self, request: Request, key: str, thinking: str) -> Reply:
        """A trace in the form that was asked for: in blocks of the API's, in two steps, or all at once."""
        answer = "Answer: 7"
        if self.style == "lengthy" and request.messages[-1].role == "assistant":
            answer = f"{thinking}\n{answer}"
        if request.thinks:
            return Reply(key, answer, "end_turn", "teacher", thinking + " again" * (LEAST_BUDGET // 6) * (self.style == "lengthy"))
        if request.stop:
            return Reply(key, thinking, "stop_sequence", "teacher")
        if request.messages[-1].role == "assistant":
            return Reply(key, answer, "end_turn", "teacher")
        return Reply(key, f"<think>\n{thinking}\n</think>\n{answer}", "end_turn", "teacher")

    def run(self, loaded_domain: LoadedDomain, profile: Profile, waves: int = 1) -> dict[str, list[dict[str, Any]]]:
        """All stages, as the assets have them; returns what was kept, by stage and in the order in which it was made."""
        domain = loaded_domain.config
        made = [Outcome() for _ in range(5)]
        seeds_method.seeds(loaded_domain, made[0])
        seeds = self._sorted(made[0].kept)
        pool = InstructionPool(domain.language, seeds)
        judge = Judge(profile, domain.language, 1.0) if domain.gates.reward.by == "judge" else None
        if judge is not None:
            self._drive(judge.score([prompt_of(row) for row in seeds], [row["response"] for row in seeds]), STAGES[3])
        for wave in range(waves):
            before = [len(outcome.kept) for outcome in made]
            self._drive(self_instruct.plan(domain, pool, profile, made[1]), STAGES[0])
            if profile.raw_prompt:
                self._drive(magpie.plan(domain, pool, profile, made[1]), STAGES[0])
            generated = self._sorted(made[1].kept[before[1] :])
            self._drive(evol_instruct.plan(domain, generated if wave else [*seeds, *generated], profile, made[2]), STAGES[1])
            evolved = self._sorted(made[2].kept[before[2] :])
            self._drive(reasoning.plan(domain, [row for row in evolved if row["answer"] is not None], profile, verify, made[3]), STAGES[2])
            self._drive(distillation.plan(domain, [row for row in evolved if row["answer"] is None], profile, made[3]), STAGES[2])
            answered = self._sorted(made[3].kept[before[3] :])
            self._drive(constitutional.plan(domain, answered, profile, self.similarity, made[4]), STAGES[3])
            scorer = judge or Direct("", lambda prompts, texts: np.zeros(len(texts)))
            self._drive(best_of_n.plan(domain, answered, profile, scorer, made[4]), STAGES[3])
            if wave and not generated:
                break
        verified_pairs.verify_pairs(made[3].kept, verify, made[4])
        if judge is not None:
            self._drive(score_pairs(Calibrated(judge, np.array([3.0])), 1, made[4]), STAGES[3])
            rows = candidates(made[3].kept, made[4].kept, made[2].kept, judge.version, 1)
            self._drive(judge.score([row["prompt"] for row in rows], [row["response"] for row in rows]), "filtered")
        return {stage: outcome.kept for stage, outcome in zip(STAGES, made[1:], strict=True)}

    def _drive(self, plan: Plan[Any], stage: str) -> None:
        try:
            batch = next(plan)
            while True:
                batch = plan.send([self.reply(request, stage) for request in batch])
        except StopIteration:
            return

    def _sorted(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return sorted(rows, key=lambda row: str(row["id"]))


def verify(pairs: Any) -> list[str]:
    return ["correct" if gold == said else "wrong" for gold, said in pairs]


def within(found: DomainForecast, used: dict[str, list[Request]], *, tries: int = 1) -> None:
    for stage, requests in used.items():
        use = found.stages.get(stage, Use())
        for tokens in ((1 / 6, 0.0), (0.9, 1.0)):
            read = [tokens[0] * sum(len(t.encode()) for t in (r.system, *(m.content for m in r.messages))) for r in requests for _ in range(tries)]
            written = [tokens[1] * r.max_tokens for r in requests for _ in range(tries)]
            assert use.usd is not None
            usd = sum(PRICE.input * i + PRICE.output * o for i, o in zip(read, written, strict=True)) / 1e6
            for interval, amount in ((use.calls, len(read)), (use.input_tokens, sum(read)), (use.output_tokens, sum(written)), (use.usd, usd)):
                assert interval.low - 1e-9 <= amount <= interval.high + 1e-9, (stage, interval, amount)


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(["good", "mixed", "refused", "cut", "wordless"]),
    st.sampled_from(["en", "zh"]),
    st.sampled_from([LARGE, SMALL]),
    st.booleans(),
    st.sampled_from([1, 3]),
    st.booleans(),
)
def test_the_interval_holds_what_is_used_whatever_the_teacher_answers(
    style: str, language: str, profile: Profile, judge: bool, waves: int, judges_rows: bool
) -> None:
    domain, world = loaded(language, evol_instruct={"judge": judge}), World(style)
    domain = judged(domain) if judges_rows else domain
    found = forecast(domain, profile, TERMS, world.known(), {}, verify, waves, world.known_similarity)
    world.run(domain, profile, waves)
    within(found, world.used)
    within(found, world.used, tries=3)


@settings(max_examples=20, deadline=None)
@given(
    st.sampled_from(["good", "mixed"]), st.sampled_from([LARGE, SMALL]), st.integers(0, 240), st.sampled_from([None, 5]), st.sampled_from([1, 3]), st.booleans()
)
def test_what_is_left_of_a_run_that_was_broken_off_anywhere_is_within_the_interval(
    style: str, profile: Profile, calls: int, roots: int | None, waves: int, judges_rows: bool
) -> None:
    domain, world = loaded(evol_instruct={"roots": roots}), World(style, most=calls)
    domain = judged(domain) if judges_rows else domain
    try:
        world.run(domain, profile, waves)
    except KeyboardInterrupt:
        assert len(world.paid) == calls
    found = forecast(domain, profile, TERMS, world.known(), {}, verify, waves, world.known_similarity)
    world.most, world.used = 1 << 30, {stage: [] for stage in ASKING}
    world.run(domain, profile, waves)
    within(found, world.used)
    again = forecast(domain, profile, TERMS, world.known(), {}, verify, waves, world.known_similarity).use
    assert again.calls == again.output_tokens == again.usd == Interval(0, 0, 0)


@pytest.mark.parametrize("compared", [False, True])
def test_revisions_that_hardly_changed_anything_are_not_forecast_to_be_judged(compared: bool) -> None:
    domain, whole = judged(loaded(constitutional={"pairs": 8, "rounds": 1}, best_of_n={"pairs": 1, "samples": 2})), World("good")
    made = whole.run(domain, LARGE)["preference_pairs"]
    verdicts = [place for place, request in enumerate(whole.paid) if request.system == load("judge_pair", "en").system]
    world = World("good", most=verdicts[0])
    with pytest.raises(KeyboardInterrupt):
        world.run(domain, LARGE)
    assert len([row for row in made if row["method"] == "constitutional"]) < 8
    if not compared:
        world.compared = {}
    found = forecast(domain, LARGE, TERMS, world.known(), {}, verify, 1, world.known_similarity)
    world.most, world.used = 1 << 30, {stage: [] for stage in ASKING}
    world.run(domain, LARGE)
    within(found, world.used)
    asked = len(world.used["preference_pairs"])
    calls = found.stages["preference_pairs"].calls
    assert asked > 0 and (calls.low == asked if compared else calls.low == 0 and asked <= calls.likely <= 2 * 9)


THINKING = Profile("teacher", thinks=True)


def tracing(samples: int = 1, keep: int = 1, max_tokens: int = 2000) -> LoadedDomain:
    """A domain with a judge whose every row is a trace that is judged once."""
    found = loaded()
    methods: dict[str, dict[str, Any]] = {"reasoning": {"samples": samples, "keep": keep, "max_tokens": max_tokens}, "distillation": {"max_tokens": 100}}
    seeds = [(place, record.model_copy(update={"answer": "7"})) for place, record in found.seeds]
    return judged(LoadedDomain(make_domain("en", **methods), Path(), seeds, [], {}, ""))


@pytest.mark.parametrize("profile", [LARGE, SMALL, THINKING])
def test_a_trace_is_judged_with_its_thinking_and_paid_for_once(profile: Profile) -> None:
    domain, world = tracing(), World("lengthy")
    found = forecast(domain, profile, TERMS, world.known(), {}, verify)
    rows = world.run(domain, profile)["teacher_responses"]
    assert len(rows) == len(domain.seeds) and all(len(row["thinking"]) > 1900 for row in rows)
    within(found, world.used)
    within(found, world.used, tries=3)
    assert forecast(domain, profile, TERMS, world.known(), {}, verify).use.calls == Interval(0, 0, 0)


@pytest.mark.parametrize("profile", [LARGE, SMALL, THINKING])
def test_every_kept_trace_of_an_instruction_is_judged(profile: Profile) -> None:
    domain, world = tracing(samples=4, keep=3), World("good")
    found = forecast(domain, profile, TERMS, world.known(), {}, verify)
    rows = world.run(domain, profile)["teacher_responses"]
    assert len(rows) == len(world.used["filtered"]) == 3 * len(domain.seeds)
    within(found, world.used)
    within(found, world.used, tries=3)
    past: Past = {"reasoning": Method(32, 16, {1: Step(32, 1.0, 50.0, 33.0)})}
    likely = forecast(domain, profile, TERMS, World("good").known(), past, verify).stages["filtered"].calls.likely
    assert likely == pytest.approx(8 * kept_of(4, 3, 0.5))


def test_of_an_instruction_as_many_samples_are_kept_as_are_accepted_and_wanted() -> None:
    assert [kept_of(4, keep, 0.5) for keep in (1, 4)] == pytest.approx([15 / 16, 2.0])
    assert [kept_of(4, 3, rate) for rate in (0.0, 1.0)] == [0.0, 3.0]


@pytest.mark.parametrize("style", ["good", "mixed"])
def test_further_waves_add_rows_behind_those_that_are_there_and_change_none(style: str) -> None:
    world = World(style)
    before: dict[str, list[dict[str, Any]]] = {stage: [] for stage in STAGES}
    for waves in (1, 2, 4):
        made = world.run(loaded(self_instruct={"style": "inline", "rouge_l": 1.0}, magpie={"rouge_l": 1.0}), SMALL, waves)
        for stage in STAGES:
            assert [row["id"] for row in made[stage]][: len(before[stage])] == [row["id"] for row in before[stage]], (waves, stage)
        assert len(made[STAGES[0]]) > len(before[STAGES[0]])
        before = made


def test_a_likely_figure_is_that_of_the_earlier_run() -> None:
    past: Past = {
        "distill": Method(10, 9, {1: Step(10, 1.0, 50.0, 33.0)}),
        "evol_instruct": Method(8, 4, {1: Step(8, 1.0, 9, 9), 2: Step(6, 1.0, 9, 2), 3: Step(5, 1.0, 9, 9)}),
    }
    found = forecast(loaded(), LARGE, TERMS, World("good").known(), past, verify)
    assert found.measured and found.stages["evolved_instructions"].calls.likely == pytest.approx(2 * 5 * (1 + 6 / 8 + 5 / 8))


@pytest.mark.parametrize(
    ("wanted", "batch", "limit", "rate", "attempts"),
    [(6, 8, 24, 1.0, 8), (6, 8, 24, 0.0, 24), (5, 8, 15, 0.0, 15), (16, 8, 64, 1.0, 16), (1000, 16, 4000, 0.5, 2000)],
)
def test_attempts_are_those_of_batches_until_enough_is_accepted(wanted: int, batch: int, limit: int, rate: float, attempts: float) -> None:
    assert expected_attempts(wanted, batch, limit, rate) == pytest.approx(attempts, rel=0.01)


def test_a_half_chance_of_a_second_batch_is_half_a_batch() -> None:
    assert expected_attempts(1, 1, 2, 0.5) == pytest.approx(1.5)


def usd(domain: LoadedDomain, terms: Terms, profile: Profile = LARGE) -> Interval:
    found = forecast(domain, profile, terms, World("good").known(), {}, verify).use.usd
    assert found is not None
    return found


def test_a_batch_costs_half_and_a_prompt_cache_widens_the_interval() -> None:
    online = loaded()
    batched = LoadedDomain(online.config.model_copy(update={"mode": "batch"}), Path(), online.seeds, [], {}, "")
    assert usd(batched, TERMS).high == pytest.approx(usd(online, TERMS).high / 2)
    assert usd(online, Terms(PRICE, caches_prompts=True)).low == pytest.approx(usd(online, TERMS).low / 10)


def test_an_unknown_price_is_unknown_and_a_free_server_is_free() -> None:
    assert forecast(loaded(), LARGE, Terms(None), World("good").known(), {}, verify).use.usd is None
    assert usd(loaded(), Terms(Price(0, 0)), SMALL) == Interval(0, 0, 0)


def test_magpie_without_raw_prompts_is_said_and_not_counted() -> None:
    with_it, without = (forecast(loaded(), profile, TERMS, World("good").known(), {}, verify) for profile in (Profile("m", raw_prompt=True), LARGE))
    assert "magpie" in without.notes[0] and not with_it.notes
    assert without.stages["generated_instructions"].calls.high < with_it.stages["generated_instructions"].calls.high


CLAUDE = {"ANTHROPIC_API_KEY": "sk-ant-test-0123456789"}


def shipped(budget: float | None = None) -> LoadedDomain:
    found = load_domain(shipped_folder(), "science")
    config: Domain = found.config.model_copy(update={"budget_usd": budget})
    return LoadedDomain(config, found.folder, found.seeds, found.curated, found.benchmarks, found.digest)


@pytest.mark.parametrize(
    ("env", "budget"), [({}, None), (CLAUDE | {"SYNTH_BUDGET_USD": "1"}, None), (CLAUDE, 2.0), (CLAUDE | {"SYNTH_TEACHER": "embedded"}, None)]
)
def test_a_run_that_is_free_or_has_a_budget_starts(env: dict[str, str], budget: float | None, tmp_path: Path) -> None:
    require_budget(Home(tmp_path / "home"), env, [shipped(budget)])
    assert not (tmp_path / "home").exists()


def test_a_paid_run_without_a_budget_is_told_what_it_costs_and_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(BudgetExceeded) as caught:
        require_budget(Home(tmp_path / "home"), CLAUDE, [shipped()])
    said = str(caught.value)
    assert "science: $0." in said and "Set SYNTH_BUDGET_USD=" in said and "budget_usd in a domain's file" in said
    assert CLAUDE["ANTHROPIC_API_KEY"] not in said and not (tmp_path / "home").exists()
    with pytest.raises(BudgetExceeded, match="Set SYNTH_PRICE_USD_PER_MTOK"):
        require_budget(Home(tmp_path / "home"), CLAUDE | {"SYNTH_TEACHER": "new-model"}, [shipped()])


def test_the_commands_write_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTH_HOME", str(tmp_path / "home"))
    done = CliRunner().invoke(main, ["estimate", "--json", "--domain", "math"])
    found = json.loads(done.output)
    assert list(found["domains"]["math"]["stages"]) == list(STAGES) and found["total"]["calls"]["low"] > 0
    table = CliRunner().invoke(main, ["estimate"]).output
    assert "math" in table and "all" in table and "No earlier run of coding, customer_support, data_analysis, math, science, writing" in " ".join(table.split())
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test-0123456789")
    refused = CliRunner().invoke(main, ["run"])
    assert refused.exit_code == 2 and "What this run is going to cost" in refused.output
    assert "unknown" in CliRunner(env={"SYNTH_TEACHER": "new-model"}).invoke(main, ["estimate"]).output
    assert CliRunner().invoke(main, ["estimate", "--domain", "nowhere"]).exit_code == 2
    assert list(tmp_path.iterdir()) == []
