"""What the executor computes at once is what the algebra says: values, gradients, masks, for any set of rules."""

import copy
import itertools

import pytest
import torch
from arrays import needs_kernels
from variants import NOISY, QUIET_DEPTH, RESIDUALS, shaken, small, tokens

from mainstem import execute, noise, ops
from mainstem.form.denseformer import AddWithHistory, History
from mainstem.form.post_norm import NormAfter
from mainstem.model import Rates
from mainstem.nn import LayerNorm, RMSNorm
from mainstem.noise.site import Noise
from mainstem.stream import Add, Single

LAYERS = 2
SUMS = (Add, AddWithHistory, NormAfter)
"""Connections that write a sum which the kernel of dropout, sum and norm can take."""


def fitting(model):
    """Return the rules that stand for something in a forward of `model`, each asked by itself."""
    found = []

    def noting(rule):
        def asked(here, then):
            fusion = rule(here, then)
            if fusion is not None and rule not in found:
                found.append(rule)
            return fusion

        return asked

    for rule in execute.RULES:
        outcome(model, [noting(rule)])
    return found


def subsets(rules):
    """Return the sets of `rules` but the empty one; a rule that never fits changes nothing."""
    return [some for number in range(1, len(rules) + 1) for some in itertools.combinations(rules, number)]


RULED = ["pre_norm", "post_norm", "hyper", "denseformer"]
forms = pytest.mark.parametrize("name", RESIDUALS)
pytestmark = needs_kernels


def built(name, rates=QUIET_DEPTH, **changes):
    # Not far: float32 and float64 are compared, and streams that mix strongly magnify every rounding.
    return shaken(small(RESIDUALS[name], rates=rates, layers=LAYERS, **changes), by=0.1)


def outcome(model, rules=execute.RULES, recomputed=False):
    """Return the closed stream and all gradients under the counter."""
    model.zero_grad()
    x = tokens(4, 8)
    with noise.counter(seed=3, step=4, samples=range(len(x))):
        closed = execute.run(model.stream, model.blocks, model.embedding(x), recomputed=recomputed, rules=rules)
    torch.tanh(closed).sum().backward()
    return closed.detach(), {key: p.grad.clone() for key, p in model.named_parameters() if p.grad is not None}


def same(found, expected, relative=1e-4, zero=1e-6):
    torch.testing.assert_close(found[0], expected[0].to(found[0].dtype), rtol=1e-5, atol=1e-5)
    assert found[1].keys() == expected[1].keys()
    # Some gradients are sums that cancel out, such as that of a weight whose size the norm behind it takes away.
    largest = max(true.norm() for true in expected[1].values())
    for key, grad in found[1].items():
        true = expected[1][key].to(grad.dtype)
        assert (grad - true).norm() <= relative * true.norm() + zero * largest, key


@pytest.fixture
def calls(monkeypatch):
    """Return the ops that took a write together with something else, in order."""
    found = []
    for name in ("dropout_add_norm", "step_streams", "chained_depth_sum"):
        original = getattr(ops, name)

        def note(*given, name=name, original=original, **rest):
            if name != "step_streams" or "weights" in rest:  # a read alone is the connection's own
                found.append(name)
            return original(*given, **rest)

        monkeypatch.setattr(ops, name, note)
    return found


@pytest.fixture
def norms_of_sums(monkeypatch):
    """Return a function of a model: the norms that its parts then take of a sum x + F(x) as it was written.

    Such a norm stands in the write itself, or is the first that the next branch, or the closing stream, makes of it.
    """

    def watch(model):
        taken, written = [], []
        writes = [kind.write for kind in SUMS]
        parts = [part for block in model.blocks for part in block.children()]
        chain = [part for part in parts if type(part.connection).write in writes]
        inside = {getattr(part.connection, "norm", None) for part in chain}
        behind = {next(iter(part.branch.parts())) for part in parts}

        def note(norm, given):
            if norm in inside or any(given[0] is total for total in written):
                taken.append(norm)

        # A stream that does more than to take the norm of the sum closes by itself.
        closing = {model.stream.norm} if type(model.stream).close in (Single.close, History.close) else set()
        for module in inside | behind | closing:
            if isinstance(module, (RMSNorm, LayerNorm)):
                module.register_forward_pre_hook(note)
        for part in chain:

            def write(*given, connection=part.connection, original=part.connection.write):
                state = original(*given)
                if type(connection) is not NormAfter:  # else what is written is the norm of the sum
                    written.append(state.main[0] if isinstance(state.main, tuple) else state.main)
                return state

            monkeypatch.setattr(part.connection, "write", write)
        return taken

    return watch


@forms
@pytest.mark.parametrize("rates", [QUIET_DEPTH, NOISY], ids=["dropout", "depth"])
def test_any_set_of_the_rules_that_fit_gives_the_same(name, rates):
    model = built(name, rates)
    plain, rules = outcome(model, ()), fitting(model)
    for some in subsets(rules):
        same(outcome(model, some), plain)


def test_every_rule_fits_some_form():
    found = {rule for name in RULED for rule in fitting(built(name, QUIET_DEPTH))}
    assert found == {*execute.RULES}


@forms
@pytest.mark.parametrize("recomputed", [False, True])
@pytest.mark.parametrize("norm", ["rms", "layer"])
def test_all_rules_give_the_same_in_every_runner(name, norm, recomputed, calls, norms_of_sums):
    model = built(name, norm=norm)
    names = list(model.state_dict())
    found = outcome(model, recomputed=recomputed)
    fused = calls.count("dropout_add_norm")
    calls.clear()
    taken = norms_of_sums(model)
    expected = outcome(model, ())
    if not recomputed:
        assert fused == len(taken)
    assert not calls and list(model.state_dict()) == names
    same(found, expected)


@forms
@pytest.mark.parametrize("rates", [QUIET_DEPTH, NOISY], ids=["dropout", "depth"])
def test_float32_is_float64_with_the_same_masks(name, rates):
    model = built(name, rates)
    exact = copy.deepcopy(model).double()
    same(outcome(model), outcome(exact))


@forms
@pytest.mark.parametrize("rates", [QUIET_DEPTH, NOISY], ids=["dropout", "depth"])
def test_the_sites_that_draw_are_those_of_the_parts(name, rates, monkeypatch):
    model, drawn, original = built(name, rates), [], Noise.draw

    def draw(self, num_samples):
        found = original(self, num_samples)
        drawn.append((found[1], num_samples))
        return found

    monkeypatch.setattr(Noise, "draw", draw)
    outcome(model)
    fused = list(drawn)
    drawn.clear()
    outcome(model, ())
    assert fused == drawn and fused


@forms
def test_evaluation_gives_the_same(name):
    model = built(name).eval()
    x = model.embedding(tokens(2, 8))
    found, expected = (execute.run(model.stream, model.blocks, x, rules=rules) for rules in (execute.RULES, ()))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@forms
def test_a_write_behind_a_branch_that_may_be_skipped_takes_no_dropout(name, calls):
    model = built(name, Rates(depth=0.3))
    outcome(model)
    skipped = [module.drop_path for module in model.modules() if getattr(module, "drop_path", None) is not None]
    assert skipped and calls.count("dropout_add_norm") <= 2 * LAYERS - len(skipped)
