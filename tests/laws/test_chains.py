"""What holds for every step beside the direction of an optimizer: decays, steps after it, averages."""

import copy
import dataclasses
import itertools

import pytest
import torch
from updates import MAKERS, RATE, backward, close, make, net, trained

from mainstem import catalogue, optim, penalty
from mainstem.optim.averaging import Average

AFTER = {"proximal": lambda: optim.Proximal(penalty.L1(0.05)), "max_norm": lambda: optim.MaxNorm(0.6)}
BEFORE = {name: catalogue.resolve("decay", name) for name in catalogue.names("decay")}
KINDS = {name: catalogue.resolve("penalty", name) for name in catalogue.names("penalty")}
PROXIMAL = [name for name, kind in KINDS.items() if kind.proximable and kind.elementwise]
AVERAGES = {"ema": optim.EMA(0.2), "swa": optim.SWA(begin=2), "soup": optim.Soup(begin=1, every=2)}
each = pytest.mark.parametrize("name", MAKERS)
each_before = pytest.mark.parametrize("before", BEFORE)
each_after = pytest.mark.parametrize("after", catalogue.names("after"))


@each
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@each_after
def test_every_chain_runs_in_every_dtype_and_its_average_too(name, dtype, after):
    model = net(dtype)
    found = trained(name, model, make(name, model, after=[AFTER[after]()]))
    assert all(value.isfinite().all() for value in found.values())
    assert all(p.dtype == dtype for p in model.parameters())


@each
@pytest.mark.parametrize("term", PROXIMAL)
def test_a_proximal_step_is_optimal_in_the_metric_of_its_direction(name, term):
    """At w, metric (v - w) / (lr size) is a subgradient of R, v being the same optimizer's step without it."""
    R = catalogue.resolve("penalty", term)(0.3, on="linear")
    stepped = net(torch.float64)
    made = make(name, stepped, proximal=R)
    backward(stepped, 0)
    made.step()
    without = copy.deepcopy(stepped)  # at one place, with moments that have begun
    plain = make(name, without)
    plain.load_state_dict(copy.deepcopy(made.state_dict()))
    for model, optimizer in ((stepped, made), (without, plain)):
        backward(model, 1)
        optimizer.step()
    plain_rows = {id(p): group for group in plain.param_groups for p in group["params"]}
    seen = set()
    for (key, w), v in zip(stepped.named_parameters(), without.parameters(), strict=True):
        if key not in ("1.weight", "4.weight"):
            assert w.equal(v), key
            continue
        group, state = plain_rows[id(v)], plain.state[v]
        direction = plain.methods[group["method"]]
        metric, rate = direction.metric(state, group), RATE * direction.size(v, group)
        if name == "adamw":
            metric = (state["exp_avg_sq"] / (1 - group["betas"][1] ** state["step"].item())).sqrt() + group["eps"]
        if name == "muon":
            assert rate == pytest.approx(RATE * max(1, v.shape[0] / v.shape[1]) ** 0.5) and metric == 1.0
        w, v = w.detach(), v.detach()
        force = (metric * (v - w) / rate).flatten()
        slope = 1e-7
        for x, found in zip(w.flatten(), force, strict=True):
            above = R.coef * (R.of(x + slope) - R.of(x)) / slope
            below = R.coef * (R.of(x) - R.of(x - slope)) / slope
            assert below - 1e-5 <= found <= above + 1e-5
        seen.add(bool((w == 0).any()))
    assert (True in seen) == (term != "l2")


@each
@each_before
def test_a_decay_is_in_proportion_to_its_two_numbers_and_never_enlarges_a_weight(name, before):
    """Against the same step without it: rate 0 changes nothing, and every other takes at most its share of a weight."""
    stepped = {}
    for decay in (0.0, 0.2, 0.4):
        model = net(torch.float64)
        began = {key: p.detach().clone() for key, p in model.named_parameters()}
        backward(model, 0)
        made = make(name, model, decay=decay, before=[BEFORE[before]()])
        assert made.before == (BEFORE[before](),)
        made.step()
        stepped[decay] = {key: p.detach() for key, p in model.named_parameters()}
    plain = net(torch.float64)
    backward(plain, 0)
    make(name, plain, decay=0.0).step()
    taken = set(optim.select(plain))
    for key, p in plain.named_parameters():
        torch.testing.assert_close(stepped[0.0][key], p.detach())
        once, twice = (p.detach() - stepped[decay][key] for decay in (0.2, 0.4))
        torch.testing.assert_close(twice, 2 * once)
        whole = (RATE if before in ("decoupled", "cautious") else 1.0) * 0.2 * began[key]
        assert (torch.isclose(once, whole) | torch.isclose(once, torch.zeros_like(once))).all(), key
        assert bool(once.abs().max() > 1e-9) == (key in taken), key


@each
@each_before
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_every_decay_runs_in_every_dtype_with_clipping_and_an_average(name, before, dtype):
    model = net(dtype)
    found = trained(name, model, make(name, model, before=[BEFORE[before]()]))
    right = net(torch.float64)
    close(
        found,
        trained(name, right, make(name, right, before=[BEFORE[before]()])),
        0.1,
        0.1 if dtype == torch.bfloat16 else 1e-4,
    )


@each
@pytest.mark.parametrize("kind", catalogue.names("average"))
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_an_average_is_its_weighted_sum_of_all_weights_so_far(name, kind, dtype):
    """In a pass of a kernel, tensor by tensor, and by itself, against the sum written out in float64."""
    rule = AVERAGES[kind]
    model = net(dtype)
    followed, joined, alone = (Average(model, rule) for _ in range(3))
    optimizer = make(name, model)
    optimizer.followers = (followed.of(model),)
    seen, factors = [], []
    for seed in range(6):
        backward(model, seed)
        optim.update(optimizer, model, 0.05, joined if seed % 2 else None)
        if not seed % 2:
            joined.update(model)
        alone.update(model)
        seen.append({key: p.detach().double().clone() for key, p in model.named_parameters()})
        d = rule.decay(seed) if seed else 0.0
        factors = [factor * d for factor in factors] + [1 - d]
    assert sum(factors) == pytest.approx(1) and sum(factor > 0 for factor in factors) > 1
    for average in (followed, joined, alone):
        state = average.state()
        assert int(state.pop("average.updates")) == 6
        for key, value in state.items():
            right = sum(factor * weights[key] for factor, weights in zip(factors, seen, strict=True))
            assert value.dtype == torch.float32
            torch.testing.assert_close(value.double(), right, rtol=1e-5, atol=1e-6, msg=lambda m, k=key: f"{k}: {m}")


@pytest.mark.parametrize("kind", catalogue.names("average"))
def test_a_rule_of_an_average_is_a_frozen_value_that_forgets_no_more_than_all(kind):
    rule = AVERAGES[kind]
    assert type(rule) is catalogue.resolve("average", kind) and dataclasses.is_dataclass(rule)
    assert all(0 <= rule.decay(t) <= 1 for t in range(1000))


@each
def test_afters_run_in_their_order(name):
    found = []
    for order in itertools.permutations(AFTER.values()):
        model = net()
        made = make(name, model, after=[after() for after in order])
        backward(model, 0)
        made.step()
        found.append(model[1].weight.detach())
    assert not found[0].equal(found[1])
    assert torch.linalg.vector_norm(found[0], dim=1).max() == pytest.approx(0.6, abs=1e-6)


@each_after
def test_an_after_changes_what_it_selects_and_nothing_else(after):
    made = AFTER[after]()
    assert dataclasses.is_dataclass(made) and made.on is None
    plain, changed = net(), net()
    for model, afters in ((plain, []), (changed, [made])):
        backward(model, 0)
        make("adamw", model, after=afters).step()
    selected = set(optim.select(plain))
    for (key, p), q in zip(plain.named_parameters(), changed.parameters(), strict=True):
        assert p.equal(q) == (key not in selected), key
    rows = optim.table(changed, make("adamw", changed, after=[made]))
    assert {row.name for row in rows if row.after == (repr(made),)} == selected
