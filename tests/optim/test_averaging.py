"""The exponential average of the weights."""

import pytest
import torch
from torch import nn

from mainstem.errors import BadInput
from mainstem.optim import SWA
from mainstem.optim.averaging import Average


def net(seed=0):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Embedding(3, 2), nn.Linear(2, 3, bias=False), nn.LayerNorm(3))
    model[1].weight = model[0].weight
    return model


def moved(model, seed):
    torch.manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn_like(p))
    return {name: p.detach().clone() for name, p in model.named_parameters()}


def held(average):
    """Return the averages without the number of updates."""
    return {name: value for name, value in average.state().items() if name != "average.updates"}


def test_the_first_update_copies_and_the_others_are_the_recurrence():
    model = net()
    average = Average(model, decay=0.3)
    assert average.state() == {}
    right = moved(model, 0)
    average.update(model)
    assert all(torch.equal(value, right[name]) for name, value in held(average).items())
    for seed, decay in ((1, 2 / 11), (2, 3 / 12), (3, 0.3), (4, 0.3)):
        now = moved(model, seed)
        right = {name: decay * right[name] + (1 - decay) * now[name] for name in right}
        average.update(model)
    assert list(held(average)) == ["0.weight", "2.weight", "2.bias"]  # the tied matrix once
    for name, value in held(average).items():
        torch.testing.assert_close(value, right[name])


@pytest.mark.parametrize("decay", [0.9, 0.999, 0.999999])
def test_however_long_it_is_it_leaves_the_first_steps_behind(decay):
    """Weights that are t at update t have the average that a sum over all of them, written out in float64, has."""
    model = nn.Linear(1, 1, bias=False).double()
    average, factors = Average(model, decay=decay), []
    for t in range(200):
        model.weight.data.fill_(t)
        average.update(model)
        bound = min(decay, (1 + t) / (10 + t)) if t else 0.0
        factors = [factor * bound for factor in factors] + [1 - bound]
    right = sum(t * factor for t, factor in enumerate(factors))
    assert sum(factors) == pytest.approx(1, abs=1e-12)
    assert average.state()["weight"].item() == pytest.approx(right, rel=1e-12)
    assert 178.9 < right < 199  # over the last tenth of the steps at most; 0.999 from the start would give 18


def test_swap_puts_the_average_in_and_the_weights_back_even_after_an_error():
    model = net()
    average = Average(model, decay=0.5)
    average.update(model)
    own = moved(model, 1)
    average.update(model)
    with pytest.raises(ZeroDivisionError), average.swap(model):  # noqa: PT012  what it holds inside matters
        assert all(torch.equal(p, average.state()[name]) for name, p in model.named_parameters())
        assert not torch.equal(model[0].weight, own["0.weight"])
        1 / 0  # noqa: B018  the error is the point
    assert all(torch.equal(p, own[name]) for name, p in model.named_parameters())
    average.update(model)  # allowed again


def test_swaps_nest_and_no_update_is_taken_inside_one():
    model = net()
    average = Average(model, decay=0.5)
    average.update(model)
    own = moved(model, 1)
    with average.swap(model):
        with average.swap(model):
            assert torch.equal(model[0].weight, average.state()["0.weight"])
        assert torch.equal(model[0].weight, average.state()["0.weight"])
        with pytest.raises(RuntimeError, match="after the swap"):
            average.update(model)
    assert torch.equal(model[0].weight, own["0.weight"])


def test_before_the_first_update_swap_changes_nothing():
    model = net()
    own = moved(model, 1)
    with Average(model, decay=0.5).swap(model):
        assert torch.equal(model[0].weight, own["0.weight"])


def test_going_on_from_a_saved_state_is_exact():
    model, whole = net(), Average(net(), decay=0.9)
    for seed in range(5):
        moved(model, seed)
        whole.update(model)
        if seed == 2:
            resumed = Average(net(), decay=0.9)
            resumed.load(whole.state())
        elif seed > 2:
            resumed.update(model)
    assert all(torch.equal(value, resumed.state()[name]) for name, value in whole.state().items())
    assert all(value.data_ptr() != whole.state()[name].data_ptr() for name, value in resumed.state().items())
    fresh = Average(net(), decay=0.9)
    fresh.load({})
    assert fresh.state() == {}


def test_half_precision_weights_are_averaged_in_float32():
    model = nn.Linear(1, 1, bias=False).bfloat16()
    average = Average(model, decay=0.1)
    model.weight.data.fill_(1.1)  # 1.1015625 in bfloat16
    average.update(model)
    model.weight.data.fill_(1.0)
    average.update(model)
    model.weight.data.fill_(1.1)
    average.update(model)
    assert average.state()["weight"].item() == pytest.approx(1.0924219, abs=1e-6)  # 1.09375 in bfloat16
    with average.swap(model):
        assert model.weight.dtype == torch.bfloat16
    assert model.weight.item() == 1.1015625


def test_another_model_and_another_decay_are_refused():
    average = Average(net(), decay=0.5)
    with pytest.raises(BadInput, match=r"0\.bias|0\.weight"):
        average.update(nn.Sequential(nn.Linear(2, 2)))
    zeros = {name: torch.zeros(p.shape) for name, p in net().named_parameters()}
    saved = zeros | {"average.updates": torch.tensor(3)}
    average.load(saved)
    with pytest.raises(BadInput, match=r"9\.weight"):
        average.load(saved | {"9.weight": torch.zeros(1)})
    with pytest.raises(BadInput, match=r"2\.bias"):
        average.load(saved | {"2.bias": torch.zeros(4)})
    with pytest.raises(BadInput, match=r"average\.updates"):
        average.load(zeros)
    with pytest.raises(BadInput, match=r"1\.0"):
        Average(net(), decay=1.0)


@pytest.mark.parametrize(
    ("before", "after", "first"), [(30, 5, 10), (5, 3, 5), (5, 12, 12), (30, 10, 10), (30, 15, 15), (5, 5, 5)]
)
def test_a_mean_of_the_last_weights_is_one_where_their_number_changes_in_between(
    before: int, after: int, first: int
) -> None:
    """As in a run with a budget: the mean begins when it should, or at once, and keeps the weights that it has."""
    model = nn.Linear(1, 1, bias=False)
    average = Average(model, SWA(begin=before))
    for number in range(20):
        if number == 10:
            average.go_by(SWA(begin=after), number)
        model.weight.data.fill_(float(number))
        average.update(model)
    with average.swap(model):
        assert model.weight.item() == pytest.approx(sum(range(first, 20)) / (20 - first))
