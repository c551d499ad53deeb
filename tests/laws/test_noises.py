"""What holds for every noise of the catalogue, alone and in a model: what it draws from, leaves, and runs as."""

import copy
import dataclasses

import pytest
import torch
from arrays import needs_kernels
from torch import nn
from variants import QUIET_DEPTH, loss, shaken, small, tokens

from mainstem import catalogue, execute, noise, ops
from mainstem.errors import BadInput
from mainstem.model import LanguageModel, Rates
from mainstem.nn import Context
from mainstem.noise import POINTS, Bernoulli, Noise, NoiseSpec, Rate

NAMES = catalogue.names("noise")
each = pytest.mark.parametrize("name", NAMES)
IN_DEPTH = [name for name in NAMES if not catalogue.resolve("noise", name)(0.1).at.startswith("embedding.")]
RATE = 0.4


def of(name, rate=RATE, **fields):
    return catalogue.resolve("noise", name)(rate, **fields)


def model(*values, rates=None, **changes):
    return shaken(small("pre_norm", also=values, rates=rates or Rates(), **{"layers": 2, **changes}), by=0.1)


def gradients(model):
    return {key: p.grad.clone() for key, p in model.named_parameters() if p.grad is not None}


def sites(model):
    return {name for name, module in model.named_modules() if isinstance(module, Noise)}


@each
def test_it_is_a_frozen_value_that_a_configuration_makes_and_that_is_written(name):
    depth = "linear" if name in IN_DEPTH else "constant"
    value = of(name, Rate(RATE, depth=depth, begin=0.1, end=0.5, course="falling"))
    assert isinstance(value, NoiseSpec) and value.at in POINTS
    assert [field.name for field in dataclasses.fields(value)][:2] == ["rate", "at"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.rate = 0.1
    said = {"name": name, "rate": RATE, "depth": depth, "begin": 0.1, "end": 0.5, "course": "falling"}
    assert noise.parse([said]) == (value,)
    assert noise.parse(noise.written((value,))) == (value,)
    assert eval(repr(value), {type(value).__name__: type(value), "Rate": Rate}) == value
    assert all(f"{field.name}=" in repr(value) for field in dataclasses.fields(value))


@each
def test_a_model_with_it_is_built_again_and_has_no_tensor_more(name):
    made = model(of(name, Rate(RATE)))
    again = LanguageModel.from_config(made.config())
    assert again.settings.noises() == made.settings.noises() == (of(name, Rate(RATE)),)
    assert made.state_dict().keys() == model().state_dict().keys()
    assert sites(again) == sites(made) and len(sites(made)) >= (2 if name in IN_DEPTH else 1)
    assert all(module.site for module in made.modules() if isinstance(module, Noise))


@each
def test_it_draws_from_the_counter_alone(name):
    made, x = model(of(name)), tokens(4, 8)
    values = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        values.append(loss(made, x))
        assert torch.initial_seed() == seed and torch.rand(1).equal(torch.manual_seed(seed) and torch.rand(1))
    assert values[0].equal(values[1])
    assert not values[0].equal(loss(made, x, step=5)) and not values[0].equal(loss(made, x, seed=4))


@each
def test_masks_do_not_depend_on_the_split_of_the_batch(name):
    made, x = model(of(name), rates=QUIET_DEPTH).double(), tokens(6, 8)
    parts = [loss(made, x[at : at + 2], samples=range(at, at + 2)) for at in (0, 2, 4)]
    torch.testing.assert_close(loss(made, x), sum(parts) / 3, rtol=1e-6, atol=1e-6)


@each
def test_evaluation_is_without_it(name):
    x = tokens(3, 8)
    assert model(of(name)).eval()(x).equal(model().eval()(x))


@each
def test_at_rate_0_there_is_nothing(name):
    assert sites(model(of(name, 0.0))) == set()
    assert loss(model(of(name, 0.0)), tokens()).equal(loss(model(), tokens()))


@each
def test_a_rate_that_begins_at_0_is_there_and_rises(name):
    made, plain, x = model(of(name, Rate(RATE, course="rising"))), model(), tokens(4, 8)
    assert sites(made) == sites(model(of(name)))
    assert {module.rate for module in made.modules() if isinstance(module, Noise)} == {0.0}
    found = []
    for step in (1, 9):
        noise.at_step(made, step, 9)
        found.append(loss(made, x))
    torch.testing.assert_close(found[0], loss(plain, x), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found[1], loss(model(of(name)), x), rtol=1e-6, atol=1e-6)
    assert not torch.allclose(found[0], found[1], rtol=1e-4)


@pytest.mark.parametrize("name", IN_DEPTH)
def test_over_depth_the_last_sublayer_has_the_whole_rate(name):
    value = of(name, Rate(RATE, depth="linear"))
    made = model(value)
    found = [module for module in made.modules() if isinstance(module, Noise)]
    rates, drawn = [module.rate for module in found], {module.shared(module.site) for module in found}
    assert rates == sorted(rates) and len(set(rates)) == len(drawn) and 0 < rates[0] < RATE
    assert rates[-1] == (RATE if "branch" in value.at or "feedforward" in value.at else 0.75 * RATE)


@each
def test_the_mean_stays_or_shrinks_as_its_way_says(name):
    value = of(name)
    sizes = {"B": 4000, "T": 2, "D": 3, "H": 4, "K": 2, "Q": 2, "C": 2, "F": 3}
    module = noise.bind(nn.ModuleDict({"a": value.build()}))["a"]
    x = torch.ones([sizes[axis] for axis in POINTS[value.at]])
    given = (Context(tokens=x.to(torch.int64)),) if getattr(module, "wants_context", False) else ()
    with noise.counter(seed=0, step=0, samples=range(len(x))):
        y = module(x, *given)
    y = y.isfinite().float() if value.how == "minus_inf" else y  # what is hidden is the share that shrinks
    draws = x[0].numel() if value.over is None else torch.tensor([sizes[axis] for axis in value.over[1:]]).prod()
    expected = {"scale": 1.0, "keep": 1 - RATE, "renormalise": 1 - RATE ** int(draws)}
    expected["minus_inf"] = 1 - RATE / 2  # of two keys, one is a position's own
    expected = expected[value.how]
    spread = y.flatten(1).mean(1).std() / len(x) ** 0.5
    assert abs(y.mean() - expected) < 4 * spread + 1e-6 and (y == 0).any() == (name != "gaussian")


@each
def test_recomputed_blocks_have_the_same_gradients(name):
    made, x = model(of(name), rates=QUIET_DEPTH).double(), tokens()
    loss(made, x).backward()
    stored = gradients(made)
    made.zero_grad()
    made.set_checkpoint(True)
    loss(made, x).backward()
    for key, grad in gradients(made).items():
        torch.testing.assert_close(grad, stored[key], rtol=1e-9, atol=1e-12)


@needs_kernels
@each
@pytest.mark.parametrize("rates", [Rates(), QUIET_DEPTH], ids=["alone", "beside dropout"])
def test_fused_is_plain_with_the_same_masks(name, rates, monkeypatch):
    made, x, drawn, original = model(of(name), rates=rates), tokens(4, 8), [], Noise.draw

    def draw(self, num_samples):
        found = original(self, num_samples)
        drawn.append((found[1], num_samples))
        return found

    monkeypatch.setattr(Noise, "draw", draw)
    fused = loss(made, x)
    fused.backward()
    found, of_fused = gradients(made), list(drawn)
    made.zero_grad()
    drawn.clear()
    for module in made.modules():  # somebody who looks on has every module called
        module.register_forward_hook(lambda *_: None)
    plain = loss(made, x)
    plain.backward()
    assert drawn == of_fused and drawn
    torch.testing.assert_close(fused, plain, rtol=1e-5, atol=1e-6)
    for key, grad in gradients(made).items():
        torch.testing.assert_close(grad, found[key], rtol=1e-3, atol=2e-6)


CASES = [
    *((point, None) for point in POINTS),
    ("embedding.tokens", "BT"), ("attention.logits", "BHC"), ("attention.weights", "BHQ"), ("attention.value", "K"),
    ("feedforward.hidden", "F"), ("branch", "BT"), ("attention.branch", "B"),
]  # fmt: skip


@needs_kernels
@pytest.mark.parametrize(("point", "over"), CASES)
def test_at_every_point_fused_is_plain_and_a_part_of_a_batch_has_its_masks(point, over):
    how = "minus_inf" if point == "attention.logits" else "scale"
    rates, x = Rates(hidden=0.1, attention_weights=0.1), tokens(4, 8)
    made = model(Bernoulli(RATE, point, over, how), rates=rates)
    whole = loss(made, x)
    assert abs(whole - loss(model(rates=rates), x)) > 1e-4  # it is there, and not only the others
    torch.testing.assert_close(whole, loss(copy.deepcopy(made).double(), x), rtol=1e-5, atol=1e-5)
    parts = [loss(made, x[at : at + 2], samples=range(at, at + 2)) for at in (0, 2)]
    torch.testing.assert_close(whole, sum(parts) / 2, rtol=1e-5, atol=1e-6)
    assert not torch.allclose(whole, loss(made, x, step=9), rtol=1e-6, atol=0)
    for module in made.modules():
        module.register_forward_hook(lambda *_: None)
    torch.testing.assert_close(whole, loss(made, x), rtol=1e-5, atol=1e-6)


@needs_kernels
@pytest.mark.parametrize("changes", [False, True])
def test_a_rate_that_changes_keeps_the_kernels_of_dropout(changes, monkeypatch):
    rate = Rate(RATE, course="rising") if changes else RATE
    points = ("attention.weights", "feedforward.hidden", "attention.branch", "feedforward.branch")
    made = model(*(Bernoulli(rate, point) for point in points))
    noise.at_step(made, 5, 9)
    assert {module.rate for module in made.modules() if isinstance(module, Noise)} == {0.5 * RATE if changes else RATE}
    called = []
    for op in ("self_attention", "feedforward", "dropout_add_norm", "dropout"):
        original = getattr(ops, op)

        def note(*given, op=op, original=original, **rest):
            called.append((op, any(isinstance(one, ops.Mask) for one in given)))
            return original(*given, **rest)

        monkeypatch.setattr(ops, op, note)
    loss(made, tokens(2, 8))
    assert called == [("self_attention", True), ("dropout_add_norm", True), ("feedforward", True),
                      ("dropout_add_norm", True)] * 2  # fmt: skip


@each
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # of torch's own decompositions
def test_gradients_by_sample_have_each_samples_own_masks(name):
    made, x, slots = (
        model(of(name)),
        tokens(1, 8).expand(3, 8),
        torch.tensor([1, 0, 2]),
    )  # alike, so that masks alone differ
    parameters = dict(made.named_parameters())

    def alone(parameters, x_T, slot):
        with noise.counter(seed=3, step=4, samples=slot[None]):
            logits = torch.func.functional_call(made, parameters, (x_T[None],))[0]
        return nn.functional.cross_entropy(logits, x_T.roll(-1))

    found = torch.func.vmap(torch.func.grad(alone), (None, 0, 0))(parameters, x, slots)
    for row in range(3):
        made.zero_grad()
        alone(parameters, x[row], slots[row]).backward()
        for key, true in gradients(made).items():
            assert (found[key][row] - true).norm() <= 1e-4 * true.norm() + 1e-5, key
    weight = found["embedding.weight"]
    assert not torch.allclose(weight[0], weight[1]) and not torch.allclose(weight[1], weight[2])


@each
def test_float32_is_float64_with_the_same_masks(name):
    made, x = model(of(name), rates=QUIET_DEPTH), tokens(4, 8)
    exact = copy.deepcopy(made).double()
    with noise.counter(seed=1, step=1, samples=range(4)):
        found = execute.run(made.stream, made.blocks, made.embedding(x))
    with noise.counter(seed=1, step=1, samples=range(4)):
        expected = execute.run(exact.stream, exact.blocks, exact.embedding(x))
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)


@each
@pytest.mark.parametrize("form", ["parallel", "reversible", "hyper | value_residual", "post_norm"])
def test_it_trains_in_other_forms(name, form):
    made, x = small(form, layers=2, also=[of(name)], rates=QUIET_DEPTH), tokens(4, 8)
    first = loss(made, x)
    first.backward()
    assert first.isfinite() and all(grad.isfinite().all() for grad in gradients(made).values())
    assert not first.equal(loss(small(form, layers=2, rates=QUIET_DEPTH), x))


@each
def test_a_compiled_model_has_the_same_masks(name):
    made, x = model(of(name), layers=1), tokens(2, 8)
    torch._dynamo.reset()
    compiled = torch.compile(made, backend="eager")
    torch.testing.assert_close(loss(compiled, x), loss(made, x), rtol=1e-5, atol=1e-6)


@each
def test_wrong_values_are_refused_by_name(name):
    for field, wrong in (("rate", 1.5), ("rate", "much"), ("at", "nowhere"), ("rat", 0.1), ("course", "up")):
        with pytest.raises(BadInput, match=r"noise\.also\.0.*" + field):
            noise.parse([{"name": name, "rate": 0.1, field: wrong}])
    with pytest.raises(BadInput, match=f"noise.also.0.rate is not given, so that {name}"):
        noise.parse([name])


def test_two_that_leave_out_whole_branches_are_refused():
    with pytest.raises(BadInput, match="both leave out whole branches"):
        model(of("depth"), rates=Rates(depth=0.1))
