"""What penalties share: which tensors, in which precision, and inside a compiled function."""

import pytest
import torch
from torch import nn

from mainstem import penalty
from mainstem.errors import BadInput

KINDS = {"l1": (penalty.L1, torch.abs), "l2": (penalty.L2, torch.square)}


class Net(nn.Module):
    def __init__(self, hidden=5):
        super().__init__()
        self.embed = nn.Embedding(6, 4)
        self.up = nn.Linear(4, hidden)
        self.down = nn.Linear(hidden, 4)
        self.mix = nn.Parameter(torch.randn(2, 2))
        self.head = nn.Linear(4, 6, bias=False)
        self.head.weight = self.embed.weight

    def roles(self):
        return {"up.weight": "feedforward.in", "down.weight": "feedforward.out", "mix": "mix", "head.weight": "head"}

    def forward(self, tokens):
        return self.head(self.down(self.up(self.mix.sum() * self.embed(tokens))))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("on", "names"),
    [
        (None, ["embed.weight", "up.weight", "down.weight"]),
        ("feedforward", ["up.weight", "down.weight"]),
        ("head", ["embed.weight"]),
        ("*bias", ["up.bias", "down.bias"]),
    ],
)
def test_the_sum_is_over_what_is_selected_and_a_tied_tensor_counts_once(kind, on, names):
    torch.manual_seed(0)
    make, of = KINDS[kind]
    model = Net()
    value = make(0.3, on)(model)
    right = 0.3 * sum(of(model.get_parameter(name).double()).sum() for name in names)
    assert value.item() == pytest.approx(right.item(), rel=1e-6)
    value.backward()
    touched = {name for name, p in model.named_parameters() if p.grad is not None}
    assert touched == set(names)


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_weights_are_summed_in_float32(kind):
    make, of = KINDS[kind]
    layer = nn.Linear(300, 100, bias=False).bfloat16()
    value = make(1.0)(layer)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(of(layer.weight.detach().double()).sum().item(), rel=1e-5)
    value.backward()
    assert layer.weight.grad.dtype == torch.bfloat16


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_against_finite_differences(kind):
    torch.manual_seed(0)
    layer = nn.Linear(3, 2, bias=False).double()

    term = KINDS[kind][0](0.7)
    analytic = torch.autograd.grad(term(layer), layer.weight)[0].view(-1)
    flat = layer.weight.detach().view(-1)
    for index in range(len(flat)):
        flat[index] += 1e-6
        above = term(layer).item()
        flat[index] -= 2e-6
        numeric = (above - term(layer).item()) / 2e-6
        flat[index] += 1e-6
        assert analytic[index].item() == pytest.approx(numeric, rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("on", [None, "feedforward"])
def test_values_and_gradients_are_the_same_compiled(kind, on):
    torch.manual_seed(0)
    torch._dynamo.reset()
    term = KINDS[kind][0](0.1, on)

    def loss(model, tokens):
        return model(tokens).square().mean() + term(model)

    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    tokens = torch.randint(6, (3, 5))
    for model in (Net(), Net(hidden=3)):  # the second must not get the first one's tensors
        results = []
        for run in (loss, compiled):
            model.zero_grad()
            value = run(model, tokens)
            value.backward()
            results.append((value.detach(), [p.grad.clone() for p in model.parameters()]))
        torch.testing.assert_close(results[0], results[1])


def test_a_compiled_models_penalty_is_that_of_the_model():
    model = Net()
    assert torch.equal(penalty.L1(0.1)(torch.compile(model, backend="eager")), penalty.L1(0.1)(model))


def test_patterns_that_fit_nothing_and_impossible_coefs_are_refused():
    with pytest.raises(BadInput, match=r"'feedfoward'.*feedforward"):
        penalty.L1(0.1, on="feedfoward")(Net())
    for coef in (-1.0, float("nan"), float("inf")):
        with pytest.raises(BadInput, match=f"coef {coef} of L2"):
            penalty.L2(coef)
