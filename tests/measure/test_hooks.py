"""What the hooks of a pass hand to the quantities."""

import numpy as np
import pytest
import torch

from mainstem import measure
from mainstem.model import LanguageModel, Settings


@pytest.mark.parametrize("residual", ["hyper", "pre_norm"])
def test_a_token_of_several_streams_is_one_row(residual):
    """By the definitions, in numpy's float64, of the streams that a hook of our own has seen."""
    model = LanguageModel(Settings(vocab=50, layers=2, width=16, heads=2, context=8, residual=residual), seed=3).eval()
    with torch.no_grad():
        weight = model.get_submodule("embedding").weight
        weight.copy_(
            torch.linspace(0.5, 2.0, 50)[:, None] * torch.randn(16, generator=torch.Generator().manual_seed(0))
        )
    seen = []

    def look(_module, args, output):
        for state in [args[0], output] if not seen else [output]:
            main = state.main.detach().double()
            seen.append(main.reshape(main.shape[0] * main.shape[1], -1).numpy())

    names = [f"blocks.{block}.{part}" for block in (0, 1) for part in ("attention", "feedforward")]
    for name in names:
        model.get_submodule(name).register_forward_hook(look)
    x_BT = torch.arange(16).reshape(2, 8)
    with measure.watch(model) as m:
        model(x_BT)
    assert list(m.results["effective_rank"]) == ["input", *names]
    ranks = list(m.results["effective_rank"].values())
    assert ranks[0] == pytest.approx(1.0, abs=1e-4)  # the stream of embeddings that all have one direction
    for found, rows in zip(ranks, seen, strict=True):
        sigma = np.linalg.svd(rows, compute_uv=False)
        share = sigma[sigma > 0] / sigma.sum()
        assert found == pytest.approx(float(np.exp(-(share * np.log(share)).sum())), rel=1e-3)
    influence = list(m.results["block_influence"].values())
    for found, a, b in zip(influence, seen[:-1], seen[1:], strict=True):
        cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
        assert found == pytest.approx(1 - cosine.mean(), abs=1e-4)
