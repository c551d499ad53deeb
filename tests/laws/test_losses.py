"""What holds for every loss of the catalogue: its formula, its gradient, parts, splits, and what is refused."""

import dataclasses
from pathlib import Path

import msgspec
import pytest
import torch
import torch.nn.functional as F
from learners import made, with_loss
from torch import nn
from variants import small, tokens

from mainstem import catalogue, config, counter, noise, ops
from mainstem.errors import BadInput
from mainstem.model import Rates
from mainstem.train import Learner
from mainstem.train.losses import target_loss
from mainstem.train.losses.distillation import Teacher
from mainstem.train.losses.masked_inputs import shown
from mainstem.train.task import Part

NAMES = catalogue.names("loss")
each = pytest.mark.parametrize("name", NAMES)
TERMS = {"label_smoothing": 0.2, "z_loss": 0.05, "confidence": 0.3}
SIZES = {"hidden_l1": 0.3, "hidden_l2": 0.2, "stream_l1": 0.15, "stream_l2": 0.1}
each_term = pytest.mark.parametrize("terms", [{}, TERMS, SIZES], ids=["plain", "terms", "sizes"])


def of(name, **values):
    loss = target_loss.parse(config.Loss(name=name, values=values))
    if name != "distillation":
        return loss
    return dataclasses.replace(loss, held=Teacher(small("pre_norm", seed=7, layers=1).double().eval(), ""))


def model(rates=None, **changes):
    return small("pre_norm", layers=2, rates=rates or Rates(hidden=0.3, feedforward=0.2), **changes).double()


def value(loss, network, x, samples=None, **given):
    y = x.roll(-1, 1)
    with noise.counter(seed=3, step=4, samples=range(len(x)) if samples is None else samples):
        return loss.around(network)(tokens_BT=x, targets_BT=y, **given)


def sizes(network, terms, run):
    """Return what `run` returns, and the terms of activations [N] while it ran.

    Hidden units are what output matrices read, the stream what the norm at the end does.
    """
    found = {"hidden": [], "stream": []}
    layers = [("hidden", block.feedforward.branch.feedforward.output) for block in network.blocks]
    handles = [
        layer.register_forward_pre_hook(lambda _, given, name=name: found[name].append(given[0]))
        for name, layer in (*layers, ("stream", network.stream.norm))
    ]
    result = run()
    for handle in handles:
        handle.remove()
    total = 0
    for name, seen in found.items():
        h_NF = torch.cat(seen, -1).flatten(0, 1)
        l1, l2 = (terms.get(f"{name}_{norm}", 0.0) for norm in ("l1", "l2"))
        total = total + l1 * h_NF.abs().mean(1) + l2 * h_NF.square().mean(1)
    return result, total


def whole(network, x, **given):
    """Return the logits [N, V] in float64."""
    z = F.linear(network.features(x, **given), network.embedding.weight).flatten(0, 1)
    cap = network.settings.soft_cap
    return z if cap is None else cap * torch.tanh(z / cap)


def by_formula(logits_NV, y_N, terms):
    """Return the mean-free loss of each token, written out with probabilities."""
    s, c, b = (terms.get(key, 0.0) for key in ("label_smoothing", "z_loss", "confidence"))
    p = logits_NV.exp() / logits_NV.exp().sum(1, keepdim=True)
    nll = -p.log()
    entropy = (p * nll).sum(1)
    return (
        (1 - s) * nll.gather(1, y_N[:, None])[:, 0]
        + s * nll.mean(1)
        + c * logits_NV.exp().sum(1).log() ** 2
        - (b * entropy)
    )


def expected(name, loss, network, x, terms):
    """Return the sum over tokens of what the docstring says, from whole logits of as many passes as it has."""
    y_N = x.roll(-1, 1).flatten()

    def logits(view, **given):
        with noise.counter(seed=3, step=4, samples=range(len(x)), view=view):
            return sizes(network, terms, lambda: whole(network, x, **given))

    def by_terms(view, **given):
        found, added = logits(view, **given)
        return by_formula(found, y_N, terms).sum() + added.sum()

    first = by_terms(0)
    if name == "cross_entropy":
        return first
    if name == "masked_inputs":
        with noise.counter(seed=3, step=4, samples=range(len(x)), view=1):
            hidden = shown(x, loss.rate)
        return first + loss.coef * by_terms(1, shown_BT=hidden)
    if name == "distillation":
        z_NV, added_N = logits(0)
        q, p = (each.softmax(1) for each in (loss.held.model(x).double().flatten(0, 1), z_NV))
        apart = (q * (q / p).log()).sum()
        return (1 - loss.taught) * by_formula(z_NV, y_N, terms).sum() + loss.taught * apart + added_N.sum()
    if name == "multi_token":
        log_BTV = logits(0)[0].log_softmax(1).view(*x.shape, -1)
        for number, factor in enumerate((0.5, 0.25), 1):
            later_BT = x.roll(-1 - number, 1)[:, :-number]
            first = first - factor * log_BTV[:, :-number].gather(2, later_BT[..., None]).sum()
        return first
    assert name == "r_drop"
    p, q = (logits(view)[0].softmax(1) for view in (0, 1))
    apart = (p * (p / q).log() + q * (q / p).log()).sum() / 2
    return (first + by_terms(1)) / 2 + loss.coef * apart


@each
@each_term
def test_it_is_its_formula_over_whole_logits(name, terms):
    network, x, loss = model(), tokens(3, 8), of(name, **terms)
    torch.testing.assert_close(value(loss, network, x), expected(name, loss, network, x, terms), rtol=1e-10, atol=1e-10)
    one_by_one = value(loss, network, x, reduction="none")
    assert one_by_one.shape == x.shape
    torch.testing.assert_close(one_by_one.sum(), value(loss, network, x), rtol=1e-12, atol=1e-12)


@each
@each_term
@pytest.mark.parametrize("cap", [None, 2.0])
def test_its_gradient_is_that_of_finite_differences(name, terms, cap):
    network, x, loss = model(soft_cap=cap), tokens(2, 6), of(name, **terms)
    parameters = list(network.parameters())
    grads = torch.autograd.grad(value(loss, network, x), parameters)
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        along = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]
        along = [d / torch.nn.utils.get_total_norm(along) for d in along]
        sides = []
        for step in (1e-5, -1e-5):
            with torch.no_grad():
                for p, d in zip(parameters, along, strict=True):
                    p += step * d
                sides.append(value(loss, network, x).item())
                for p, d in zip(parameters, along, strict=True):
                    p -= step * d
        slope = sum((g * d).sum().item() for g, d in zip(grads, along, strict=True))
        assert slope == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-6, abs=1e-8)


@each
def test_parts_of_a_batch_add_up_to_the_whole(name):
    network, x, loss = model(), tokens(6, 8), of(name, **TERMS, **SIZES)
    parts = [value(loss, network, x[at : at + 2], range(at, at + 2)) for at in (0, 2, 4)]
    torch.testing.assert_close(sum(parts), value(loss, network, x), rtol=1e-12, atol=1e-12)


@each
def test_a_head_that_is_hooked_has_the_same_loss(name):
    network, x, loss = model(head="untied"), tokens(3, 8), of(name, **TERMS, **SIZES)
    plain = value(loss, network, x)
    network.head.register_forward_hook(lambda *_: None)
    torch.testing.assert_close(value(loss, network, x), plain, rtol=1e-10, atol=1e-10)


@each
def test_it_draws_from_the_counter_alone(name):
    network, x, loss = model(), tokens(3, 8), of(name)
    found = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        found.append(value(loss, network, x))
        assert torch.rand(1).equal(torch.manual_seed(seed) and torch.rand(1))
    assert found[0].equal(found[1])


@pytest.mark.slow
@each
def test_a_compiled_model_has_the_same_loss(name):
    network, x, loss = model(), tokens(2, 8), of(name, **TERMS, **SIZES)
    torch._dynamo.reset()
    compiled = torch.compile(network, backend="eager")
    torch.testing.assert_close(value(loss, compiled, x), value(loss, network, x), rtol=1e-10, atol=1e-10)


@each
def test_it_is_a_frozen_value_that_a_configuration_makes(name):
    loss = of(name, **TERMS, **SIZES)
    assert isinstance(loss, target_loss.TargetLoss) and type(loss) is catalogue.resolve("loss", name)
    with pytest.raises(dataclasses.FrozenInstanceError):
        loss.z_loss = 1.0
    for key, wrong in (("label_smoothing", 1.0), ("z_loss", -1.0), ("confidence", -0.1), ("z_los", 1.0)):
        with pytest.raises(BadInput, match=f"loss.{key}"):
            of(name, **{key: wrong})


@each
def test_a_held_out_score_is_the_plain_cross_entropy(name: str, tmp_path: Path) -> None:
    learner = made(tmp_path)
    other = with_loss(learner, config.Loss(name=name, values=TERMS))
    part = Part(3, 3, 96)
    assert learner.measure(part) == other.measure(part)


def test_two_passes_that_cannot_differ_are_refused(tmp_path: Path) -> None:
    learner = made(tmp_path)
    run = msgspec.structs.replace(learner.run, loss=config.Loss(name="r_drop"))
    with pytest.raises(BadInput, match=r"nothing of this model is dropped: give --noise\.rate"):
        Learner.of(run, learner.task, learner.data, learner.world, steps=2)


def test_the_distance_of_two_passes_is_the_number_of_the_paper_and_its_parts_are_the_whole():
    """p = (1/2, 1/2), q = (3/4, 1/4): the half of both divergences is 0.13732654."""
    logits = torch.tensor([[0.0, 0.0], [0.0, 0.0]]).double(), torch.tensor([[3.0, 1.0], [3.0, 1.0]]).double().log()
    found = ops.from_logits(logits, torch.tensor([0, -100]), 1.0, ops.Terms())
    assert found[0].item() == pytest.approx((0.69314718 + 0.28768207) / 2 + 0.13732654, abs=1e-8)
    assert found[1] == 0
    x, other, weight = (torch.randn(n, 5).double().requires_grad_() for n in (23, 23, 9))
    y = torch.randint(9, (23,))
    results = []
    for chunk in (4, 100):
        loss = ops.agreeing(x, other, weight, y, coef=0.7, terms=ops.Terms(**TERMS, soft_cap=3.0), chunk=chunk)
        results.append((loss, *torch.autograd.grad(loss.square().sum(), (x, other, weight))))
    torch.testing.assert_close(*results, rtol=1e-10, atol=1e-10)


def test_few_logits_of_two_passes_are_held_at_once():
    """Backward makes them again: between the passes nothing of the size of logits is kept."""
    x, other, weight = (torch.randn(n, 4).requires_grad_() for n in (64, 64, 32))
    sizes = []

    def note(tensor):
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        ops.agreeing(x, other, weight, torch.zeros(64, dtype=torch.int64), coef=1.0, chunk=8)
    assert max(sizes) <= 64 * 4


@pytest.mark.parametrize("rate", [0.5, 1.0])
def test_a_share_of_tokens_is_hidden_that_is_uniform_up_to_the_rate(rate):
    x = torch.zeros(2000, 200, dtype=torch.int64)
    with counter.counter(seed=1, step=2, samples=range(2000)):
        share = 1 - shown(x, rate).mean(1)
    assert share.max() < rate + 0.15 and share.mean() == pytest.approx(rate / 2, abs=0.02)
    assert share.std() == pytest.approx(rate / 12**0.5, abs=0.02)
    with counter.counter(seed=1, step=2, samples=[7]):
        assert shown(x[:1], rate).mean() == pytest.approx(1 - share[7].item())


@pytest.mark.parametrize("embedding", ["token", {"name": "ngrams", "order": 3}])
def test_what_is_hidden_reaches_nothing(embedding):
    """Another token at a hidden place changes no logit, beside n-grams too."""
    network, x = model(Rates(), embedding=embedding).eval(), tokens(2, 8)
    with torch.no_grad():
        for p in network.embedding.parameters():
            p.copy_(torch.randn(p.shape))
    hidden = torch.ones(2, 8)
    hidden[:, 3] = 0
    changed = x.clone()
    changed[:, 3] = (x[:, 3] + 1) % 13
    assert network(x, shown_BT=hidden).equal(network(changed, shown_BT=hidden))
    assert not network(x).equal(network(changed))
    assert network(x, shown_BT=torch.ones(2, 8)).equal(network(x))


def test_bounded_logits_are_bounded_in_training_and_ever_after():
    network, x = model(Rates(), soft_cap=0.5), tokens(2, 8)
    plain = model(Rates())
    assert isinstance(network, nn.Module)
    for p in (*network.parameters(), *plain.parameters()):
        p.data *= 3
    torch.testing.assert_close(network(x), 0.5 * torch.tanh(plain(x) / 0.5))
    assert network(x).abs().max() < 0.5 < plain(x).abs().max()
    right = F.cross_entropy(whole(network, x), x.flatten(), reduction="none")
    torch.testing.assert_close(network.losses(x, x).flatten(), right)
    assert type(network).from_config(network.config()).settings.soft_cap == 0.5
    with pytest.raises(BadInput, match=r"model\.soft_cap is -1"):
        model(soft_cap=-1.0)
