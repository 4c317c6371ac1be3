"""The spot check's samples: uniform and stable by seed, audit where a gate was near and in every corner, verdicts carried by content."""

from collections import Counter

from scipy.stats import chisquare

from synth_assets.accounts import Outcome, Row
from synth_assets.config import Domain
from synth_assets.quality.closeness import closeness
from synth_assets.quality.sampling import audit_sample, content_key, gate_sample, nearness, spot_check
from synth_assets_tests.quality.rows import domain


def row(number: int, **changes: object) -> Row:
    scores = {"rouge_l": 0.1, "jaccard": 0.0, "cosine": None, "contamination": 0.0, "reward": 0.9, "topic": "soil", "method": "distill"}
    texts = {"system": "", "prompt": f"Where does weed number {number} of the garden grow?", "response": "It grows by the old fence.", "rejected": None}
    return {"id": f"f{number:03}", "kind": "sft", **texts, **scores, **changes}


def drawn(of: Domain, rows: list[Row], verdicts: dict[str, str] | None = None) -> Outcome:
    outcome = Outcome()
    spot_check(of, rows, rows, verdicts or {}, outcome)
    outcome.check_balance("spot_check", of.name)
    return outcome


def purposes(outcome: Outcome, purpose: str) -> list[str]:
    return [str(r["row_id"]) for r in outcome.kept if r["purpose"] == purpose]


def test_the_gate_sample_does_not_depend_on_the_order_of_the_rows() -> None:
    of, rows = domain(spot_check={"gate": 10, "audit": 3}), [row(n) for n in range(100)]
    assert drawn(of, rows).kept == drawn(of, rows[::-1]).kept
    assert len(purposes(drawn(of, rows), "gate")) == 10
    assert purposes(drawn(of, rows), "gate") != purposes(drawn(domain(spot_check={"gate": 10, "audit": 3}, seed=1), rows), "gate")


def test_a_row_more_or_less_moves_one_place_of_the_gate_sample() -> None:
    of, rows = domain(spot_check={"gate": 30, "audit": 0}), [row(n) for n in range(200)]
    before = {r["id"] for r in gate_sample(of, rows)}
    for gone in rows[::17]:
        after = {r["id"] for r in gate_sample(of, [r for r in rows if r is not gone])}
        assert len(after - before) == (gone["id"] in before)


def test_the_gate_sample_is_uniform() -> None:
    rows = [row(n) for n in range(20)]
    counts = Counter(r["id"] for seed in range(400) for r in gate_sample(domain(seed=seed, spot_check={"gate": 5}), rows))
    assert len(counts) == 20 and chisquare(list(counts.values())).pvalue > 0.001


def test_the_audit_sample_is_where_a_gate_nearly_fired() -> None:
    near = [row(50, rouge_l=0.69), row(51, reward=0.06), row(52, contamination=0.49), row(53, response=("weed and stone " * 9 + "x y z ") * 2)]
    rows = [row(n) for n in range(20)] + near
    assert {r["id"] for r in audit_sample(domain(spot_check={"audit": 8}), rows)} >= {"f050", "f051", "f052", "f053"}
    assert all(0 <= nearness(domain(), r) <= 1 for r in rows)


def test_the_audit_sample_reaches_every_topic_method_and_reward_band() -> None:
    rows = [row(n) for n in range(60)]
    rare = [row(90, topic="tools", reward=0.91), row(91, method="reasoning", reward=0.92), row(92, reward=0.6), row(93, reward=0.99)]
    chosen = audit_sample(domain(spot_check={"audit": 10}), [*rows, *rare])
    assert len(chosen) == len({r["id"] for r in chosen}) == 10
    assert {"f090", "f091", "f092"} <= {r["id"] for r in chosen}


def test_fewer_rows_than_asked_for_are_all_taken() -> None:
    assert len(drawn(domain(), [row(1), row(2)]).kept) == 4
    assert drawn(domain(), []).planned == 0


def test_a_verdict_belongs_to_the_content() -> None:
    seen, changed = row(1), row(1, response="It grows elsewhere.")
    verdicts = {content_key(seen): "accept"}
    assert {r["verdict"] for r in drawn(domain(), [seen], verdicts).kept} == {"accept"}
    assert {r["verdict"] for r in drawn(domain(), [changed], verdicts).kept} == {None}
    assert content_key(seen) == content_key(row(1, id="other", reward=0.1))


def test_a_rule_that_is_off_is_never_near() -> None:
    text = ("weed and stone " * 9 + "x y z ") * 2
    rules = domain().gates.rules
    off = ("top_2gram", "top_3gram", "top_4gram", "duplicate_10grams", "duplicate_lines")
    assert closeness("Where does it grow, do you know?", text, "en", rules) > 0.9
    assert closeness("Where does it grow, do you know?", text, "en", rules.model_copy(update={"off": off})) < 0.9
