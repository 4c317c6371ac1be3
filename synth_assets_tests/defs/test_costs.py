"""Cost metadata: what a stage cost, what of it is unknown, and what a domain cost per accepted row."""

from pathlib import Path

import pytest

from synth_assets.defs.stage import cost_metrics, spent_metrics
from synth_assets.teacher.answers import Answer, Usage
from synth_assets.teacher.budget import Budget
from synth_assets.teacher.ledger import UNKNOWN, Call, Ledger, Reservation


def call(cost: float | None, stop_reason: str = "end_turn") -> dict[str, object]:
    return {"input_tokens": 10, "output_tokens": 5, "cost_usd": cost, "stop_reason": stop_reason}


def test_a_stage_tells_its_calls_tokens_and_dollars_and_those_per_kept_row() -> None:
    numbers = cost_metrics([call(0.5), call(0.25), call(0.25, UNKNOWN)], kept=4)
    assert numbers == {
        "calls": 3, "input_tokens": 30, "output_tokens": 15, "unknown_calls": 1, "cost_usd": 1.0, "unknown_usd": 0.25, "cost_per_kept_row_usd": 0.25,
    }  # fmt: skip


def test_an_unknown_price_is_no_zero() -> None:
    numbers = cost_metrics([call(0.5), call(None)], kept=4)
    assert numbers["calls"] == 2 and not {"cost_usd", "unknown_usd", "cost_per_kept_row_usd"} & set(numbers)


def test_a_stage_that_keeps_nothing_has_no_cost_per_row_and_one_that_asks_nothing_no_cost() -> None:
    assert "cost_per_kept_row_usd" not in cost_metrics([call(0.5)], kept=0)
    assert cost_metrics([], kept=3) == {}


def test_a_domain_has_cost_what_its_ledger_says_lost_calls_included(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTH_HOME", str(tmp_path))
    rows = [{"origin": "synthetic"}] * 4 + [{"origin": "real"}]
    assert spent_metrics(rows, ["boats"]) == {} and not list(tmp_path.iterdir())
    ledger = Ledger(tmp_path / "ledger.sqlite")
    for key, domain, lost in (("a", "boats", False), ("b", "boats", True), ("c", "sails", False)):
        reservation = ledger.reserve(Call(key, "http://x", "m", "{}", domain), 2.0, Budget()).result()
        assert isinstance(reservation, Reservation)
        if lost:
            ledger.abandon(reservation).result()
        else:
            ledger.record(reservation, Answer("{}", "text", stop_reason="end_turn", usage=Usage(1, 1)), 1.0, 1.0).result()
    ledger.close()
    assert spent_metrics(rows, ["boats"]) == {"spent_usd": 3.0, "spent_per_accepted_row_usd": 0.75}
    assert spent_metrics(rows, ["boats", "sails"])["spent_usd"] == 4.0
    assert spent_metrics([], ["boats"]) == {"spent_usd": 3.0}
