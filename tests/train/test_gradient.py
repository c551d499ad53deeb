import pytest
import torch
from torch import Tensor, nn

from mainstem import counter, noise
from mainstem.measure import cross_entropy
from mainstem.train.batch import Batch
from mainstem.train.device import Place
from mainstem.train.gradient import gradient, penalties
from mainstem.train.language import Language
from mainstem.train.phases import Phases

PLACE = Place(torch.device("cpu"), torch.float32)


class Toy(nn.Module):
    """Embedding, dropout, head: rows that draw their own masks."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(7, 16)
        self.drop = noise.Dropout(0.5)
        self.head = nn.Linear(16, 7)
        noise.bind(self)

    def logits(self, x_BT: Tensor) -> Tensor:
        out: Tensor = self.head(self.drop(self.embed(x_BT)))
        return out

    def forward(self, tokens_BT: Tensor, *, targets_BT: Tensor, reduction: str = "sum") -> Tensor:
        logits_BTV = self.logits(tokens_BT)
        if reduction == "sum":
            return cross_entropy(logits_BTV, targets_BT)
        return nn.functional.cross_entropy(logits_BTV.transpose(1, 2), targets_BT, reduction="none")


def _batch(rows: int = 6) -> Batch:
    x = torch.arange(rows * 5).view(rows, 5) % 7
    return Batch({"tokens_BT": x}, (x + 1) % 7, range(10, 10 + rows))


def _gradient(model: Toy, batch: Batch, draw: tuple[int, int], size: int) -> Tensor:
    return gradient(Language().loss, model, batch.split(size), batch.divisor, draw, PLACE, Phases())


def _gradients(model: nn.Module) -> list[Tensor]:
    return [p.grad.clone() for p in model.parameters() if p.grad is not None]


@pytest.mark.parametrize("size", [1, 2, 4, 6, 100])
def test_a_split_batch_has_the_same_loss_and_gradient(size: int) -> None:
    model = Toy()
    whole = _gradient(model, _batch(), (0, 1), 6)
    expected = _gradients(model)
    model.zero_grad()
    loss = _gradient(model, _batch(), (0, 1), size)
    assert abs(loss.item() - whole.item()) < 1e-6
    for a, b in zip(_gradients(model), expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_the_loss_is_the_mean_over_tokens() -> None:
    model = Toy()
    batch = _batch()
    loss = _gradient(model, batch, (3, 2), 6)
    with counter.counter(seed=3, step=2, samples=batch.slots):
        logits = model.logits(batch.inputs["tokens_BT"])
    expected = nn.functional.cross_entropy(logits.flatten(0, 1), batch.targets.flatten())
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert _gradient(model, batch, (3, 3), 6).item() != pytest.approx(loss.item(), rel=1e-6)


def test_a_weight_of_zero_leaves_a_target_out_however_the_batch_is_split() -> None:
    model, batch = Toy(), _batch()
    weight = (torch.arange(30).view(6, 5) % 3 > 0).float()
    whole = _gradient(model, batch._replace(weight=weight), (0, 1), 6)
    expected = _gradients(model)
    with counter.counter(seed=0, step=1, samples=batch.slots):
        logits = model.logits(batch.inputs["tokens_BT"])
    targets = torch.where(weight > 0, batch.targets, -100)
    left = nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
    assert whole.item() == pytest.approx(left.item(), rel=1e-6)
    model.zero_grad()
    _gradient(model, batch._replace(weight=weight), (0, 1), 2)
    for a, b in zip(_gradients(model), expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_penalties_are_added_once_and_reported_apart() -> None:
    model = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[3.0, -4.0]]))
    value = penalties([lambda m: m.weight.abs().sum(), lambda m: 0.5 * m.weight.square().sum()], model)
    assert value is not None
    assert value.item() == pytest.approx(7.0 + 12.5)
    assert model.weight.grad is not None
    assert model.weight.grad.tolist() == [[4.0, -5.0]]
    assert penalties([], model) is None
