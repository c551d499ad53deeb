"""What a step minimises, and that a held-out score is the plain cross-entropy whatever that is."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from learners import made, with_loss
from torch import nn

from mainstem import config
from mainstem.model import LanguageModel, Settings
from mainstem.train.task import Part


@pytest.mark.parametrize(("smoothing", "z_loss"), [(0.0, 0.0), (0.3, 0.0), (0.0, 0.5), (0.3, 0.5)])
def test_a_step_minimises_what_the_section_says(tmp_path: Path, smoothing: float, z_loss: float) -> None:
    learner = with_loss(made(tmp_path), config.Loss(values={"label_smoothing": smoothing, "z_loss": z_loss}))
    batch = learner.task.batch(learner, 1, range(4))
    logits_NV = learner.model(**batch.inputs).flatten(0, 1)
    expected = F.cross_entropy(logits_NV, batch.targets.flatten(), label_smoothing=smoothing)
    expected = expected + z_loss * logits_NV.logsumexp(1).square().mean()
    first = next(learner.model.parameters())
    wanted = torch.autograd.grad(expected, first)[0]
    seen: list[torch.Tensor] = []
    first.register_hook(lambda grad: seen.append(grad.clone()))
    assert learner.step(1).numbers["loss"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert torch.allclose(torch.stack(seen).sum(0), wanted, atol=1e-6)


def test_a_head_that_is_hooked_minimises_the_same() -> None:
    model = LanguageModel(Settings(vocab=11, layers=1, width=16, heads=2, context=8, head="untied"))
    assert isinstance(model.head, nn.Module)
    tokens = torch.arange(8)[None]
    for reduction in ("sum", "none"):
        terms = {"targets_BT": tokens, "label_smoothing": 0.2, "z_loss": 0.3, "reduction": reduction}
        plain = model(tokens, **terms)
        handle = model.head.register_forward_hook(lambda *_: None)
        assert torch.allclose(model(tokens, **terms), plain, atol=1e-4)
        handle.remove()


def test_a_held_out_score_is_plain(tmp_path: Path) -> None:
    learner = made(tmp_path)
    other = with_loss(learner, config.Loss(values={"label_smoothing": 0.5, "z_loss": 1.0}))
    part = Part(3, 3, 96)
    assert learner.measure(part) == other.measure(part)
    x = torch.arange(16)[None]
    plain = learner.model.losses(x, x)  # type: ignore[operator]
    assert torch.allclose(plain.flatten(), F.cross_entropy(learner.model(x)[0], x[0], reduction="none"), atol=1e-5)
