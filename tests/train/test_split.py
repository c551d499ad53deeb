"""A law: one batch of 12, three of 4, twelve of 1, with and without recomputation, are one computation."""

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from mainstem.model import LanguageModel, Rates, Settings
from mainstem.noise import Dropout
from mainstem.train.batch import Batch
from mainstem.train.device import Place
from mainstem.train.gradient import gradient
from mainstem.train.language import Language
from mainstem.train.phases import Phases

PLACE = Place(torch.device("cpu"), torch.float32)
RATES = Rates(embedding=0.1, attention_weights=0.2, attention=0.3, hidden=0.2, feedforward=0.1, depth=0.3)
FORMS = ["pre_norm", "post_norm", "hyper", "value_residual", "reversible", "denseformer"]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _model(form: str) -> LanguageModel:
    rates = RATES if form != "reversible" else Rates(hidden=0.2, feedforward=0.1)
    settings = Settings(vocab=17, layers=2, width=16, heads=2, context=8, init="gpt2", residual=form, rates=rates)
    return LanguageModel(settings, seed=1).train()


def _batch() -> Batch:
    ids = torch.arange(12 * 9).square().remainder(17).view(12, 9)
    return Batch({"tokens_BT": ids[:, :-1]}, ids[:, 1:], range(100, 112))


def _gradient(model: LanguageModel, size: int) -> Tensor:
    return gradient(Language().loss, model, _batch().split(size), 12 * 8, (5, 3), PLACE, Phases())


def _masks(model: LanguageModel) -> dict[str, list[Tensor]]:
    """Collect, by site, which elements each call of a dropout kept."""
    seen: dict[str, list[Tensor]] = {}

    def note(module: torch.nn.Module, given: tuple[Tensor, ...], made: Tensor) -> None:
        assert isinstance(module, Dropout)
        assert module.site is not None
        seen.setdefault(module.site, []).append((made != 0) | (given[0] == 0))

    for module in model.modules():
        if isinstance(module, Dropout):
            module.register_forward_hook(note)
    return seen


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("size", "recompute"), [(4, False), (1, False), (12, True)])
def test_same_masks_same_loss_same_gradient(form: str, size: int, recompute: bool) -> None:
    whole = _model(form)
    other = copy.deepcopy(whole)
    loss = _gradient(whole, 12)
    other.set_checkpoint(recompute)
    split = _gradient(other, size)
    assert abs(split.item() - loss.item()) < 1e-6
    for (name, a), b in zip(whole.named_parameters(), other.parameters(), strict=True):
        if a.grad is None:
            assert b.grad is None, name
        else:
            assert b.grad is not None, name
            torch.testing.assert_close(b.grad, a.grad, rtol=2e-4, atol=2e-6, msg=name)


def test_the_masks_of_a_part_are_rows_of_the_whole() -> None:
    whole, parts = _model("pre_norm"), _model("pre_norm")
    seen, split = _masks(whole), _masks(parts)
    _gradient(whole, 12)
    _gradient(parts, 4)
    assert seen
    flat = {site: masks for site, masks in seen.items() if len(masks) == 1 and masks[0].shape[0] == 12}
    assert flat
    for site, masks in flat.items():
        assert not masks[0].all(), site
        assert torch.equal(torch.cat(split[site]), masks[0]), site
