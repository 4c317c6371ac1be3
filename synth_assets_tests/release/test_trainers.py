"""Consumers: `datasets.load_dataset` on a release's folder, and TRL's SFTTrainer and DPOTrainer on what it gives, unchanged.

The model is a Llama of two layers with random weights, and its tokenizer is trained here on the release's own texts; both run on a CPU in
seconds. In a process of its own, because the Hub's library reads HF_HUB_OFFLINE once.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from synth_assets.release import card, export, facts
from synth_assets_tests.release.mixed_rows import mixed_row, mixed_rows
from synth_assets_tests.release.test_card import some_facts

TRAINER = r"""
import json, sys
from copy import deepcopy
from pathlib import Path
from datasets import load_dataset
from tokenizers import Tokenizer, models, pre_tokenizers, decoders, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, set_seed
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

folder, work = sys.argv[1:]
set_seed(0)
sft, preference = (load_dataset(folder, kind, cache_dir=f"{work}/cache") for kind in ("sft", "preference"))
texts = [m["content"] for row in sft["train"] for m in row["messages"]]
texts += [m["content"] for row in preference["train"] for name in ("prompt", "chosen", "rejected") for m in row[name]]
raw = Tokenizer(models.BPE())
raw.pre_tokenizer, raw.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
special = ["<pad>", "<end>", "<turn>"]
raw.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=600, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="<end>")
tokenizer.chat_template = (
    "{% for m in messages %}<turn>{{ m['role'] }}\n{{ m['content'] }}<end>{% endfor %}{% if add_generation_prompt %}<turn>assistant\n{% endif %}"
)

def model():
    shape = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2)
    return LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), pad_token_id=0, eos_token_id=1, bos_token_id=None, **shape))

common = dict(
    max_steps=6, per_device_train_batch_size=4, learning_rate=5e-3, logging_steps=1, report_to="none", save_strategy="no", use_cpu=True,
    lr_scheduler_type="constant", max_length=256, bf16=False, disable_tqdm=True,
)
def losses(trainer):
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]

student = SFTTrainer(
    model(), SFTConfig(f"{work}/sft", **common), train_dataset=sft["train"], eval_dataset=sft["validation"], processing_class=tokenizer
)
found = {"sft": losses(student), "eval": student.evaluate()["eval_loss"]}
# A model without a folder of its own has no reference to load: a copy is the same reference.
policy = model()
found["dpo"] = losses(
    DPOTrainer(policy, deepcopy(policy), DPOConfig(f"{work}/dpo", **common), train_dataset=preference["train"], processing_class=tokenizer)
)
Path(work, "losses.json").write_text(json.dumps(found))
"""


def release(tmp_path: Path) -> Path:
    """One with system messages, thinking, both kinds and all splits, in several shards."""
    thought = [{"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": "<think>\nTwo and two.\n</think>\n\n4"}]
    system = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why is the sky blue?"}, {"role": "assistant", "content": "Scattering."}]
    special = [mixed_row("a", "thought", messages=thought), mixed_row("a", "system", messages=system)]
    made = some_facts({"a": [*mixed_rows("a", 40), *special], "b": mixed_rows("b", 30, "preference")})
    return export.write(tmp_path / "release", made.version, made.rows, {"README.md": card.render(made), "release.json": facts.manifest(made)}, ["alpaca"])


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_trl_trains_on_a_release_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "SHARD_BYTES", 1500)
    folder = release(tmp_path)
    assert len(list(folder.glob("sft/train-*.parquet"))) > 1
    env = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path / "hf"),
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "2",
        "TOKENIZERS_PARALLELISM": "false",
    }
    done = subprocess.run([sys.executable, "-c", TRAINER, str(folder), str(tmp_path)], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    losses = json.loads((tmp_path / "losses.json").read_text())
    assert len(losses["sft"]) == len(losses["dpo"]) == 6
    # A model of random weights learns the template's own tokens at once; DPO begins at the logarithm of two.
    assert losses["sft"][-1] < losses["sft"][0] and 0 < losses["eval"] < 10
    assert abs(losses["dpo"][0] - 0.6931) < 0.01 and losses["dpo"][-1] < losses["dpo"][0]
    assert export.verify(folder) == []
