"""An ensemble is its members: their weights, their gradients by themselves, and the mean of their probabilities."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch.nn.functional import cross_entropy
from variants import SIZES, shaken, tokens

from mainstem import config, measure, noise, optim
from mainstem.errors import BadInput
from mainstem.model import Ensemble, LanguageModel, Rates, Settings, build, generate, network
from mainstem.model.init import normal
from mainstem.nn import Cache

RATES = Rates(embedding=0.1, attention=0.3, hidden=0.2, depth=0.3)


def several(members=3, seed=2, **changes):
    return Ensemble(Settings(**{**SIZES, "members": members, **changes}), seed)


def test_one_member_is_a_language_model_of_the_same_names_bits_and_configuration():
    section = config.resolve(config.Run(model=config.Model(layers=1, width=16, heads=2, context=8, members=1))).model
    one = build(section, config.Noise(), 11, seed=5)
    plain = LanguageModel(Settings(vocab=11, layers=1, width=16, heads=2, context=8), seed=5)
    assert type(one) is LanguageModel
    assert list(one.state_dict()) == list(plain.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), plain.parameters(), strict=True))
    assert "members" not in one.config()
    assert Settings.from_json(one.config()) == one.settings


def test_settings_are_written_and_read_again():
    model = several(embedding={"name": "ngrams", "order": 2}, residual="sandwich | value_residual")
    twin = network(Settings.from_json(model.config()), seed=2)
    assert model.config()["members"] == 3
    assert type(twin) is Ensemble
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), twin.parameters(), strict=True))


def test_initial_weights_are_drawn_by_whole_names():
    model = several()
    for number in range(3):
        name = f"members.{number}.embedding.weight"
        expected = normal(name, (13, 12), 2) * 0.02
        torch.testing.assert_close(model.get_parameter(name).detach(), expected)
        alone = LanguageModel(Settings(**SIZES), 2, within=f"members.{number}.")
        assert all(
            torch.equal(a, b) for a, b in zip(alone.parameters(), model.members[number].parameters(), strict=True)
        )
    first, second, _ = (dict(member.named_parameters()) for member in model.members)
    alike = {name for name in first if torch.equal(first[name], second[name])}
    assert alike == {name for name in first if first[name].dim() < 2}  # gains


def test_members_drop_different_things():
    model = several(rates=RATES).train()
    sites = [module.site for module in model.modules() if isinstance(module, noise.Noise)]
    assert len(set(sites)) == len(sites) > 3
    assert all(site.startswith("members.") for site in sites)
    for member in model.members[1:]:
        member.load_state_dict(model.members[0].state_dict())
    x = tokens()
    with noise.counter(seed=3, step=4, samples=range(2)):
        first, second, _ = (member(x) for member in model.members)
    assert not torch.allclose(first, second)


@pytest.mark.parametrize("training", [True, False])
def test_what_is_predicted_is_the_mean_of_the_probabilities(training):
    model, x = shaken(several()).train(training), tokens()
    wide = [torch.softmax(member.double()(x).double(), -1) for member in shaken(several()).members]
    expected = (sum(wide) / 3).log()
    found = model(x)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_in_eval_mode_the_loss_is_that_of_the_mixture(label_smoothing):
    model, x = shaken(several()).eval(), tokens()
    y = x.roll(-1, 1)
    expected = cross_entropy(
        model(x).double().flatten(0, 1), y.flatten(), reduction="none", label_smoothing=label_smoothing
    ).view_as(y)
    each = model(x, targets_BT=y, reduction="none", label_smoothing=label_smoothing, z_loss=0.1)  # its ln Z is 0
    torch.testing.assert_close(each.double(), expected, rtol=0, atol=2e-6)
    whole = model(x, targets_BT=y, label_smoothing=label_smoothing)
    torch.testing.assert_close(whole.double(), expected.sum(), rtol=0, atol=2e-5)
    alone = torch.stack([member.losses(x, y) for member in model.members]).mean(0).mean()
    assert model.losses(x, y).mean() < alone - 1e-3  # by Jensen's inequality, and these members differ


def test_an_improbable_word_has_a_finite_loss():
    model, x = several(2), tokens()
    with torch.no_grad():
        for member in model.members:
            member.embedding.weight.mul_(3e4)
    model.eval()
    found = model.losses(x, x.roll(-1, 1))
    assert found.max() > 200  # e^-200 is no float32
    assert found.isfinite().all()


@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_in_training_each_member_has_the_gradient_of_its_own_loss(reduction):
    model, x = shaken(several(rates=RATES)).train(), tokens()
    terms = {"reduction": reduction, "label_smoothing": 0.1, "z_loss": 0.01}
    with noise.counter(seed=3, step=4, samples=range(2)):
        loss = model(x, targets_BT=x.roll(-1, 1), **terms)
    loss.sum().backward()
    losses = []
    for number, member in enumerate(shaken(several(rates=RATES)).train().members):
        with noise.counter(seed=3, step=4, samples=range(2)):
            losses.append(member(x, targets_BT=x.roll(-1, 1), **terms))
        own = torch.autograd.grad(losses[-1].sum(), list(member.parameters()))
        for found, expected in zip(model.members[number].parameters(), own, strict=True):
            assert torch.equal(found.grad, expected)
    torch.testing.assert_close(loss, torch.stack(losses).mean(0))


@pytest.mark.parametrize(
    "changes", [{}, {"positions": "learned"}, {"embedding": {"name": "ngrams", "order": 4}}, {"kv_heads": 1}]
)
def test_text_with_a_cache_is_what_whole_passes_say(changes):
    model = shaken(several(**changes)).eval()
    x, cache = tokens(length=8), Cache()
    parts = [model(x[:, :3], cache=cache), model(x[:, 3:4], cache=cache), model(x[:, 4:], cache=cache)]
    torch.testing.assert_close(torch.cat(parts, 1), model(x), rtol=1e-5, atol=1e-5)
    assert cache.length == 8
    text = [3]
    for token in generate(model, text, 7, temperature=0):
        assert token == int(model(torch.tensor([text]))[0, -1].argmax())
        text.append(token)
    assert len(list(generate(model, text, 20))) == 20  # beyond the context


def test_blocks_are_recomputed_in_each_member():
    model, x = shaken(several(rates=RATES)).train(), tokens()
    grads = []
    for recompute in (False, True):
        model.set_checkpoint(recompute)
        model.zero_grad()
        with noise.counter(seed=3, step=4, samples=range(2)):
            model(x, targets_BT=x).backward()
        grads.append([p.grad for p in model.parameters()])
    assert all(member.recompute for member in model.members)
    assert all(torch.equal(a, b) for a, b in zip(*grads, strict=True))


def test_a_pattern_takes_what_it_names_in_each_member():
    model = several()
    alone = list(optim.select(LanguageModel(Settings(**SIZES)), "blocks.0.*, !norm"))
    found = list(optim.select(model, "blocks.0.*, !norm"))
    assert found == [f"members.{number}.{name}" for number in range(3) for name in alone]
    assert list(optim.select(model, "members.1.blocks.0.*, !norm")) == found[len(alone) : 2 * len(alone)]
    with pytest.raises(BadInput, match=r"No parameter fits 'block.0.\*'"):
        optim.select(model, "block.0.*")
    roles = optim.roles(LanguageModel(Settings(**SIZES)))
    assert optim.roles(model) == {f"members.{n}.{name}": role for n in range(3) for name, role in roles.items()}


def test_factors_of_the_form_reach_each_member():
    form = {"name": "complete_p", "base_layers": 2, "base_width": 6}
    alone = LanguageModel(Settings(**SIZES, residual=form))
    scales = {key: group["lr_scale"] for group in optim.groups(alone) for key in group["names"]}
    found = {key: group["lr_scale"] for group in optim.groups(several(residual=form)) for key in group["names"]}
    assert len(set(scales.values())) > 1
    assert found == {f"members.{n}.{name}": scale for n in range(3) for name, scale in scales.items()}


def test_norms_by_depth_are_over_all_members():
    model, x = shaken(several()).train(), tokens()
    with measure.depth.norms(model) as found:
        model(x, targets_BT=x).backward()
    each = []
    for member in model.members:
        with measure.depth.norms(member) as own:
            member(x, targets_BT=x).backward()
        each.append(own)
    for name in ("stream", "gradient"):
        rows = zip(*(getattr(own, name) for own in each), strict=True)
        expected = [math.sqrt(sum(value**2 for value in row) / 3) for row in rows]
        assert getattr(found, name) == pytest.approx(expected, rel=1e-5)


def test_one_network_is_no_ensemble():
    with pytest.raises(BadInput, match=r"model.members is 2, and a LanguageModel is one network"):
        LanguageModel(Settings(**SIZES, members=2))
    with pytest.raises(BadInput, match=r"model.members is 0"):
        dataclasses.replace(Settings(**SIZES), members=0)


def test_watching_asks_for_one_of_them():
    with pytest.raises(BadInput, match=r"3 networks beside one another.*watch one of them, model.members\[0\]"):
        measure.watch(several()).__enter__()
