"""The toxicity rule with a real, tiny classifier: whose weights say that the word "vile" is toxic."""

from pathlib import Path

import pytest

from synth_assets.config import Rules, Toxicity
from synth_assets.errors import StageFailed
from synth_assets.quality.rules import check_row
from synth_assets.quality.toxicity import most_toxic
from synth_assets_tests.quality.tiny_classifier import save_classifier


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_classifier(tmp_path_factory.mktemp("classifier"), {0: "non-toxic", 1: "toxic"})


def broken(prompt: str, response: str, settings: Toxicity | None) -> list[tuple[str, str]]:
    return [(f.rule, f.evidence) for f in check_row(prompt, response, language="en", rules=Rules(toxicity=settings))]


@pytest.mark.slow
def test_what_the_model_calls_toxic_is_rejected_wherever_it_stands(classifier: Path) -> None:
    settings = Toxicity(model=str(classifier))
    assert broken("write a note about birds", "they sing", settings) == []
    assert broken("write a note about birds", "you are vile", settings) == [("toxicity", "response, toxic: you are vile")]
    assert broken("write a note about vile birds", "they sing", settings) == [("toxicity", "prompt, toxic: write a note about vile birds")]
    far = "kind words " * 40 + "vile"
    assert most_toxic(far, settings).score > 0.5 > most_toxic(far.replace("vile", "kind"), settings).score
    assert most_toxic("", settings).score == 0


def test_without_a_model_nothing_is_tested() -> None:
    assert broken("write a note about birds", "you are vile", None) == []


@pytest.mark.slow
def test_the_limit_and_the_switch_are_the_domains(classifier: Path) -> None:
    assert broken("write a note about birds", "you are vile", Toxicity(model=str(classifier), above=1.0)) == []
    rules = Rules(toxicity=Toxicity(model=str(classifier)), off=("toxicity",))
    assert check_row("write a note about birds", "you are vile", language="en", rules=rules) == []


@pytest.mark.slow
def test_labels_can_be_named_and_must_exist(classifier: Path) -> None:
    assert most_toxic("kind words", Toxicity(model=str(classifier), labels=("Non-Toxic",))).label == "non-toxic"
    with pytest.raises(StageFailed, match="has the labels non-toxic, toxic"):
        most_toxic("kind words", Toxicity(model=str(classifier), labels=("toxic", "insult")))


@pytest.mark.slow
def test_labels_without_a_meaning_must_be_named(tmp_path: Path) -> None:
    folder = str(save_classifier(tmp_path, {0: "LABEL_0", 1: "LABEL_1"}, problem_type="multi_label_classification"))
    with pytest.raises(StageFailed, match="LABEL_0, LABEL_1"):
        most_toxic("you are vile", Toxicity(model=folder))
    assert most_toxic("you are vile", Toxicity(model=folder, labels=("LABEL_1",))).score > 0.5


@pytest.mark.slow
def test_a_model_that_is_not_here_is_said_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(StageFailed, match=r"cannot be loaded .* without the network .* Name a folder"):
        most_toxic("kind words", Toxicity(model=str(tmp_path / "nothing")))
