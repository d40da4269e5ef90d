"""A tiny cross-encoder with random weights, made here: nothing comes from a hub."""

from __future__ import annotations

from pathlib import Path

_WORDS = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "user", "logged", "in", "authentication",
    "account", "change", "api", "activity", "events", "report", "something", "dns", "query",
    "answered", ".", ",", "##s", "##ed",
]  # fmt: skip


def build_cross_encoder(folder: Path, outputs: int = 1) -> Path:
    """Write a model of one layer and its tokenizer into `folder`; return it."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder.mkdir(parents=True)
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(_WORDS) + "\n", encoding="utf-8")
    tokenizer = BertTokenizerFast(vocab={word: at for at, word in enumerate(_WORDS)})
    tokenizer.save_pretrained(folder)
    torch.manual_seed(7)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=256,
        num_labels=outputs,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder
