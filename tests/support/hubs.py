"""Small models of transformers and timm with random weights and dropout, and what they are called with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

SIZES: dict[str, Any] = {"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 256}
TEXT: dict[str, Any] = {**SIZES, "vocab_size": 101, "max_position_embeddings": 32}
TOKENS: dict[str, Any] = {"bos_token_id": None, "eos_token_id": None}


def gpt2(attention: str = "sdpa") -> nn.Module:
    import transformers

    config = transformers.GPT2Config(
        n_layer=4, n_embd=64, n_head=4, vocab_size=101, n_positions=32, attn_implementation=attention, **TOKENS
    )
    return transformers.GPT2LMHeadModel(config)


def llama() -> nn.Module:
    import transformers

    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**TEXT, num_key_value_heads=2, **TOKENS))


def opt() -> nn.Module:
    import transformers

    config = transformers.OPTConfig(
        vocab_size=101,
        hidden_size=64,
        ffn_dim=256,
        num_hidden_layers=4,
        word_embed_proj_dim=64,
        num_attention_heads=4,
        max_position_embeddings=32,
        pad_token_id=0,
        **TOKENS,
    )
    return transformers.OPTForCausalLM(config)


def bert() -> nn.Module:
    import transformers

    return transformers.BertForSequenceClassification(transformers.BertConfig(**TEXT, num_labels=5))


def distilbert() -> nn.Module:
    import transformers

    config = transformers.DistilBertConfig(
        vocab_size=101, max_position_embeddings=32, n_layers=4, n_heads=4, dim=64, hidden_dim=256, num_labels=5
    )
    return transformers.DistilBertForSequenceClassification(config)


def t5() -> nn.Module:
    import transformers

    config = transformers.T5Config(
        vocab_size=101,
        d_model=64,
        d_kv=16,
        d_ff=256,
        num_layers=2,
        num_heads=4,
        decoder_start_token_id=0,
        pad_token_id=0,
        eos_token_id=1,
    )
    return transformers.T5ForConditionalGeneration(config)


def vit() -> nn.Module:
    import transformers

    config = transformers.ViTConfig(
        **SIZES, image_size=32, patch_size=8, num_labels=5, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1
    )
    return transformers.ViTForImageClassification(config)


def swin() -> nn.Module:
    import transformers

    config = transformers.SwinConfig(
        image_size=32,
        patch_size=2,
        embed_dim=32,
        depths=[2, 2],
        num_heads=[2, 4],
        window_size=4,
        drop_path_rate=0.1,
        hidden_dropout_prob=0.1,
        num_labels=5,
    )
    return transformers.SwinForImageClassification(config)


def resnet() -> nn.Module:
    import transformers

    config = transformers.ResNetConfig(
        embedding_size=16, hidden_sizes=[16, 32, 64, 64], depths=[1, 1, 1, 1], layer_type="basic", num_labels=5
    )
    return transformers.ResNetForImageClassification(config)


MODELS: dict[str, Callable[[], nn.Module]] = {
    "gpt2-eager": lambda: gpt2("eager"),
    "gpt2-sdpa": gpt2,
    "llama": llama,
    "opt": opt,
    "bert": bert,
    "distilbert": distilbert,
    "t5": t5,
    "vit": vit,
    "swin": swin,
    "resnet": resnet,
}
IMAGES = ("vit", "swin", "resnet")


def batch(name: str, rows: int = 16) -> dict[str, Tensor]:
    """Return what a model of MODELS is called with, the loss among what it returns."""
    if name in IMAGES:
        return {"pixel_values": torch.randn(rows, 3, 32, 32), "labels": torch.randint(0, 5, (rows,))}
    ids = torch.randint(2, 101, (rows, 24))
    if name in ("bert", "distilbert"):
        return {"input_ids": ids, "labels": torch.randint(0, 5, (rows,))}
    return {"input_ids": ids, "labels": ids.flip(1) if name == "t5" else ids}
