"""A real, tiny text classifier: a BERT of one layer whose weights say that the word "vile" speaks for the last label."""

from pathlib import Path
from typing import Any

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "vile", "kind", "words", "are", "you", "about", "birds", "write", "a", "note", "they", "sing")


def save_classifier(folder: Path, labels: dict[int, str], **settings: Any) -> Path:
    """Write such a model with these labels into `folder`."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer", "model_max_length": 16}', encoding="utf-8")
    shape: dict[str, Any] = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8, "max_position_embeddings": 16}
    config = BertConfig(vocab_size=len(WORDS), id2label=labels, label2id={name: number for number, name in labels.items()}, **(shape | settings))
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
