"""The two sides put together: the share per kind, no near-duplicate across the border, conversations as they are released."""

import numpy as np

from synth_assets.accounts import Outcome, Row
from synth_assets.conversations import approximate_tokens
from synth_assets.quality.mixture import blend
from synth_assets.quality.sampling import content_key
from synth_assets_tests.quality.rows import domain, response
from synth_assets_tests.release.mixed_rows import nonsense


def synthetic(number: int, kind: str = "sft", **changes: object) -> Row:
    source = response(number)
    row: Row = {
        **{name: source[name] for name in ("domain", "topic", "language", "system", "prompt", "response", "model")},
        "id": f"s-{kind}-{number}",
        "kind": kind,
        "root_id": f"root{number}",
        "method": "distill",
        "rejected": "Whatever." if kind == "preference" else None,
        "reward": 0.5,
    }
    return row | changes


def real(number: int, kind: str = "sft") -> Row:
    topics = ("soil", "tools")
    return {
        "id": f"t-{kind}-{number}",
        "domain": "garden",
        "topic": topics[number % 2],
        "language": "en",
        "kind": kind,
        "instruction": f"Name {number} kinds of moss.",
        "input": "Shade only." if number == 1 else "",
        "response": f"Here are {number}.",
        "rejected": "None." if kind == "preference" else None,
        "source": "curated",
        "license": "curated",
    }


def blended(synthetics: list[Row], reals: list[Row], verdicts: dict[str, str] | None = None) -> tuple[Outcome, dict[str, float]]:
    outcome = Outcome()
    shares = blend(domain(), synthetics, reals, verdicts or {}, lambda model: f"terms of {model}", outcome)
    outcome.check_balance("mixed", "garden")
    return outcome, shares


def test_each_kind_has_the_share_and_the_rest_is_surplus() -> None:
    rows = [synthetic(n) for n in range(8)]
    outcome, shares = blended([*rows, *(synthetic(n, "preference") for n in range(4))], [*(real(n) for n in range(5)), real(0, "preference")])
    assert (shares["synthetic_share_sft"], shares["synthetic_share_preference"]) == (0.8, 0.8)
    tokens = {o: sum(approximate_tokens(r) for r in outcome.kept if r["kind"] == "sft" and r["origin"] == o) for o in ("synthetic", "real")}
    assert shares["synthetic_token_share_sft"] == tokens["synthetic"] / sum(tokens.values()) != 0.8
    assert sum(r["origin"] == "real" for r in outcome.kept) == 3
    assert len(outcome.surplus) == 3


def test_a_synthetic_row_that_repeats_a_real_one_leaves() -> None:
    outcome, _ = blended([synthetic(0), synthetic(1, prompt="Name 2 kinds of moss.")], [real(2)])
    assert [(r.rule, r.row["source_id"]) for r in outcome.rejected] == [("near_duplicate_of_real", "s-sft-1")]


def test_what_people_rejected_or_corrected_leaves() -> None:
    rows = [synthetic(n) for n in range(4)]
    said = {content_key(rows[0]): "reject", content_key(rows[1]): "fix", content_key(rows[2]): "accept"}
    outcome, _ = blended(rows, [real(0)], said)
    assert [(r.rule, r.row["source_id"]) for r in outcome.rejected] == [("human_rejected", "s-sft-0"), ("human_fixed", "s-sft-1")]
    assert {r["source_id"] for r in [*outcome.kept, *outcome.surplus]} == {"s-sft-2", "s-sft-3", "t-sft-0"}


def test_a_synthetic_row_that_repeats_a_real_one_by_any_measure_leaves() -> None:
    same = nonsense("moss", count=200)
    asked = "Which mosses would you plant under old oaks in a garden by the sea?"
    outcome = Outcome()
    vectors = {"Name 2 kinds of moss.": (1.0, 0.0), asked: (0.0, 1.0), "Give me a pair of mosses!": (0.999, 0.0447)}
    sides = [synthetic(0, prompt="Give me a pair of mosses!", response="Ask the oak."), synthetic(1, prompt=asked, response=f"Name 2 kinds of moss. {same}")]
    blend(domain(), sides, [{**real(2), "response": same}], {}, str, outcome, lambda prompts: np.array([vectors[prompt] for prompt in prompts]))
    outcome.check_balance("mixed", "garden")
    assert {(r.rule, r.row["source_id"]) for r in outcome.rejected} == {
        ("near_duplicate_of_real_cosine", "s-sft-0"),
        ("near_duplicate_of_real_jaccard", "s-sft-1"),
    }


def test_caps_hold_in_the_mix() -> None:
    rows = [synthetic(n, method="reasoning" if n < 6 else "distill", prompt=nonsense(n)) for n in range(40)]
    reals = [{**real(n), "source": "shop" if n < 9 else "club"} for n in range(12)]
    outcome = Outcome()
    capped = domain(mix={"caps": [{"method": "reasoning", "share": 0.05}, {"source": "shop", "share": 0.1}]})
    blend(capped, rows, reals, {}, str, outcome)
    outcome.check_balance("mixed", "garden")
    kept = outcome.kept
    assert len(kept) >= 29 and sum(r["origin"] == "real" for r in kept) == round(0.2 * len(kept))
    assert sum(r["method"] == "reasoning" for r in kept) <= 0.05 * len(kept) and sum(r["source"] == "shop" for r in kept) <= 0.1 * len(kept)


def test_without_a_real_side_there_is_no_mix_and_nothing_is_lost() -> None:
    outcome, shares = blended([synthetic(0)], [])
    assert not outcome.kept and len(outcome.surplus) == 1 and not shares


def test_conversations() -> None:
    outcome, _ = blended(
        [synthetic(n, system="Be brief." if n == 0 else "") for n in range(8)] + [synthetic(n, "preference") for n in range(4)],
        [real(1), real(2), real(1, "preference")],
    )
    for row in outcome.kept:
        roles = [m["role"] for m in row["messages"]]
        assert roles == (["system"] if roles[0] == "system" else []) + (["user"] if row["kind"] == "preference" else ["user", "assistant"])
        if row["kind"] == "preference":
            assert row["chosen"][0]["role"] == row["rejected"][0]["role"] == "assistant"
        if row["origin"] == "real":
            assert row["license"] == "curated" and row["reward"] is None
            assert row["source_id"] != "t-sft-1" or row["messages"][0]["content"] == "Name 1 kinds of moss.\n\nShade only."
        else:
            assert row["license"] == "terms of some-model"
