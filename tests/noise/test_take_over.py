"""The ways in which people drop, taken over: half of a batch has the masks of the whole, and no other draw."""

import copy
import warnings

import pytest
import torch
import torch.nn.functional as F
from taken import HEADS, WAYS, WIDTH, Eager, Fused, built, run, said
from torch import nn
from torch.utils.checkpoint import checkpoint as plain_checkpoint

import mainstem
from mainstem import noise
from mainstem.errors import BadInput

each = pytest.mark.parametrize("way", WAYS)


@each
def test_parts_of_a_batch_have_the_masks_of_the_whole_and_no_generator_is_touched(way):
    model, x = built(way), torch.randn(8, 6, WIDTH)
    taken, before = noise.take_over(model, **said(way)), torch.get_rng_state()
    whole = run(model, x)
    for rows in (range(4), range(4, 8), [1, 6], [5, 7, 2]):
        torch.testing.assert_close(run(model, x[list(rows)], rows), whole[list(rows)], rtol=1e-5, atol=1e-6)
    others = [run(model, x, step=step) for step in range(12)] + [run(model, x, seed=seed) for seed in range(2, 8)]
    assert sum(not torch.allclose(whole, other) for other in others) > 4
    assert torch.get_rng_state().equal(before) and not taken.unreached


@each
def test_elsewhere_it_is_what_it_was(way):
    model, x = built(way), torch.randn(8, 6, WIDTH)
    plain = copy.deepcopy(model)
    taken = noise.take_over(model, **said(way))
    for training in (True, False):
        found = []
        for each_model in (plain, model):
            torch.manual_seed(5)
            found.append(each_model.train(training)(x))
        assert found[0].equal(found[1])
    torch.testing.assert_close(run(model.eval(), x), plain.eval()(x), rtol=1e-5, atol=1e-6)
    taken.remove()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


@each
def test_it_drops_as_often_as_it_did(way):
    """Means over many steps under the counter and by torch's generator are those of one distribution."""
    model, x = built(way), torch.ones(8, 6, WIDTH)
    with torch.no_grad():
        theirs = torch.stack([model(x.clone()) for _ in range(400)])
        noise.take_over(model, **said(way))
        ours = torch.stack([run(model, x.clone(), step=step) for step in range(400)])
    spread = (theirs.var(0) + ours.var(0)).div(400).sqrt() + 1e-3
    assert ((ours.mean(0) - theirs.mean(0)).abs() / spread).square().mean() < 2
    torch.testing.assert_close(ours.std(0).mean(), theirs.std(0).mean(), rtol=0.1, atol=1e-3)


def test_gradients_are_those_of_the_parts():
    model, x = built("torch's encoder"), torch.randn(8, 6, WIDTH)
    noise.take_over(model)
    run(model, x).square().sum().backward()
    whole = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    for rows in (range(3), range(3, 8)):
        run(model, x[list(rows)], rows).square().sum().backward()
    for p, grad in zip(model.parameters(), whole, strict=True):
        torch.testing.assert_close(p.grad, grad, rtol=1e-4, atol=1e-4)


def test_a_module_draws_what_ours_draws_by_its_name():
    theirs, ours = nn.Sequential(nn.Dropout(0.4)), noise.bind(nn.Sequential(noise.Dropout(0.4)))
    noise.take_over(theirs)
    x = torch.randn(4, 32)
    assert run(theirs, x).equal(run(ours, x))


def test_padding_changes_no_mask_of_attention():
    x = torch.randn(2, 9, WIDTH)
    short, long = Fused(torch.ones(1, 6, dtype=torch.bool)), Fused(torch.arange(9)[None] < 6)
    long.load_state_dict(short.state_dict())
    for model in (short, long):
        noise.take_over(model)
    torch.testing.assert_close(run(long, x)[:, :6], run(short, x[:, :6]), rtol=1e-5, atol=1e-6)


def test_samples_along_the_second_axis():
    layer = nn.Sequential(nn.TransformerEncoderLayer(WIDTH, HEADS, 32, dropout=0.3), nn.Dropout(0.3))  # [T, B, D]
    noise.take_over(layer, batch_dim=1)
    x = torch.randn(6, 3, WIDTH)
    whole = run(layer, x, range(3))
    torch.testing.assert_close(run(layer, x[:, 1:], range(1, 3)), whole[:, 1:], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("length", [5, 6])  # 6 is twice the samples: a guess would be wrong
def test_where_the_samples_lie_is_not_guessed(length):
    layer = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Dropout(0.3))
    noise.take_over(layer)
    sentence = r"drops of shape \[\d, 3, 16\].*3 samples.*batch_dim="
    with pytest.raises(BadInput, match=sentence), noise.counter(seed=0, step=0, samples=range(3)):
        layer(torch.randn(length, 3, WIDTH))


class Mixture(nn.Module):
    """Experts, each of which sees the tokens that chose it."""

    def __init__(self, dropout):
        super().__init__()
        self.gate = nn.Linear(WIDTH, 3)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(WIDTH, WIDTH), dropout()) for _ in range(3))

    def forward(self, x):
        flat, y = x.flatten(0, 1), torch.zeros_like(x.flatten(0, 1))
        chosen = self.gate(flat).argmax(-1)
        for number, expert in enumerate(self.experts):
            at = (chosen == number).nonzero().squeeze(1)
            y = y.index_copy(0, at, expert(flat[at]))
        return y.view_as(x)


@pytest.mark.parametrize("ours", [False, True])
def test_a_mixture_of_experts_has_masks_of_the_whole_batch_where_that_is_said(ours):
    torch.manual_seed(0)
    x, before = torch.randn(11, 5, WIDTH), torch.get_rng_state()
    make = {"said": lambda: noise.Dropout(0.5, batch_dim=None), "unsaid": lambda: noise.Dropout(0.5)}
    refused = Mixture(make["unsaid"] if ours else lambda: nn.Dropout(0.5))
    noise.take_over(refused)
    with pytest.raises(BadInput, match=r"experts\.\d\.1'.*(whole=|batch_dim=).*a mixture of experts"):
        run(refused, x)
    model = Mixture(make["said"] if ours else lambda: nn.Dropout(0.5))
    noise.take_over(model, whole="" if ours else "experts.*")
    torch.set_rng_state(before)
    found = [run(model, x, step=step) for step in (1, 1, 2)]
    assert found[0].equal(found[1]) and not found[0].equal(found[2]) and torch.get_rng_state().equal(before)
    zeros = [(y == 0).float().mean().item() for y in (*found, run(model.eval(), x))]
    assert all(0.4 < share < 0.6 for share in zeros[:3]) and zeros[3] == 0
    theirs = model.train()(x)  # outside of the counter too
    assert 0.4 < (theirs == 0).float().mean() < 0.6


def test_a_pattern_that_fits_no_module_is_refused():
    with pytest.raises(BadInput, match=r"whole='\*\.expert' fits no module of Sequential"):
        noise.take_over(nn.Sequential(nn.Dropout(0.5)), whole="*.expert")


class Draws(nn.Module):
    def forward(self, x):
        return x + torch.randn_like(x) + torch.randn_like(x)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: nn.RReLU(), "rrelu"),
        (Draws, "randn_like"),
    ],
)
def test_a_draw_that_is_not_reached_is_named_once_and_where_torch_draws_nothing_not_at_all(make, name):
    model, x = nn.ModuleDict({"part": make()}), torch.randn(4, 6, WIDTH)
    model.forward = lambda x: model.part(x)
    taken = noise.take_over(model)
    assert ("part" in taken.unreached) == (name != "randn_like") == ("part" in str(taken))
    with pytest.warns(UserWarning, match=rf"`part` drew from torch's generator by {name}") as seen:
        run(model, x)
    assert len(seen) == 1
    if name != "randn_like":
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            run(model.eval(), x)


def test_without_it_a_draw_of_torch_is_noticed_by_the_scope():
    with pytest.warns(UserWarning, match=r"drew from torch's generator.*noise\.take_over"):
        run(noise.bind(nn.Sequential(nn.Dropout(0.5))), torch.ones(2, 4))


class Blocks(nn.Module):
    def __init__(self, checkpoint=None):
        super().__init__()
        self.blocks, self.checkpoint = nn.ModuleList(Eager() for _ in range(2)), checkpoint

    def forward(self, x):
        for block in self.blocks:
            x = x + (block(x) if self.checkpoint is None else self.checkpoint(block, x))
        return x


def test_recomputation_with_ours_and_with_torchs_draws_the_same():
    model, x, found = Blocks(), torch.randn(4, 6, WIDTH), []
    noise.take_over(model)
    for checkpoint in (None, mainstem.checkpoint, plain(False)):
        model.checkpoint = checkpoint
        model.zero_grad()
        run(model, x).square().sum().backward()
        found.append([p.grad.clone() for p in model.parameters()])
    for one, *others in zip(*found, strict=True):
        for other in others:
            torch.testing.assert_close(one, other)


def plain(use_reentrant):
    return lambda block, x: plain_checkpoint(block, x, use_reentrant=use_reentrant)


class Checkpointed(nn.Module):
    """A layer of which a part of the forward is computed again, behind its hooks, as transformers has it."""

    def __init__(self, checkpoint):
        super().__init__()
        self.linear, self.drop, self.checkpoint = nn.Linear(WIDTH, WIDTH), nn.Dropout(0.3), checkpoint

    def forward(self, x):
        x = F.dropout(x, 0.3, self.training)
        return x + F.dropout(self.checkpoint(self.body, x), 0.3, self.training)

    def body(self, x):
        y = F.dropout(self.drop(self.linear(x)).relu(), 0.3, self.training)
        y = y + self.checkpoint(self.inner, y)
        return F.dropout(y, 0.3, self.training).square()

    def inner(self, x):
        return F.dropout(self.linear(x).tanh(), 0.3, self.training).square()


@pytest.mark.parametrize("twice", [False, True])
def test_functions_that_checkpoint_computes_again_behind_the_hooks_of_their_module_draw_the_same(twice):
    x, found = torch.randn(4, 6, WIDTH), []
    for way in (lambda function, x: function(x), plain(False)):
        torch.manual_seed(0)
        model = nn.Sequential(Checkpointed(way), Checkpointed(way))
        noise.take_over(model)
        before = torch.get_rng_state()
        y = run(model, x)
        loss = y.square().sum()
        loss.backward(retain_graph=twice)
        if twice:
            loss.backward()
        found.append([y, *(p.grad for p in model.parameters())])
        assert torch.get_rng_state().equal(before)
        torch.testing.assert_close(run(model, x[1:3], [1, 2]), y[1:3], rtol=1e-5, atol=1e-5)
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_recomputation_that_keeps_no_record_of_its_forward_is_refused():
    model, x = Blocks(plain(True)), torch.randn(4, 6, WIDTH, requires_grad=True)
    noise.take_over(model)
    with pytest.raises(RuntimeError, match=r"'blocks\.1' is recomputed.*use_reentrant=False"):
        run(model, x).sum().backward()


def test_names_that_would_draw_the_same_are_told_apart():
    # Two words of equal length with one crc32 keep it behind any common prefix, as the checksum is linear.
    model = nn.ModuleDict({"plumless": nn.Dropout(0.5), "buckeroo": nn.Dropout(0.5)})
    noise.take_over(model)
    x = torch.ones(2, 64)
    assert not run(model["plumless"], x).equal(run(model["buckeroo"], x))


def test_what_never_draws_has_no_hook():
    model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Embedding(3, 4), nn.Dropout(0.5))
    noise.take_over(model)
    assert [bool(part._forward_pre_hooks) for part in model] == [False, False, False, True]


def test_a_wrapper_and_a_copy_have_the_masks_of_the_model():
    model, x = built("torch's encoder"), torch.randn(8, 6, WIDTH)
    wrapped = nn.DataParallel(copy.deepcopy(model))
    noise.take_over(model)
    noise.take_over(wrapped)
    whole = run(model, x)
    assert run(wrapped, x).equal(whole) and run(copy.deepcopy(model), x).equal(whole)


def test_after_an_exception_functions_are_torchs_again():
    model = built("eager attention")
    noise.take_over(model)
    with pytest.raises(RuntimeError):
        run(model, torch.randn(4, 6, 3))
    assert torch._C._len_torch_function_stack() == 0
    run(model, torch.randn(4, 6, WIDTH))


def test_what_is_taken_over_is_not_taken_twice():
    model = built("modules")
    taken = noise.take_over(model)
    with pytest.raises(BadInput, match=r"Sequential is taken over already: call remove"):
        noise.take_over(model)
    taken.remove()
    noise.take_over(model)


def test_a_kernel_of_ours_is_still_used():
    block = mainstem.Residual([nn.Linear(4, 4), noise.Dropout(0.5)])
    noise.take_over(nn.Sequential(block))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in block.modules())


@pytest.mark.parametrize("part", [True, False])
def test_what_is_compiled_is_named(part):
    net = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))
    compiled = torch.compile(net, backend="eager")
    taken = noise.take_over(nn.ModuleDict({"net": compiled}) if part else compiled)
    assert list(taken.unreached) == ["net" if part else ""]
    assert ("net" if part else "the model itself") + ": compiled, so that its functions cannot be seen" in str(taken)
    taken.remove()
    net.compile(backend="eager")
    assert list(noise.take_over(net).unreached) == [""]
