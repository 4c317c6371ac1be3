"""Toxicity by a classifier that the user names: off unless a domain's rules do.

Any transformers text classifier will do: one that has a label per kind of toxicity (unitary/toxic-bert), or one harmless and one toxic label. A
text's score is the highest probability of a label that counts, over pieces of the length that the model reads, so that nothing at the end is
missed. Nothing is downloaded: the model is a folder, or is in the local cache already. Invariant: a score depends on its text alone.
"""

from functools import cache
from typing import Any, NamedTuple

from synth_assets import config
from synth_assets.errors import StageFailed
from synth_assets.quality.local_models import loading

__all__ = ["Scored", "most_toxic"]

_MOST_PIECES = 32
"""Pieces of a text that are read: 16,000 word pieces with a model of 512."""

_HARMLESS = ("non", "not", "neutral", "clean", "safe", "normal", "benign", "ok", "none", "acceptable")
"""What the labels that do not count begin with, where the domain names none."""


class Scored(NamedTuple):
    """The strongest label of a text."""

    score: float
    """Its probability, 0 to 1."""
    label: str
    """The model's own name for it."""


def most_toxic(text: str, settings: config.Toxicity) -> Scored:
    """The label that counts most likely for `text`.

    Raises:
        StageFailed: the model is not on this machine, is no text classifier, or has none of the labels.
    """
    if not text.strip():
        return Scored(0.0, "")
    return _load(settings.model, settings.labels).score(text)


class _Classifier:
    def __init__(self, model: Any, tokenizer: Any, counted: list[int]) -> None:
        self._model, self._tokenizer, self._counted = model, tokenizer, counted
        most = getattr(model.config, "max_position_embeddings", 512) or 512
        # RoBERTa keeps two positions for itself; its tokenizer knows, some tokenizers know nothing at all.
        self._length = min(int(tokenizer.model_max_length), int(most))

    def score(self, text: str) -> Scored:
        import torch

        pieces = self._tokenizer(
            text.encode("utf-8", "replace").decode(),
            truncation=True,
            max_length=self._length,
            return_overflowing_tokens=True,
            padding=True,
            return_tensors="pt",
        )
        pieces.pop("overflow_to_sample_mapping", None)
        with torch.inference_mode():
            logits = self._model(**{name: values[:_MOST_PIECES].to(self._model.device) for name, values in pieces.items()}).logits.float()
        several = getattr(self._model.config, "problem_type", None) == "multi_label_classification" or logits.shape[1] == 1
        chances = (torch.sigmoid(logits) if several else torch.softmax(logits, dim=1)).amax(dim=0)
        best = max(self._counted, key=lambda label: float(chances[label]))
        return Scored(float(chances[best]), str(self._model.config.id2label[best]))


@cache
def _load(name: str, labels: tuple[str, ...]) -> _Classifier:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    with loading("gates.rules.toxicity.model", name, "a text classifier", "take the section toxicity out"):
        tokenizer = AutoTokenizer.from_pretrained(name, local_files_only=True)
        model = AutoModelForSequenceClassification.from_pretrained(name, local_files_only=True)
    known = {int(number): str(label) for number, label in model.config.id2label.items()}
    wanted = {label.casefold() for label in labels}
    if wanted:
        counted = [number for number, label in known.items() if label.casefold() in wanted]
    elif all(label.startswith("LABEL_") for label in known.values()):
        counted = []
    else:
        counted = [number for number, label in known.items() if not label.casefold().startswith(_HARMLESS)]
    if not counted or len(counted) < len(wanted):
        have = ", ".join(known.values())
        raise StageFailed(f"gates.rules.toxicity.labels: the model {name!r} has the labels {have}. Name those that are toxic, as they are written there.")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return _Classifier(model.eval().to(device), tokenizer, counted)
