"""What holds for every penalty of the catalogue: as a term of the loss, as a proximal step, and in what it declares."""

import copy
import dataclasses

import pytest
import torch
from torch import nn

from mainstem import catalogue, config, optim, penalty
from mainstem.errors import BadInput

NAMES = catalogue.names("penalty")
PROXIMAL = [name for name in NAMES if catalogue.resolve("penalty", name).proximable]
ELEMENTWISE = [name for name in PROXIMAL if catalogue.resolve("penalty", name).elementwise]
ANCHORED = [name for name in NAMES if catalogue.resolve("penalty", name).anchored]
SHRINKING = [name for name in NAMES if catalogue.resolve("penalty", name).shrinks or name in ANCHORED]
each = pytest.mark.parametrize("name", NAMES)
each_shrinking = pytest.mark.parametrize("name", SHRINKING)
each_elementwise = pytest.mark.parametrize("name", ELEMENTWISE)
each_proximal = pytest.mark.parametrize("name", PROXIMAL)
LR, COEF = 0.1, 0.8


class Net(nn.Module):
    """A tied matrix, a mixing matrix, norms and biases: what a penalty takes unasked, and what it does not."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(6, 4)
        self.up = nn.Linear(4, 5)
        self.norm = nn.LayerNorm(5)
        self.mix = nn.Parameter(torch.randn(2, 2))
        self.head = nn.Linear(4, 6, bias=False)
        self.head.weight = self.embed.weight

    def roles(self):
        return {"up.weight": "feedforward.in", "mix": "mix", "head.weight": "head"}


def of(name, **options):
    return catalogue.resolve("penalty", name)(COEF, **options)


def value(term, w):
    """Return R(w) of one tensor in float64."""
    return COEF * term.of(w.double())


@each
def test_it_is_a_frozen_penalty_that_a_configuration_makes(name):
    term = of(name)
    assert isinstance(term, penalty.Penalty)
    assert [field.name for field in dataclasses.fields(term)][:2] == ["coef", "on"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        term.coef = 1.0
    assert penalty.make([config.PenaltyTerm(name=name, coef=COEF, on="mix")]) == [of(name, on="mix")]
    assert eval(repr(term), {type(term).__name__: type(term)}) == term  # the audit table names it so
    assert all(f"{field.name}=" in repr(term) for field in dataclasses.fields(term) if field.compare)


@each_shrinking
def test_it_is_zero_at_zero_and_positive_elsewhere_and_convex(name):
    term = of(name)
    torch.manual_seed(0)
    a, b = torch.randn(2, 3, 4)
    assert value(term, torch.zeros(3, 4)) == 0 and value(term, a) > 0
    assert value(term, 0.3 * a + 0.7 * b) < 0.3 * value(term, a) + 0.7 * value(term, b)
    # Along a ray too, where no signs cancel.
    assert value(term, 2 * a) <= (value(term, a) + value(term, 3 * a)) / 2 + 1e-9


@each
def test_unasked_it_takes_the_matrices_and_a_tied_one_once(name):
    torch.manual_seed(0)
    model = Net()
    term, anchored = of(name).begin(model), name in ANCHORED
    began = copy.deepcopy(model)
    for p in model.parameters():
        p.data += torch.randn_like(p)
    total = term(model)
    pairs = ((model.embed.weight, began.embed.weight), (model.up.weight, began.up.weight))
    right = sum(value(term, w - w0 if anchored else w) for w, w0 in pairs)
    torch.testing.assert_close(total.double(), right, rtol=1e-6, atol=0)
    total.backward()
    assert {n for n, p in model.named_parameters() if p.grad is not None} == {"embed.weight", "up.weight"}


@each
def test_its_gradient_is_that_of_finite_differences(name):
    torch.manual_seed(0)
    w = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(of(name).of, (w,))


def objective(term, w, v, metric):
    """Return 1/(2 lr) sum metric (w - v)^2 + R(w), for weights [..., N] one by one."""
    pieces = torch.stack([value(term, x) for x in w.reshape(-1)]).reshape(w.shape)
    return metric * (w - v).square() / (2 * LR) + pieces


METRICS = {"euclid": lambda shape: 1.0, "adam": lambda shape: torch.rand(shape, dtype=torch.float64) * 3 + 0.01}


@each_proximal
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("shape", [(7, 5), (9,), (3, 2, 4)])
def test_no_step_away_from_a_proximal_step_is_better(name, metric, shape):
    """In whole tensors, whatever R's groups are: along random directions, towards zero, and for each row and column."""
    torch.manual_seed(3)
    term = of(name)
    v = torch.randn(shape).double() * torch.logspace(-2, 0.3, shape[0]).double().view(-1, *[1] * (len(shape) - 1))
    d = METRICS[metric](v.shape)
    w = term.prox(v, LR, d)

    def at(x):
        return (d * (x - v).square()).sum() / (2 * LR) + value(term, x)

    best = at(w)
    around = [torch.randn_like(v) * size for size in (1e-4, 1e-2, 1.0) for _ in range(10)]
    around += [w.clone().index_fill_(0, torch.tensor([row]), 0.0) - w for row in range(shape[0])]
    around += [torch.eye(shape[0]).double()[row].view(-1, *[1] * (len(shape) - 1)) * (v - w) for row in range(shape[0])]
    assert all(at(w + step) >= best - 1e-12 for step in [*around, -w, v - w])
    assert (w == 0).any() == (name != "l2") or len(shape) == 1


@each_elementwise
@pytest.mark.parametrize("metric", METRICS)
def test_the_proximal_step_is_the_minimum(name, metric):
    """No point nearby, and none further off, is better: for every weight, in the metric."""
    torch.manual_seed(0)
    term = of(name)
    v = torch.cat([torch.randn(20), torch.tensor([0.0, 0.01, -0.01])]).double()
    d = METRICS[metric](v.shape)
    w = term.prox(v, LR, d)
    best = objective(term, w, v, d)
    for shift in (1e-4, -1e-4, 0.05, -0.05, 1.0, -1.0):
        assert (objective(term, w + shift, v, d) > best).all()
    assert (best <= objective(term, torch.zeros_like(v), v, d) + 1e-15).all()


@each_elementwise
@pytest.mark.parametrize("metric", METRICS)
def test_the_proximal_step_meets_the_condition_of_optimality(name, metric):
    """metric (v - w) / lr is a subgradient of R at w: the derivative, or at a kink within both one-sided ones."""
    torch.manual_seed(1)
    term = of(name)
    v = torch.cat([torch.randn(30), torch.zeros(1)]).double()
    d = METRICS[metric](v.shape)
    w = term.prox(v, LR, d)
    force = d * (v - w) / LR
    step = 1e-7
    above = torch.stack([(value(term, x + step) - value(term, x)) / step for x in w])
    below = torch.stack([(value(term, x) - value(term, x - step)) / step for x in w])
    assert (force <= above + 1e-5).all() and (force >= below - 1e-5).all()


@each_proximal
def test_a_proximal_step_shrinks_keeps_signs_and_goes_to_nothing_with_its_coef(name):
    v = torch.randn(100)
    w = of(name).prox(v, LR)
    assert (w.abs() <= v.abs()).all() and (w * v >= 0).all() and w.dtype == v.dtype
    assert catalogue.resolve("penalty", name)(0.0).prox(v, LR).equal(v)


@each
def test_patterns_that_fit_nothing_and_impossible_coefs_are_refused(name):
    with pytest.raises(BadInput, match=r"'feedfoward'.*feedforward"):
        of(name, on="feedfoward").begin(Net())(Net())
    if name in ELEMENTWISE:
        with pytest.raises(BadInput, match="feedfoward"):
            optim.AdamW(optim.groups(Net()), proximal=of(name, on="feedfoward"))
    if name not in PROXIMAL:
        with pytest.raises(BadInput, match="cannot be a proximal step"):
            optim.AdamW(optim.groups(Net()), proximal=of(name))
    for coef in (-1.0, float("nan"), float("inf")):
        with pytest.raises(BadInput, match=f"coef {coef} of {type(of(name)).__name__}"):
            catalogue.resolve("penalty", name)(coef)


@each
def test_what_it_holds_on_to_is_taken_up_again(name):
    """A penalty that goes on from an anchor is the one that had it, whatever the weights are by then."""
    model = Net()
    term = of(name).begin(model)
    assert bool(term.anchor()) == type(term).anchored
    for p in model.parameters():
        p.data += 1
    again = of(name).begin(model, term.anchor())
    assert again(model).equal(term(model)) and again == term == of(name)
    if term.anchored:
        assert of(name).begin(model)(model) == 0 != term(model)
        for wrong in (term.anchor() | {"other": torch.ones(1)}, {}):
            with pytest.raises(BadInput, match="differ in"):
                of(name).begin(model, wrong)
        with pytest.raises(BadInput, match=r"does not know where training began: call term = term\.begin\(model\)"):
            of(name)(model)
        with pytest.raises(BadInput, match="cannot be a proximal step"):
            optim.AdamW(optim.groups(model), proximal=term)
