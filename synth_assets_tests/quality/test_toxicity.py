"""The toxicity rule with a real, tiny classifier: a BERT of one layer whose weights say that the word "vile" is toxic."""

from pathlib import Path
from typing import Any

import pytest

from synth_assets.config import Rules, Toxicity
from synth_assets.errors import StageFailed
from synth_assets.quality.rules import check_row
from synth_assets.quality.toxicity import most_toxic

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "vile", "kind", "words", "are", "you", "about", "birds", "write", "a", "note", "they", "sing")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _saved(tmp_path_factory.mktemp("classifier"), {0: "non-toxic", 1: "toxic"})


def _saved(folder: Path, labels: dict[int, str], **settings: Any) -> Path:
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    (folder / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer", "model_max_length": 16}', encoding="utf-8")
    shape: dict[str, Any] = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8, "max_position_embeddings": 16}
    config = BertConfig(vocab_size=len(WORDS), **shape, id2label=labels, label2id={name: number for number, name in labels.items()}, **settings)
    config.save_pretrained(folder)
    AutoTokenizer.from_pretrained(folder).save_pretrained(folder)
    model: Any = BertForSequenceClassification(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        bert = model.bert
        # One value of the word embedding passes to the first position by even attention, and from there to the label "toxic".
        bert.embeddings.word_embeddings.weight[WORDS.index("vile"), 0] = 50.0
        for norm in (bert.embeddings.LayerNorm, bert.encoder.layer[0].attention.output.LayerNorm, bert.encoder.layer[0].output.LayerNorm):
            norm.weight.fill_(1.0)
        attention = bert.encoder.layer[0].attention
        attention.self.value.weight.copy_(torch.eye(8))
        attention.output.dense.weight.copy_(torch.eye(8) * 50)
        bert.pooler.dense.weight.copy_(torch.eye(8))
        model.classifier.weight[len(labels) - 1, 0] = 20.0
        model.classifier.bias[len(labels) - 1] = -8.0
    model.save_pretrained(folder)
    return folder


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
    folder = str(_saved(tmp_path, {0: "LABEL_0", 1: "LABEL_1"}, problem_type="multi_label_classification"))
    with pytest.raises(StageFailed, match="LABEL_0, LABEL_1"):
        most_toxic("you are vile", Toxicity(model=folder))
    assert most_toxic("you are vile", Toxicity(model=folder, labels=("LABEL_1",))).score > 0.5


@pytest.mark.slow
def test_a_model_that_is_not_here_is_said_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(StageFailed, match=r"cannot be loaded .* without the network .* Name a folder"):
        most_toxic("kind words", Toxicity(model=str(tmp_path / "nothing")))
