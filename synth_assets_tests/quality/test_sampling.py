"""The spot check's samples: uniform by seed, audit where a gate was near, verdicts carried by content."""

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.quality.sampling import content_key, nearness, spot_check
from synth_assets_tests.quality.rows import domain


def row(number: int, **changes: object) -> Row:
    scores = {"rouge_l": 0.1, "jaccard": 0.0, "cosine": None, "contamination": 0.0, "reward": 0.9}
    return {"id": f"f{number:03}", "kind": "sft", "system": "", "prompt": f"p{number}", "response": "r", "rejected": None, **scores, **changes}


def drawn(of: Domain, rows: list[Row], verdicts: dict[str, str] | None = None) -> Outcome:
    outcome = Outcome()
    spot_check(of, rows, verdicts or {}, outcome)
    outcome.check_balance("spot_check", of.name)
    return outcome


def purposes(outcome: Outcome, purpose: str) -> list[str]:
    return [str(r["row_id"]) for r in outcome.kept if r["purpose"] == purpose]


def test_the_gate_sample_does_not_depend_on_the_order_of_the_rows() -> None:
    of, rows = domain(spot_check={"gate": 10, "audit": 3}), [row(n) for n in range(100)]
    assert drawn(of, rows).kept == drawn(of, rows[::-1]).kept
    assert len(purposes(drawn(of, rows), "gate")) == 10
    assert purposes(drawn(of, rows), "gate") != purposes(drawn(domain(spot_check={"gate": 10, "audit": 3}, seed=1), rows), "gate")


def test_the_audit_sample_is_where_a_gate_nearly_fired() -> None:
    rows = [row(n) for n in range(20)] + [row(50, rouge_l=0.69), row(51, reward=0.06), row(52, contamination=0.49)]
    assert set(purposes(drawn(domain(spot_check={"gate": 0, "audit": 3}), rows), "audit")) == {"f050", "f051", "f052"}
    assert all(0 <= nearness(domain(), r) <= 1 for r in rows)


def test_fewer_rows_than_asked_for_are_all_taken() -> None:
    assert len(drawn(domain(), [row(1), row(2)]).kept) == 4
    assert drawn(domain(), []).planned == 0


def test_a_verdict_belongs_to_the_content() -> None:
    seen, changed = row(1), row(1, response="another")
    verdicts = {content_key(seen): "accept"}
    assert {r["verdict"] for r in drawn(domain(), [seen], verdicts).kept} == {"accept"}
    assert {r["verdict"] for r in drawn(domain(), [changed], verdicts).kept} == {None}
    assert content_key(seen) == content_key(row(1, id="other", reward=0.1))
