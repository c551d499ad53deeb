"""What holds for every optimizer and every step after it: by kernels and by parts, in what it declares and refuses."""

import copy
import dataclasses
import itertools

import pytest
import torch
from arrays import needs_kernels
from torch import nn

from mainstem import catalogue, noise, optim, penalty
from mainstem.errors import BadInput
from mainstem.optim import fused
from mainstem.optim.averaging import Average
from mainstem.optim.direction import Moved

RATE = 0.05
MAKERS = {"adamw": optim.AdamW, "muon": optim.Muon, "sgd": optim.SGD}
OWN = {"muon": {"roles": ("linear",), "adamw_lr": RATE}, "sgd": {"momentum": 0.9}}
AFTER = {"proximal": lambda: optim.Proximal(penalty.L1(0.05)), "max_norm": lambda: optim.MaxNorm(0.6)}
BEFORE = {name: catalogue.resolve("decay", name) for name in catalogue.names("decay")}
each = pytest.mark.parametrize("name", MAKERS)
_KINDS = {name: catalogue.resolve("penalty", name) for name in catalogue.names("penalty")}
PROXIMAL = [name for name, kind in _KINDS.items() if kind.proximable and kind.elementwise]
AVERAGES = {"ema": optim.EMA(0.2), "swa": optim.SWA(begin=2)}
AROUND = {name: catalogue.resolve("around", name) for name in catalogue.names("around")}
each_around = pytest.mark.parametrize("around", AROUND)
each_before = pytest.mark.parametrize("before", BEFORE)
each_after = pytest.mark.parametrize("after", catalogue.names("after"))


def make(name, model, decay=0.1, **options):
    return MAKERS[name](optim.groups(model, decay=decay), RATE, **OWN.get(name, {}), **options)


def net(dtype=torch.float32):
    torch.manual_seed(0)
    return nn.Sequential(nn.Embedding(7, 6), nn.Linear(6, 9), nn.Tanh(), nn.LayerNorm(9), nn.Linear(9, 7)).to(dtype)


def backward(model, seed):
    torch.manual_seed(seed)
    model.zero_grad()
    model(torch.randint(7, (4, 5))).logsumexp(-1).square().mean().backward()


def trained(name, model, optimizer, steps=4, max_norm=0.05):
    """Return weights, averages and moments after some steps with clipping."""
    average = Average(model, decay=0.2)
    for seed in range(steps):
        backward(model, seed)
        optim.update(optimizer, model, max_norm, average)
    states = {f"{key}/{i}": value for i, s in optimizer.state_dict()["state"].items() for key, value in s.items()}
    return dict(model.named_parameters()) | {f"average/{key}": a for key, a in average.state().items()} | states


def close(found, right, rtol=1e-4, atol=1e-5):
    assert list(found) == list(right)
    for key, value in found.items():
        wanted = right[key].to(value.dtype)
        torch.testing.assert_close(value, wanted, rtol=rtol, atol=atol, msg=lambda m, k=key: f"{k}: {m}")


def test_every_name_of_an_optimizer_makes_one_that_goes_through_the_laws():
    assert set(catalogue.names("optimizer")) <= set(MAKERS)
    for name in catalogue.names("optimizer"):
        spec = catalogue.resolve("optimizer", name)
        own = {
            key: value for key, value in OWN.get(name, {}).items() if key in {x.name for x in dataclasses.fields(spec)}
        }
        made = spec(**own).over(optim.groups(net()), before=(), around=None)
        assert type(made) is type(make(name, net()))
        assert [type(direction) for direction in made.methods.values()] == [
            type(direction) for direction in make(name, net()).methods.values()
        ]


@each
def test_it_is_a_composition_of_frozen_parts_that_says_what_it_does(name):
    made = make(name, net())
    assert isinstance(made, optim.Update) and isinstance(made, torch.optim.Optimizer)
    assert made.before == (optim.Decay(),) and made.after == ()
    for direction in made.methods.values():
        assert dataclasses.is_dataclass(direction)
        with pytest.raises(dataclasses.FrozenInstanceError):
            direction.lr = 1.0
    for group in made.param_groups:
        assert group["method"] in made.methods and group["after"] == []
        assert {"lr", "peak", "weight_decay", "role", "names"} <= set(group)


@each
def test_it_decays_what_the_roles_say(name):
    model = net()
    rows = optim.table(model, make(name, model, decay=0.3))
    assert {row.name for row in rows if row.decay == 0.3} == set(optim.select(model))
    assert {row.decay for row in rows} == {0.3, 0.0}


RULES = [optim.Adam, optim.Orthogonal]


@needs_kernels
@each
@pytest.mark.parametrize(
    "without",
    [[], *([rule] for rule in RULES), RULES],
    ids=lambda them: "+".join(each.__name__ for each in them) or "none",
)
def test_kernels_and_parts_agree(name, without, monkeypatch):
    """Every rule alone, none and all: against a plain run in float64, too."""
    rule = fused._rule
    monkeypatch.setattr(fused, "_rule", lambda moved, d: None if type(d) in without else rule(moved, d))
    model = net()
    found = trained(name, model, make(name, model))
    monkeypatch.setattr(fused, "_rule", lambda *_: None)
    model = net()
    close(found, trained(name, model, make(name, model)))
    model = net(torch.float64)
    close(found, trained(name, model, make(name, model)), rtol=1e-3, atol=1e-4)


@each
def test_a_subclass_does_what_it_says(name):
    """A kernel stands for exact types alone."""
    still = net()
    parts = make(name, still).methods
    first = next(iter(parts))

    class Still(type(parts[first])):
        def __call__(self, moved: Moved):
            super().__call__(moved)
            return [torch.zeros_like(p) for p in moved.params]

    class Ones(optim.Decay):
        def __call__(self, params, updates, groups):
            torch._foreach_copy_(params, [torch.ones_like(p) for p in params])

    methods = {key: Still(**vars(direction)) if key == first else direction for key, direction in parts.items()}
    made = optim.Update(optim.groups(still, decay=0.0), methods, before=[optim.Decay()])
    moved = {id(p) for group in made.param_groups if group["method"] == first for p in group["params"]}
    before = {id(p): p.detach().clone() for p in still.parameters()}
    backward(still, 0)
    made.step()
    for p in still.parameters():
        assert p.equal(before[id(p)]) == (id(p) in moved)
    other = optim.Update(optim.groups(still), parts, before=[Ones()])
    backward(still, 0)
    other.step()
    assert all((p - 1).abs().max() < 0.3 for p in still.parameters())


def one_by_one(groups):
    return [
        {**group, "params": [p], "names": [key], "aliases": [known]}
        for group in groups
        for p, key, known in zip(group["params"], group["names"], group["aliases"], strict=True)
    ]


@each
def test_however_parameters_are_grouped_the_bits_are_the_same(name):
    found = []
    for grouped in (list, one_by_one):
        model = net()
        made = MAKERS[name](grouped(optim.groups(model, decay=0.1)), RATE, **OWN.get(name, {}))
        for seed in range(3):
            backward(model, seed)
            made.step()
        found.append([p.detach() for p in model.parameters()])
    assert all(a.equal(b) for a, b in zip(*found, strict=True))


@each
def test_without_a_gradient_a_weight_only_decays(name):
    model = net()
    made = make(name, model, decay=0.4)
    before = {key: p.detach().clone() for key, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    model[4].weight.grad = None
    made.step()
    for row, p in zip(optim.table(model, made), model.parameters(), strict=True):
        keep = 1.0 if row.name == "4.weight" else 1 - RATE * row.decay
        torch.testing.assert_close(p.detach(), keep * before[row.name], rtol=1e-6, atol=1e-6)
    assert model[4].weight not in made.state or not made.state[model[4].weight]


@each
def test_it_goes_down_a_valley(name):
    torch.manual_seed(0)
    layer, target = nn.Linear(6, 6), torch.randn(6, 6)
    made = MAKERS[name](optim.groups(layer, decay=0.0), RATE, **OWN.get(name, {}))
    losses = []
    for _ in range(200):
        made.zero_grad()
        loss = (layer.weight - target).square().sum() + layer.bias.square().sum()
        loss.backward()
        losses.append(loss.item())
        optim.schedule.apply(made, 1 - len(losses) / 200)
        made.step()
    assert losses[-1] < 0.02 * losses[0]


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
        whole = RATE * 0.2 * began[key]
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


def closure_of(model, optimizer, seed, calls):
    def closure():
        optimizer.zero_grad()
        torch.manual_seed(seed)
        loss = model(torch.randint(7, (4, 5))).logsumexp(-1).square().mean()
        loss.backward()
        calls.append(loss.item())
        return loss

    return closure


def gradients(model):
    return [p.grad.clone() for p in model.parameters()]


@each
@each_around
def test_a_second_gradient_is_the_one_at_the_weights_that_it_is_asked_for_at(name, around):
    """The step is that of the same optimizer along the gradient at w + e, from w, over several steps."""
    made_of, stepped, plain = AROUND[around](0.3), net(torch.float64), net(torch.float64)
    optimizer, other = make(name, stepped, around=made_of), make(name, plain)
    for seed in range(3):
        calls = []
        began = [p.detach().clone() for p in plain.parameters()]
        backward(plain, seed)
        away = made_of.away(list(plain.parameters()), gradients(plain))
        assert torch.nn.utils.get_total_norm(away) > 0
        for p, e in zip(plain.parameters(), away, strict=True):
            p.data += e
        backward(plain, seed)
        for p, w in zip(plain.parameters(), began, strict=True):
            p.data.copy_(w)
        other.step()
        found = optimizer.step(closure_of(stepped, optimizer, seed, calls))
        assert len(calls) == 2 and found.item() == calls[0] != calls[1]  # the loss is that at w
        close(dict(stepped.named_parameters()), dict(plain.named_parameters()), 1e-12, 1e-12)


@each
@each_around
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_weights_come_back_to_the_bit_whatever_happens_there(name, around, dtype):
    model = net(dtype)
    optimizer = make(name, model, around=AROUND[around](0.3))
    backward(model, 0)
    own = [p.detach().clone() for p in model.parameters()]
    with pytest.raises(ZeroDivisionError), optimizer.perturbed():  # noqa: PT012
        assert not all(p.equal(w) for p, w in zip(model.parameters(), own, strict=True))
        1 / 0  # noqa: B018  the error is the point
    assert all(p.equal(w) for p, w in zip(model.parameters(), own, strict=True))


@each_around
def test_a_closure_that_leaves_the_first_gradient_there_has_the_same_step(around):
    found = []
    for clears in (True, False):
        model = net()
        optimizer = make("adamw", model, around=AROUND[around]())
        optimizer.step(closure_of(model, optimizer if clears else nn.Linear(1, 1), 0, []))
        found.append([p.detach() for p in model.parameters()])
    assert all(p.equal(q) for p, q in zip(*found, strict=True))


@each_around
def test_a_step_without_the_second_gradient_is_refused_but_one_that_changes_nothing(around):
    model = net()
    optimizer = make("adamw", model, around=AROUND[around]())
    backward(model, 0)
    with pytest.raises(BadInput, match=r"needs a second gradient: give step\(\) a closure"):
        optimizer.step()
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    for p in model.parameters():
        p.grad.zero_()
    optimizer.step()  # as a distributed checkpoint asks for before it loads
    assert all(state for state in optimizer.state.values())


@each_around
def test_with_a_scaler_it_is_refused(around):
    model = net()
    optimizer = make("adamw", model, around=AROUND[around]())
    optimizer.grad_scale = torch.tensor(2.0)
    with pytest.raises(BadInput, match="takes no gradients that a GradScaler has scaled"):
        optimizer.step(closure_of(model, optimizer, 0, []))


@each_around
def test_no_gradient_moves_nothing_and_a_rho_that_is_no_distance_is_refused(around):
    kind = AROUND[around]
    w, zero = torch.ones(3), torch.zeros(3)
    assert kind().away([w], [zero])[0].equal(zero)
    for rho in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(BadInput, match=f"rho {rho}"):
            kind(rho)


@each
@each_around
def test_both_gradients_have_the_masks_of_the_step(name, around):
    model = nn.Sequential(nn.Linear(6, 6), noise.Dropout(0.5), nn.Linear(6, 7))
    noise.bind(model)
    optimizer, masks = make(name, model, around=AROUND[around]()), []
    model[1].register_forward_hook(lambda _m, _x, y: masks.append(y == 0))

    def closure():
        optimizer.zero_grad()
        with noise.counter(seed=1, step=len(masks) // 2, samples=range(4)):
            loss = model(torch.ones(4, 6)).square().sum()
        loss.backward()
        return loss

    for _ in range(2):
        optimizer.step(closure)
    assert masks[0].equal(masks[1]) and masks[2].equal(masks[3]) and not masks[0].equal(masks[2])


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
