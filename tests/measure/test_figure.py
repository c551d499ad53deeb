"""A single figure: its page, and why there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from mainstem import measure
from mainstem.errors import BadInput


def test_a_figure_draws_the_numbers_by_tap(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    with measure.watch(model) as m:
        model(torch.randn(8, 4)).sum().backward()
    drawn = m.figure("stream")
    assert [y for _, y in drawn.figure.lines[0].points] == list(m.results["stream"].values())
    text = drawn.write_html(tmp_path / "stream.html").read_text()
    assert "of Sequential" in text
    assert text.count("<figure") == 1


def test_what_a_model_does_not_have_is_named_as_the_reason() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3))
    with measure.watch(model) as m:
        model(torch.randn(2, 3, 9, 9)).sum().backward()
    with pytest.raises(BadInput, match="no such tap, as no child of a block is called attention or feed-forward"):
        m.figure("branch_share")
    with pytest.raises(BadInput, match="no such tap, as no class has attention in its name"):
        m.figure("attention_logit")
    with pytest.raises(BadInput, match="no such tap, as no linear layer"):
        m.figure("noise_scale")


def test_what_was_not_done_is_named_as_the_reason() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    with measure.watch(model) as m:
        pass
    with pytest.raises(BadInput, match="call the model and backward inside the `with`"):
        m.figure("gradient_flow")
    with pytest.raises(BadInput, match="There is no quantity 'nonsense'"):
        m.figure("nonsense")
    with measure.watch(model) as m:  # equal samples of opposite gradients: no batch is large enough
        (model(torch.ones(2, 4)) * torch.tensor([[1.0], [-1.0]])).sum().backward()
    with pytest.raises(BadInput, match="none of them is finite"):
        m.figure("noise_scale")
