"""The embedded reward model: training, the shipped version, files, calibration."""

import json
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from synth_assets.errors import StageFailed
from synth_assets.quality.bradley_terry import Floats, bradley_terry
from synth_assets.quality.embeddings import DIMENSION, Embedder, Matrix
from synth_assets.quality.reward import RewardModel, published, rank_correlation, train, wilson_interval
from synth_assets.quality.reward_card import card
from synth_assets.quality.reward_features import FEATURES, RELEVANCE, features
from synth_assets.quality.reward_pairs import HUMAN, Pair, training_pairs
from synth_assets.quality.scores import calibrate

FINITE = st.floats(-1e3, 1e3)
VALUES = arrays(np.float64, st.integers(1, 30), elements=FINITE)

SEEDS = [
    {
        "prompt": f"A shop sells {name} at {price} dollars each. What do {count} of them cost?",
        "response": f"One costs {price} dollars.\nFor {count} of them that is {count} × {price} = {count * price} dollars.\nAnswer: {count * price}",
    }
    for name, price, count in [("pens", 3, 4), ("cups", 7, 5), ("maps", 6, 8), ("bags", 12, 3), ("hats", 15, 2), ("mugs", 9, 9), ("rugs", 40, 2)]
] + [
    {"prompt": f"Explain in three sentences what {thing} is.", "response": f"{thing.capitalize()} is {what}. People use it to {use}. It is found in {place}."}
    for thing, what, use, place in [
        ("a lever", "a stiff bar that turns about a point", "lift heavy loads with little force", "scissors, cranes and seesaws"),
        ("yeast", "a tiny fungus that feeds on sugar", "raise dough and brew beer", "bakeries, breweries and on the skin of fruit"),
        ("an index", "a sorted list of words with page numbers", "look things up quickly", "the back of most reference books"),
        ("a tide", "the slow rise and fall of the sea", "time the passage of ships", "every harbour that is open to the ocean"),
        ("a budget", "a plan for money that comes in and goes out", "avoid running out of it", "households, clubs and states"),
    ]
]


@pytest.fixture(scope="module")
def model(embedder: Embedder) -> RewardModel:
    return train(training_pairs(SEEDS, [], 1), embedder.embed)


def test_training_beats_length_on_prompts_it_has_not_seen(model: RewardModel) -> None:
    report = model.report
    assert report.held_out_prompts == 2
    assert report.accuracy > 0.8 > report.length_accuracy
    assert report.accuracy_low < report.accuracy <= report.accuracy_high
    assert set(report.by_kind) == set(report.pairs_by_kind)
    assert sum(report.pairs_by_kind.values()) == report.held_out_pairs


def test_no_weight_has_the_wrong_sign(model: RewardModel) -> None:
    for weights in (model.weights, model.blind_weights, published().weights, published().blind_weights):
        assert all(weight * feature.sign >= 0 for weight, feature in zip(weights, FEATURES, strict=True))
    assert model.blind_weights[RELEVANCE] == 0


def test_training_repeats_whatever_the_order_of_the_rows(model: RewardModel, embedder: Embedder) -> None:
    again = train(training_pairs(SEEDS[::-1], [], 1), embedder.embed)
    assert again == model
    assert again.version == model.version


def test_no_prompt_is_both_fitted_and_held_out(embedder: Embedder) -> None:
    pairs = training_pairs(SEEDS, [], 1)
    report = train(pairs, embedder.embed).report
    per_prompt = {prompt: sum(pair.prompt == prompt for pair in pairs) for prompt in {pair.prompt for pair in pairs}}
    assert report.pairs + report.held_out_pairs == len(pairs)
    # The held-out pairs are all the pairs of some two prompts.
    assert report.held_out_pairs in {a + b for a in per_prompt.values() for b in per_prompt.values()}


def test_too_few_prompts_are_refused_with_a_remedy() -> None:
    with pytest.raises(StageFailed, match="pairs of 9 prompts, and needs 10: add seeds"):
        train([Pair(f"prompt {i}", "good answer", "bad") for i in range(9)], None)


def test_the_shipped_version_orders_answers(embedder: Embedder) -> None:
    prompt = "How do I remove a coffee stain from a cotton shirt?"
    ranked = [
        "Rinse the stain with cold water from the back of the cotton. Rub in a little liquid soap, wait ten minutes, and rinse again. "
        "If the coffee still shows, soak the shirt in warm water with white vinegar before you wash it.",
        "Rinse the stain with cold water from the back of the cotton. Rub in a little",
        "Sure, here it is.",
    ]
    scores = published().score([prompt] * 3, ranked, embedder.embed)
    assert scores[0] > scores[1] > scores[2]


def test_the_shipped_version_holds_what_it_reports() -> None:
    report = published().report
    assert report.accuracy_low > 0.8
    assert 0.4 < report.length_accuracy < 0.6
    assert report.blind_accuracy > 0.85


def test_longer_is_not_better(embedder: Embedder) -> None:
    prompt, answer = SEEDS[0]["prompt"], SEEDS[0]["response"]
    worse = [f"{answer}\n{answer}", f"{answer} I hope this helps! Let me know if you have questions.", answer + "\nOne costs 3 dollars." * 9]
    scores = published().score([prompt] * 4, [answer, *worse], embedder.embed)
    assert scores[0] == scores.max()


@pytest.mark.parametrize("worse", ["抱歉，我无法回答这个问题。", "好的，以下就是。", "Sure, here it is.", "为什么天空是蓝色的？请用两句话解释。"])
def test_chinese_is_scored_without_embeddings(worse: str) -> None:
    def embed(texts: Sequence[str]) -> Matrix:
        raise AssertionError(f"asked about {texts}")

    prompt = "为什么天空是蓝色的？请用两句话解释。"
    good = "天空是蓝色的，因为空气分子散射蓝光比散射红光强得多。阳光穿过大气时，蓝光被散射到各个方向，所以我们看到的天空是蓝色的。"
    better, other = published().score([prompt, prompt], [good, worse], embed)
    assert better > other


def test_the_reasoning_is_not_looked_at() -> None:
    prompt, answer = SEEDS[0]["prompt"], SEEDS[0]["response"]
    thought = f"<think>\nSorry, 1 + 1 = 3 and so on and so on and so on\n</think>\n\n{answer}"
    assert np.array_equal(features([prompt], [thought], None), features([prompt], [answer], None), equal_nan=True)


def test_contributions_explain_the_score(embedder: Embedder) -> None:
    table = features(["Name a prime number above ten."], ["Eleven is a prime number above ten."], embedder.embed)
    shares = published().contributions(table)
    assert shares.shape == (1, len(FEATURES))
    assert shares.sum() == pytest.approx(published().score(["Name a prime number above ten."], ["Eleven is a prime number above ten."], embedder.embed)[0])


def test_no_rows_have_no_scores() -> None:
    assert published().score([], [], None).shape == (0,)


def test_saved_and_loaded_it_is_the_same(model: RewardModel) -> None:
    loaded = RewardModel.from_json(model.to_json())
    assert loaded == model
    assert loaded.version == model.version
    table = np.random.default_rng(0).normal(size=(5, len(FEATURES)))
    assert np.array_equal(loaded.contributions(table), model.contributions(table))


def test_the_version_is_that_of_the_weights_alone(model: RewardModel) -> None:
    assert replace(model, report=replace(model.report, accuracy=0.1)).version == model.version
    assert replace(model, weights=(*model.weights[:-1], 9.0)).version != model.version


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": [0.0] * len(FEATURES)}, "changed after training"),
        ({"report": {"pairs": 1}}, "no reward model"),
        ({"names": None}, "no reward model"),
    ],
)
def test_a_damaged_file_is_refused(model: RewardModel, change: dict[str, object], message: str) -> None:
    with pytest.raises(StageFailed, match=f"{message}.*materialize the asset reward_model"):
        RewardModel.from_json(json.dumps(json.loads(model.to_json()) | change))


def test_weights_of_other_features_are_refused(model: RewardModel) -> None:
    with pytest.raises(StageFailed, match="trained on feature set 0, this code computes"):
        RewardModel.from_json(replace(model, feature_set=0).to_json())
    with pytest.raises(StageFailed, match="no reward model"):
        RewardModel.from_json("not json")


def test_bradley_terry_recovers_a_planted_ordering() -> None:
    random = np.random.default_rng(5)
    planted = np.array([2.0, -1.0, 0.5, 0.0])
    differences = random.normal(size=(4000, 4))
    wins = random.random(4000) < 1 / (1 + np.exp(-differences @ planted))
    differences[~wins] *= -1
    assert bradley_terry(differences, [0, 0, 0, 0]) == pytest.approx(planted, abs=0.15)


def test_bradley_terry_is_at_the_optimum_and_keeps_signs() -> None:
    random = np.random.default_rng(6)
    differences = random.normal(size=(300, 3)) + np.array([0.5, -0.5, 0.2])
    free = bradley_terry(differences, [0, 0, 0], l2=2.0)
    losing = 1 / (1 + np.exp(differences @ free))
    assert differences.T @ losing == pytest.approx(2.0 * free, abs=1e-8)
    bound = bradley_terry(differences, [1, 1, 1], l2=2.0)
    assert bound[1] == 0
    assert bound[0] > 0
    assert bradley_terry(differences, [-1, 1, -1]).tolist() == [0, 0, 0]


def test_a_pair_that_counts_twice_is_two_pairs() -> None:
    differences = np.random.default_rng(7).normal(size=(50, 3)) + 0.3
    counts = np.array([2.0] * 10 + [1.0] * 40)
    assert bradley_terry(differences, [0, 0, 0], counts=counts) == pytest.approx(bradley_terry(np.vstack([differences[:10], differences]), [0, 0, 0]))


def test_verdicts_of_people_move_the_model_and_are_counted_in_its_report() -> None:
    pairs = training_pairs(SEEDS, [], 1)
    # Somebody who likes lists, and says so of twenty pairs that differ in nothing else.
    liked = [Pair(f"Name some birds of region {n}.", "- a wren\n- a robin\n- a finch", "a wren, a robin, a finch", HUMAN) for n in range(20)]
    before, after = train(pairs, None), train([*pairs, *liked], None, sources={"seeds": len(SEEDS), "verdicts of people": 20})
    lists = [feature.name for feature in FEATURES].index("lists")
    assert after.blind_weights[lists] > before.blind_weights[lists]
    assert 0 < after.report.fitted_by_kind[HUMAN] < 20 and sum(after.report.fitted_by_kind.values()) == after.report.pairs
    text = card(after)
    assert f"# Reward model {after.version}" in text and "12 seeds, 20 verdicts of people" in text
    assert f"{after.report.fitted_by_kind[HUMAN]} from verdicts of people" in text
    assert f"{after.report.accuracy:.3f} of {after.report.held_out_pairs} pairs" in text and f"{after.report.length_bias:+.2f}" in text
    assert "Not to be trusted" in text and "truncated" in text


def test_a_pair_of_prompts_on_both_sides_is_neither_fitted_nor_tested() -> None:
    pairs = training_pairs(SEEDS, [], 1)
    crossed = [Pair(a["prompt"], a["response"], "No.", HUMAN, b["prompt"]) for a in SEEDS for b in SEEDS if a is not b]
    report = train([*pairs, *crossed], None).report
    held = report.held_out_prompts
    assert report.pairs_by_kind[HUMAN] == held * (held - 1)
    assert report.fitted_by_kind[HUMAN] == (len(SEEDS) - held) * (len(SEEDS) - held - 1)


def test_the_shipped_card_is_that_of_the_shipped_version() -> None:
    assert files("synth_assets.quality").joinpath("reward_v1.md").read_text(encoding="utf-8") == card(published())


def test_bradley_terry_converges_on_separable_pairs() -> None:
    assert np.isfinite(bradley_terry(np.full((5000, 2), 30.0), [1, 0], l2=1e-3)).all()


@given(scores=VALUES, references=VALUES)
def test_calibration_is_monotone_and_within_bounds(scores: Floats, references: Floats) -> None:
    percentiles = calibrate(scores, references)
    assert ((percentiles >= 0) & (percentiles <= 1)).all()
    order = np.argsort(scores)
    assert (np.diff(percentiles[order]) >= 0).all()


def test_calibration_by_hand() -> None:
    assert calibrate(np.array([0.0, 1.0, 2.0, 2.5, 9.0]), np.array([3.0, 1.0, 2.0, 2.0])).tolist() == [0, 0.125, 0.5, 0.75, 1]
    with pytest.raises(StageFailed, match="no reference responses"):
        calibrate(np.array([1.0]), np.array([]))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [([1, 2, 3], [10, 20, 90], 1), ([1, 2, 3], [3, 2, 1], -1), ([1, 1, 2, 3], [1, 2, 3, 4], 0.9486833), ([1, 1], [1, 2], 0)],
)
def test_rank_correlation(a: list[float], b: list[float], expected: float) -> None:
    assert rank_correlation(np.array(a, float), np.array(b, float)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("successes", "trials", "expected"), [(0, 0, (0, 1)), (0, 10, (0, 0.2775)), (10, 10, (0.7225, 1)), (50, 100, (0.4038, 0.5962)), (8, 10, (0.4902, 0.9433))]
)
def test_wilson_interval(successes: float, trials: int, expected: tuple[float, float]) -> None:
    assert wilson_interval(successes, trials) == pytest.approx(expected, abs=1e-4)


def test_embeddings_of_unit_length_are_all_that_features_need() -> None:
    def embed(texts: Sequence[str]) -> Matrix:
        return np.tile(np.eye(DIMENSION, dtype=np.float32)[0], (len(texts), 1))

    table = features(["Name a tree.", "写一首诗"], ["An oak.", "好"], embed)
    assert table[0, RELEVANCE] == pytest.approx(0.7)
    assert np.isnan(table[1, RELEVANCE])
