"""Healthy models of the library transformers, with random weights: all is measured, and nothing is called a fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import healthy
import pytest
import torch
from torch import nn

from mainstem import measure
from mainstem.measure.quantity import QUANTITIES

transformers = pytest.importorskip("transformers")

SIZES: dict[str, Any] = {"hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 256}
TEXT: dict[str, Any] = {**SIZES, "vocab_size": 101, "max_position_embeddings": 32}
TOKENS: dict[str, Any] = {"bos_token_id": None, "eos_token_id": None}


def gpt2(attention: str) -> nn.Module:
    config = transformers.GPT2Config(n_layer=4, n_embd=64, n_head=4, vocab_size=101, n_positions=32,
                                     attn_implementation=attention, **TOKENS)  # fmt: skip
    return transformers.GPT2LMHeadModel(config)


MODELS: dict[str, Callable[[], nn.Module]] = {
    "gpt2-eager": lambda: gpt2("eager"),
    "gpt2-sdpa": lambda: gpt2("sdpa"),
    "llama": lambda: transformers.LlamaForCausalLM(transformers.LlamaConfig(**TEXT, num_key_value_heads=2, **TOKENS)),
    "bert": lambda: transformers.BertForSequenceClassification(transformers.BertConfig(**TEXT, num_labels=5)),
    "vit": lambda: transformers.ViTForImageClassification(
        transformers.ViTConfig(**SIZES, image_size=32, patch_size=8, num_labels=5)
    ),
    "resnet": lambda: transformers.ResNetForImageClassification(
        transformers.ResNetConfig(embedding_size=16, hidden_sizes=[16, 32, 64, 64], depths=[1, 1, 1, 1],
                                  layer_type="basic", num_labels=5)
    ),
}  # fmt: skip


def batch(name: str) -> dict[str, torch.Tensor]:
    if name in ("vit", "resnet"):
        return {"pixel_values": torch.randn(16, 3, 32, 32), "labels": torch.randint(0, 5, (16,))}
    ids = torch.randint(0, 101, (16, 24))
    return {"input_ids": ids, "labels": torch.randint(0, 5, (16,)) if name == "bert" else ids}


ABSENT = {"resnet": {"branch_share", "attention_logit", "attention_entropy"}}


@pytest.mark.parametrize("name", MODELS)
def test_a_healthy_model_has_every_number_and_no_fault_at_the_start_and_after_training(
    name: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model, given = MODELS[name](), batch(name)
    optimizer = healthy.optimizer(model)

    def steps(number: int) -> None:
        for _ in range(number):
            model(**given).loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    for before in (0, 48):
        steps(before)
        with measure.watch(model, optimizer=optimizer) as m:
            steps(2)
        assert len(m.taps().names("stream")) == 4
        assert [str(finding) for finding in m.diagnose()] == []
        assert set(m.results) == {kind.name for kind in QUANTITIES} - ABSENT.get(name, set())
        assert m.table().count("\n") >= len(m.results)
        for quantity in set(m.results) - {"noise_scale"}:  # inf, where the batch is too small to tell
            assert m.figure(quantity).write_html(tmp_path / "figure.html").stat().st_size > 1000
