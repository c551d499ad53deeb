import pytest
import torch
from torch import Tensor, nn

from mainstem import counter, noise
from mainstem.measure import cross_entropy
from mainstem.train.device import Place
from mainstem.train.loss import Batch, gradient, penalties
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

    def forward(self, x_BT: Tensor, documents_BT: Tensor | None = None, *, targets_BT: Tensor) -> Tensor:
        return cross_entropy(self.logits(x_BT), targets_BT)


def _batch(rows: int = 6) -> Batch:
    x = torch.arange(rows * 5).view(rows, 5) % 7
    return Batch(x, (x + 1) % 7, None, range(10, 10 + rows))


def _gradients(model: nn.Module) -> list[Tensor]:
    return [p.grad.clone() for p in model.parameters() if p.grad is not None]


@pytest.mark.parametrize("size", [1, 2, 4, 6, 100])
def test_a_split_batch_has_the_same_loss_and_gradient(size: int) -> None:
    model = Toy()
    whole = gradient(model, _batch(), (0, 1), 6, PLACE, Phases())
    expected = _gradients(model)
    model.zero_grad()
    loss = gradient(model, _batch(), (0, 1), size, PLACE, Phases())
    assert abs(loss.item() - whole.item()) < 1e-6
    for a, b in zip(_gradients(model), expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_the_loss_is_the_mean_over_tokens() -> None:
    model = Toy()
    batch = _batch()
    loss = gradient(model, batch, (3, 2), 6, PLACE, Phases())
    with counter.counter(seed=3, step=2, samples=batch.slots):
        logits = model.logits(batch.x_BT)
    expected = nn.functional.cross_entropy(logits.flatten(0, 1), batch.y_BT.flatten())
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert gradient(model, batch, (3, 3), 6, PLACE, Phases()).item() != pytest.approx(loss.item(), rel=1e-6)


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
