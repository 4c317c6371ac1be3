"""A reward model by name: a real, tiny one of one layer that likes the word "vile", loaded as a user's would be."""

import json
from pathlib import Path

import pytest

from synth_assets.errors import StageFailed
from synth_assets.quality.cross_encoder import load_cross_encoder
from synth_assets_tests.quality.tiny_classifier import save_classifier

pytestmark = pytest.mark.slow

PROMPT = "write a note about birds"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_classifier(tmp_path_factory.mktemp("models") / "tiny-reward", {0: "LABEL_0"})


def test_it_orders_answers_whatever_their_neighbours_are(folder: Path) -> None:
    model = load_cross_encoder(str(folder))
    answers = ["vile words", "kind words", "they sing", "", "<think>\nvile\n</think>\nthey sing", "half a \ud800 pair"]
    scores = model.score([PROMPT] * len(answers), answers)
    assert scores.shape == (6,) and scores[0] > scores[1:].max() + 1
    assert scores[4] == scores[2]
    assert [float(model.score([PROMPT], [answer])[0]) for answer in answers] == scores.tolist()
    assert model.score([], []).shape == (0,)
    assert load_cross_encoder(str(folder)) is model


def test_its_version_is_that_of_its_weights_and_tells_nothing_of_the_machine(folder: Path, tmp_path: Path) -> None:
    name, _, digest = load_cross_encoder(str(folder)).version.partition("@")
    assert name == "tiny-reward" and len(digest) == 20
    other = save_classifier(tmp_path / "tiny-reward", {0: "LABEL_0"}, num_hidden_layers=2)
    assert load_cross_encoder(str(other)).version not in {f"tiny-reward@{digest}", digest}


def test_with_a_chat_template_it_reads_a_conversation(folder: Path, tmp_path: Path) -> None:
    chat = save_classifier(tmp_path / "chat", {0: "LABEL_0"})
    settings = json.loads((chat / "tokenizer_config.json").read_text())
    (chat / "tokenizer_config.json").write_text(
        json.dumps(settings | {"chat_template": "{% for m in messages %}[CLS] {{ m.role }} {{ m.content }} [SEP]{% endfor %} vile"})
    )
    # The template's own word speaks for every answer, so it was read.
    assert load_cross_encoder(str(chat)).score([PROMPT], ["kind words"])[0] > load_cross_encoder(str(folder)).score([PROMPT], ["kind words"])[0] + 1


def test_what_gives_no_single_score_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StageFailed, match=r"gates\.reward\.model: .* gives 3 numbers .* one label"):
        load_cross_encoder(str(save_classifier(tmp_path / "three", {0: "a", 1: "b", 2: "c"})))
    plain = save_classifier(tmp_path / "plain", {0: "LABEL_0"})
    config = json.loads((plain / "config.json").read_text())
    (plain / "config.json").write_text(json.dumps(config | {"architectures": ["BertModel"]}))
    with pytest.raises(StageFailed, match="is a BertModel, which has nothing that scores"):
        load_cross_encoder(str(plain))
    with pytest.raises(StageFailed, match=r"gates\.reward\.model: .* without the network .*hf download NAME"):
        load_cross_encoder(str(tmp_path / "nothing"))
