"""Rates over depth and over steps: endpoints, courses, what is refused, and that modules follow."""

import pytest
import torch
from torch import nn

from mainstem import noise
from mainstem.errors import BadInput
from mainstem.noise import Bernoulli, Rate
from mainstem.stream import sites

STEPS = 101


def course(**fields):
    return [Rate(0.4, **fields).at(None, step, STEPS) for step in (1, 26, 51, 76, 101)]


def test_each_course_has_its_endpoints():
    assert course() == [0.4] * 5
    assert course(end=0.5) == [0.4, 0.4, 0.4, 0.0, 0.0]
    assert course(begin=0.5) == [0.0, 0.0, 0.4, 0.4, 0.4]
    assert course(course="rising") == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])
    assert course(course="falling") == pytest.approx([0.4, 0.3, 0.2, 0.1, 0.0])
    assert course(course="rising", begin=0.25, end=0.75) == pytest.approx([0.0, 0.0, 0.2, 0.4, 0.4])
    assert course(course="falling", end=0.5) == pytest.approx([0.4, 0.2, 0.0, 0.0, 0.0])
    assert Rate(0.4, course="falling").at(None, 1, 1) == 0.4


def test_over_depth_it_grows_to_its_value_at_the_last_sublayer():
    places = sites(("attention", "feedforward"), 2, 8)
    assert [Rate(0.2, depth="linear").at(site, 1, 9) for site in places] == pytest.approx([0.05, 0.1, 0.15, 0.2])
    assert [Rate(0.2).at(site, 1, 9) for site in places] == [0.2] * 4
    falling = Rate(0.2, depth="linear", course="falling")
    assert falling.there(places[1]) == Rate(0.1, course="falling") and falling.at(places[1], 5, 9) == 0.05


def test_over_depth_it_falls_from_its_value_at_the_first_sublayer():
    places = sites(("attention", "feedforward"), 2, 8)
    falling = Rate(0.2, depth="falling")
    assert [falling.at(site, 1, 9) for site in places] == pytest.approx([0.2, 0.15, 0.1, 0.05])
    assert falling.at(None, 1, 9) == 0.2


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"value": 1.5}, "rate 1.5 is not a probability"),
        ({"value": float("nan")}, "rate nan is not a probability"),
        ({"value": 0.1, "begin": 0.5, "end": 0.5}, "begin 0.5 and end 0.5"),
        ({"value": 0.1, "end": 1.5}, "end 1.5"),
        ({"value": 0.1, "depth": "quadratic"}, "depth 'quadratic'.*constant, linear, falling"),
        ({"value": 0.1, "course": "up"}, "course 'up'.*rising"),
    ],
)
def test_what_is_no_rate_is_refused(fields, said):
    with pytest.raises(BadInput, match=said):
        Rate(**fields)


def test_at_step_sets_scheduled_rates_and_no_others():
    rising, plain = Bernoulli(Rate(0.4, course="rising")).build(), Bernoulli(0.3).build()
    model = noise.bind(nn.ModuleDict({"rising": rising, "plain": plain}))
    assert rising.rate == 0.0 and rising.dropping
    plain.p = 0.7
    x = torch.ones(2, 4, 64)
    for step, share in ((1, 0.0), (51, 0.2), (101, 0.4)):
        noise.at_step(model, step, STEPS)
        assert rising.p == pytest.approx(share) and plain.p == 0.7
        with noise.counter(seed=0, step=step, samples=range(2)):
            y = rising(x)
        assert abs((y == 0).float().mean().item() - share) < 0.06
        assert y.equal(x) == (share == 0)


def test_no_graph_is_made_anew_while_a_rate_rises():
    layer = noise.bind(nn.ModuleDict({"a": Bernoulli(Rate(0.5, course="rising")).build()}))["a"]
    torch._dynamo.reset()
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    x = torch.ones(2, 3, 8)
    with torch._dynamo.config.patch(error_on_recompile=True):
        for step in (1, 2, 3):
            noise.at_step(layer, step, 3)
            with noise.counter(seed=0, step=step, samples=range(2)):
                found = compiled(x)
            with noise.counter(seed=0, step=step, samples=range(2)):
                assert found.equal(layer(x))
