"""A reward model that the user names: any CrossEncoder of sentence-transformers, or any sequence classifier with one label.

A model whose tokenizer has a chat template (Skywork-Reward, and most others that score whole conversations) reads the prompt and the answer as a
conversation; one without reads them as two texts (OpenAssistant's DeBERTa, MS MARCO). The raw score is the logit, before any sigmoid, so
that it does not saturate. Reasoning inside <think> is left out, as in the embedded model. Nothing is downloaded.

Invariant: scores are rounded to 4 decimals, because a text's padding depends on its neighbours and moves the last bits.
"""

import hashlib
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from synth_assets.errors import StageFailed
from synth_assets.identity import ID_LENGTH
from synth_assets.progress import advance
from synth_assets.quality.bradley_terry import Floats
from synth_assets.quality.leaks import split_thinking
from synth_assets.quality.local_models import loading, named

__all__ = ["CrossEncoder", "load_cross_encoder"]

_KEY = "gates.reward.model"
_BATCH = 32
_DECIMALS = 4
_LONGEST = 4096
"""Word pieces of prompt and answer together that are read, where the model itself has no limit."""


class CrossEncoder:
    """One loaded model: `version` and `score`."""

    def __init__(self, name: str, encoder: Any) -> None:
        self._encoder = encoder
        self._chat = bool(getattr(encoder.tokenizer, "chat_template", None))
        digest = hashlib.sha256()
        for key, tensor in sorted(encoder.state_dict().items()):
            digest.update(f"{key} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(_bytes()).numpy().tobytes())
        self.version = f"{named(name)}@{digest.hexdigest()[:ID_LENGTH]}"
        """Name and digest of the weights."""

    def score(self, prompts: Sequence[str], responses: Sequence[str]) -> Floats:
        """Logits of the responses, shape (n,), higher is better, unbounded."""
        import torch

        pairs = [(_text(prompt), _text(split_thinking(response).answer.strip())) for prompt, response in zip(prompts, responses, strict=True)]
        scores: list[float] = []
        for start in range(0, len(pairs), _BATCH * 8):
            part = pairs[start : start + _BATCH * 8]
            if self._chat:
                scores += self._of_conversations(part)
            else:
                scores += self._encoder.predict(part, batch_size=_BATCH, activation_fn=torch.nn.Identity(), show_progress_bar=False).tolist()
            advance("scoring answers", len(scores), len(pairs))
        return np.array(scores, np.float64).round(_DECIMALS)

    def _of_conversations(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        import torch

        tokenizer, scores = self._encoder.tokenizer, []
        for prompt, answer in pairs:
            turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
            text = tokenizer.apply_chat_template(turns, tokenize=False)
            # One at a time: causal models score the last token, and many of these tokenizers have nothing to pad with.
            pieces = tokenizer(text, truncation=True, max_length=self._encoder.max_seq_length, add_special_tokens=False, return_tensors="pt")
            with torch.inference_mode():
                logits = self._encoder.model(**pieces.to(self._encoder.device)).logits
            scores.append(float(logits[0, 0]))
        return scores


@cache
def load_cross_encoder(name: str) -> CrossEncoder:
    """The model `name`, loaded once per process.

    Raises:
        StageFailed: it is not on this machine, or it does not give one score.
    """
    with loading(_KEY, name, "a reward model", "choose another gates.reward.by"):
        import sentence_transformers
        from transformers import AutoConfig

        config = AutoConfig.from_pretrained(name, local_files_only=True)
        (architecture, *_) = config.architectures or ("of unknown architecture",)
        if not architecture.endswith(("ForSequenceClassification", "ForCausalLM")):
            # The libraries would put a head with random weights on it, and warn at most.
            raise StageFailed(f"{_KEY}: {name!r} is a {architecture}, which has nothing that scores. Name a cross-encoder or a reward model.")
        encoder = sentence_transformers.CrossEncoder(name, local_files_only=True)
    if encoder.num_labels != 1:
        raise StageFailed(f"{_KEY}: {name!r} gives {encoder.num_labels} numbers for an answer, and a reward is one. Name a model with one label.")
    if encoder.max_seq_length is None or encoder.max_seq_length > _LONGEST:
        encoder.max_seq_length = _LONGEST
    return CrossEncoder(name, encoder)


def _text(text: str) -> str:
    """`text` without lone surrogates, which a broken reply can hold and no tokenizer takes."""
    return text.encode("utf-8", "replace").decode()


def _bytes() -> Any:
    import torch

    return torch.uint8
