"""A part that was changed after it was built is obeyed, wherever it stands in a model of any form.

The oracle is the same changed model under a hook on all modules, where every module is called.
"""

import copy

import pytest
import torch
from arrays import needs_kernels
from torch import nn
from torch.nn.utils import parametrizations, prune
from variants import QUIET_DEPTH, RESIDUALS, loss, shaken, small, tokens

from mainstem.noise import Noise
from mainstem.stream import Connection, Stream

forms = pytest.mark.parametrize("name", RESIDUALS)
pytestmark = needs_kernels


def scaled(result):
    """Return what a module returned, each column by a factor of its own: one for all would be lost in a norm."""
    if isinstance(result, torch.Tensor):
        if not result.is_floating_point():
            return result
        return result * (1.5 if not result.dim() else torch.linspace(0.5, 1.5, result.shape[-1]))
    if isinstance(result, tuple) and hasattr(result, "_replace"):  # a state, or what a branch returns
        first = result._fields[0]
        return result._replace(**{first: scaled(getattr(result, first))})
    return tuple(scaled(part) for part in result) if isinstance(result, tuple) else result


def methods(module):
    if isinstance(module, Connection):
        return ("read", "write")
    return ("open", "close") if isinstance(module, Stream) else ("forward",)


def subclassed(module, method):
    kind = type(module)
    changed = lambda self, *given, **named: scaled(getattr(kind, method)(self, *given, **named))  # noqa: E731
    module.__class__ = type(f"My{kind.__name__}", (kind,), {method: changed})
    return lambda: setattr(module, "__class__", kind)


def replaced(module, method):
    original = getattr(module, method)
    setattr(module, method, lambda *given, **named: scaled(original(*given, **named)))
    return lambda: delattr(module, method)


def hooked(module, method):
    return module.register_forward_hook(lambda module, given, result: scaled(result)).remove


WAYS = {"subclassed": subclassed, "replaced": replaced, "hooked": hooked}
"""How a method of a module is changed; each returns what takes the change back."""


def built(name, **changes):
    return shaken(small(RESIDUALS[name], rates=QUIET_DEPTH, layers=2, head="untied", **changes), by=0.1)


def called(model, x):
    """Return the loss where every module is called."""
    handle = nn.modules.module.register_module_forward_hook(lambda *_: None)
    try:
        return loss(model, x)
    finally:
        handle.remove()


def parts(model):
    """Yield what takes part in a forward by being called, of the last block alone: all blocks are alike."""
    for name, module in model.named_modules():
        if name and not isinstance(module, nn.ModuleList) and not name.startswith("blocks.0"):
            yield name, module


SOME = ["pre_norm", "post_norm", "hyper", "denseformer", "value_residual", "parallel"]
"""A form for each rule, and those whose sublayers do not stand alone."""


CASES = [(name, way) for way in WAYS for name in RESIDUALS if way == "subclassed" or name in SOME]


@pytest.mark.parametrize(("name", "way"), CASES)
def test_a_changed_part_is_obeyed(name, way):
    model, x = built(name), tokens(4, 8)
    plain = loss(model, x)
    for part, module in list(parts(model)):
        for method in methods(module):
            if way == "hooked" and method != "forward":
                continue  # connections and streams are not called, so that a hook on one never runs
            back = WAYS[way](module, method)
            found, expected = loss(model, x), called(model, x)
            back()
            assert torch.allclose(found, expected, rtol=1e-5), f"{part}.{method}: {found} is not {expected}"
            assert not found.equal(plain), f"{part}.{method}"
    assert loss(model, x).equal(plain)


def pruned(module, name):
    prune.l1_unstructured(module, name, amount=0.5)


def as_plain_tensor(module, name):
    weight = getattr(module, name).detach()
    delattr(module, name)
    setattr(module, name, 1.5 * weight)


def as_buffer(module, name):
    weight = getattr(module, name).detach()
    delattr(module, name)
    module.register_buffer(name, 1.5 * weight)


def weight_normed(module, name):
    parametrizations.weight_norm(module, name)
    with torch.no_grad():
        getattr(module.parametrizations, name).original0.mul_(1.5)


def spectral_normed(module, name):
    torch.nn.utils.spectral_norm(module, name)


def old_weight_normed(module, name):
    torch.nn.utils.weight_norm(module, name)


CHANGES = [pruned, as_plain_tensor, as_buffer, weight_normed, spectral_normed, old_weight_normed]


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*spectral_norm.* is deprecated:FutureWarning")
@pytest.mark.parametrize("name", ["pre_norm", "hyper", "denseformer"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_weight_that_is_computed_or_no_parameter_is_used_as_it_is(name, change):
    model, x = built(name), tokens(4, 8)
    for part, module in parts(model):
        for weight, value in list(module.named_parameters(recurse=False)):
            if "norm" in change.__name__ and value.dim() < 2:
                continue
            mine = copy.deepcopy(model)
            change(mine.get_submodule(part), weight)
            if "spectral" in change.__name__:
                mine.eval()  # in training each call takes another step of its power iteration
            found, expected = loss(mine, x), called(mine, x)
            assert torch.allclose(found, expected, rtol=1e-5), f"{part}.{weight}: {found} is not {expected}"


@pytest.mark.parametrize("name", ["pre_norm", "sandwich", "value_residual"])
@pytest.mark.parametrize("left_out", ["dropout", "rotary", "query_norm", "drop_path"])
def test_an_identity_in_its_place_leaves_a_part_out(name, left_out):
    model, without = (built(name, qk_norm="rms") for _ in range(2))
    for module in list(model.modules()):
        if left_out in module._modules and module._modules[left_out] is not None:
            setattr(module, left_out, nn.Identity())
    for module in list(without.modules()):
        if left_out in module._modules:
            if isinstance(module, nn.Module) and hasattr(module, "parts"):  # a branch is a list of what it has
                del module._modules[left_out]
            else:
                setattr(module, left_out, None)
    x = tokens(4, 8)
    torch.testing.assert_close(loss(model, x), loss(without, x))


@pytest.mark.parametrize("feedforward", ["relu2", "gelu", "swiglu"])
def test_torchs_dropout_in_its_place_is_called(feedforward):
    model, x = built("pre_norm", feedforward=feedforward), tokens(4, 8)
    for module in list(model.modules()):
        if isinstance(module._modules.get("dropout"), Noise):
            module.dropout = nn.Dropout(1.0)
    # Everything is dropped: all branches are silent, and so is the embedding.
    assert not model.features(x).any()


@forms
def test_built_without_memory_and_loaded_it_is_the_model_whose_state_was_loaded(name):
    model = built(name)
    with torch.device("meta"):
        empty = small(RESIDUALS[name], rates=QUIET_DEPTH, layers=2, head="untied")
    empty.to_empty(device="cpu")  # memory that nobody has written to
    missing = empty.load_state_dict(model.state_dict())
    assert not missing.missing_keys and not missing.unexpected_keys
    assert torch.equal(loss(empty, tokens(4, 8)), loss(model, tokens(4, 8)))
