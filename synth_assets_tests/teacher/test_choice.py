"""Which teacher answers, under which budget."""

import threading
from pathlib import Path

import pytest

from synth_assets.errors import BudgetExceeded, LanguageUnsupported, SynthError, TeacherRefusedAccess
from synth_assets.teacher.budget import Budget
from synth_assets.teacher.choice import Choice, choose, open_teacher
from synth_assets.teacher.terms import EMBEDDED_MODEL, terms_of
from synth_assets_tests.teacher.driving import KEY

CLAUDE = {"ANTHROPIC_API_KEY": KEY}


@pytest.mark.parametrize(
    ("env", "model", "embedded", "paid", "says"),
    [
        ({}, EMBEDDED_MODEL, True, False, "there is no ANTHROPIC_API_KEY"),
        ({"ANTHROPIC_API_KEY": "  "}, EMBEDDED_MODEL, True, False, "no evidence of data quality"),
        (CLAUDE | {"SYNTH_TEACHER": "embedded"}, EMBEDDED_MODEL, True, False, "SYNTH_TEACHER says so"),
        (CLAUDE, "claude-sonnet-5-5", False, True, "$2 in, $10 out per million tokens"),
        ({"ANTHROPIC_AUTH_TOKEN": "t"}, "claude-sonnet-5-5", False, True, "api.anthropic.com"),
        (CLAUDE | {"SYNTH_TEACHER": "claude-haiku-4-5"}, "claude-haiku-4-5", False, True, "claude-haiku-4-5"),
        (CLAUDE | {"SYNTH_TEACHER": "new-model"}, "new-model", False, True, "its price is unknown"),
        ({"ANTHROPIC_BASE_URL": "http://localhost:8000/", "SYNTH_TEACHER": "qwen"}, "qwen", False, False, "$0 in"),
        ({"ANTHROPIC_BASE_URL": "http://me:secret@localhost:8000/", "SYNTH_TEACHER": "qwen"}, "qwen", False, False, "at http://localhost:8000 ("),
    ],
)
def test_the_environment_decides_and_it_is_said(env: dict[str, str], model: str, embedded: bool, paid: bool, says: str) -> None:
    choice = choose(env)
    assert (choice.model, choice.embedded, choice.paid) == (model, embedded, paid)
    assert says in choice.announcement
    assert KEY not in choice.announcement
    assert isinstance(choice, Choice)


def test_only_the_embedded_model_refuses_a_language_and_names_the_remedy() -> None:
    choose({}).check_language("math", "en")
    choose(CLAUDE).check_language("zh_daily", "zh")
    choose({"ANTHROPIC_BASE_URL": "http://localhost:8000", "SYNTH_TEACHER": "qwen"}).check_language("zh_daily", "zh")
    with pytest.raises(
        LanguageUnsupported, match=r"zh_daily is written in Chinese \(language: zh\).*Set ANTHROPIC_API_KEY and SYNTH_BUDGET_USD.*SYNTH_TEACHER"
    ):
        choose(CLAUDE | {"SYNTH_TEACHER": "embedded"}).check_language("zh_daily", "zh")


@pytest.mark.parametrize(
    ("env", "says"),
    [
        ({"SYNTH_TEACHER": "claude-sonnet-4-5"}, "needs a key: set ANTHROPIC_API_KEY, or SYNTH_TEACHER=embedded"),
        ({"ANTHROPIC_BASE_URL": "https://gateway.example.com"}, "https://gateway.example.com needs a key"),
        ({"ANTHROPIC_BASE_URL": "localhost:8000"}, "is no address"),
        ({"ANTHROPIC_BASE_URL": "https://"}, "is no address"),
        ({"ANTHROPIC_BASE_URL": "http://[::1"}, "is no address"),
        ({"ANTHROPIC_API_KEY": "sk-ant with space"}, "no header can carry"),
        ({"ANTHROPIC_API_KEY": "sk-ant-\u201cquoted\u201d"}, "no header can carry"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_asked(env: dict[str, str], says: str) -> None:
    with pytest.raises(TeacherRefusedAccess) as caught:
        choose(env)
    assert says in str(caught.value)
    assert not any(value in str(caught.value) for name, value in env.items() if name == "ANTHROPIC_API_KEY")


@pytest.mark.parametrize(
    ("env", "says"),
    [
        (CLAUDE, "does not start without a budget: set SYNTH_BUDGET_USD"),
        (CLAUDE | {"SYNTH_TEACHER": "new-model"}, "SYNTH_PRICE_USD_PER_MTOK to the model's price"),
        (CLAUDE | {"SYNTH_TEACHER": "new-model", "SYNTH_BUDGET_USD": "5"}, "cannot be kept without a price: set SYNTH_PRICE_USD_PER_MTOK, such as 3,15"),
    ],
)
def test_a_paid_teacher_needs_a_budget_and_a_price(env: dict[str, str], says: str, tmp_path: Path) -> None:
    with pytest.raises(BudgetExceeded) as caught:
        open_teacher(tmp_path, env)
    assert says in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("budget", "own"), [("5", None), (None, 3.0), ("5", 3.0), ("2", 3.0), ("0", None), ("0", 3.0)])
def test_both_budgets_count(budget: str | None, own: float | None, tmp_path: Path) -> None:
    env = CLAUDE if budget is None else CLAUDE | {"SYNTH_BUDGET_USD": budget}
    with open_teacher(tmp_path, env, domain="math", domain_budget_usd=own) as teacher:
        assert teacher.budget == Budget(None if budget is None else float(budget), "math", own)


@pytest.mark.parametrize("env", [{"SYNTH_BUDGET_USD": "ten"}, {"SYNTH_BUDGET_USD": "-1"}, {"SYNTH_BUDGET_USD": "nan"}, {"SYNTH_CONCURRENCY": "1.5"}])
def test_a_setting_that_is_no_number_is_named(env: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(SynthError, match=next(iter(env))):
        open_teacher(tmp_path, CLAUDE | {"SYNTH_BUDGET_USD": "1"} | env)


def test_an_own_server_and_the_embedded_one_start_without_a_budget_or_a_call(tmp_path: Path) -> None:
    threads = threading.active_count()
    for env in ({}, {"ANTHROPIC_BASE_URL": "http://127.0.0.1:9/", "SYNTH_TEACHER": "qwen"}):
        with open_teacher(tmp_path, env) as teacher:
            assert teacher.profile.raw_prompt
            assert not teacher.profile.paid
            assert teacher.endpoint.identity in {"http://127.0.0.1:9"} or teacher.endpoint.identity.startswith("embedded:")
    assert threading.active_count() == threads


def test_a_login_in_the_address_is_not_in_the_identity(tmp_path: Path) -> None:
    with open_teacher(tmp_path, {"ANTHROPIC_BASE_URL": "http://me:secret@127.0.0.1:9/v/", "SYNTH_TEACHER": "qwen"}) as teacher:
        assert teacher.endpoint.identity == "http://127.0.0.1:9/v"


def test_claude_gets_no_sampling_and_others_do(tmp_path: Path) -> None:
    with open_teacher(tmp_path, CLAUDE | {"SYNTH_BUDGET_USD": "1"}) as teacher:
        assert not teacher.endpoint.takes_sampling
    gateway = {"SYNTH_BUDGET_USD": "1", "ANTHROPIC_BASE_URL": "https://gateway.example.com", "SYNTH_PRICE_USD_PER_MTOK": "1,2"}
    with open_teacher(tmp_path, CLAUDE | gateway) as teacher:
        assert not teacher.endpoint.takes_sampling
    with open_teacher(tmp_path, CLAUDE | gateway | {"SYNTH_TEACHER": "qwen"}) as teacher:
        assert teacher.endpoint.takes_sampling


def test_terms_go_with_the_model() -> None:
    assert terms_of(EMBEDDED_MODEL) == "Apache-2.0"
    assert "Anthropic" in terms_of("claude-sonnet-4-5")
    assert "see its publisher" in terms_of("qwen")
