"""A module that lacks an argument or lies elsewhere is named, with the remedy, by every container that calls it."""

import pytest
import torch
from torch import nn

from mainstem import Residual, Stack, blocks, noise
from mainstem.errors import BadInput
from mainstem.stream import State, Sum
from mainstem.stream.calling import elsewhere


class Crossing(nn.Module):
    """Needs a second argument, and takes a third."""

    def __init__(self):
        super().__init__()
        self.inner = nn.Linear(8, 8)

    def forward(self, x, memory, words=None):
        return self.inner(x) + memory.mean(1, keepdim=True)


x, memory = torch.randn(2, 3, 8), torch.randn(2, 5, 8)


def in_a_state(module):
    residual = Residual(module)
    return lambda x, **given: residual(State(x, {}), **given).main


def of_images(module):
    stack = Stack("post_norm", [module], 8)
    return lambda x: stack(x[:, None])


HOLDERS = {
    "residual": Residual,
    "residual of several": lambda module: Residual([nn.LayerNorm(8), module]),
    "state": in_a_state,
    "drop path": lambda module: Residual(module, drop_path=1e-4),
    "sum": lambda module: Residual([Sum({"a": [module], "b": [nn.Identity()]})]),
    "stack": lambda module: Stack("pre_norm", [module], 8),
    "stack of hyper": lambda module: Stack("hyper", [module, module], 8),
    "stack of images": of_images,
}
held = pytest.mark.parametrize("holder", HOLDERS)


@held
def test_an_argument_that_is_lacking_is_named(holder):
    call = HOLDERS[holder](Crossing())
    with pytest.raises(BadInput, match=r"Crossing,? needs 'memory' beside x: give it by name, or wrap it"):
        call(x)
    if holder != "stack of images":
        call(x, memory=memory)


@held
def test_a_module_of_torch_that_lacks_two_is_named(holder):
    with pytest.raises(BadInput, match=r"MultiheadAttention,? needs 'key' and 'value' beside x: give them by name"):
        HOLDERS[holder](nn.MultiheadAttention(8, 2, batch_first=True))(x)


class Own(nn.Module):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def forward(self, x):
        raise self.error


@held
@pytest.mark.parametrize("error", [TypeError("mine"), RuntimeError("mine"), NotImplementedError("mine")])
def test_an_error_of_the_module_s_own_comes_through(holder, error):
    with pytest.raises(type(error), match=r"^mine$"):
        HOLDERS[holder](Own(error))(x)


def test_a_name_that_a_module_has_for_an_argument_is_none_of_ours():
    class Named(nn.Module):
        def forward(self, x, module, words, context=0):
            return x + module + words + context

    torch.testing.assert_close(Residual(Named())(x, module=1, words=2, context=3), 2 * x + 6)


MODULES = {"linear": lambda: nn.Linear(8, 8), "inside": lambda: nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 8))}


@held
@pytest.mark.parametrize("module", MODULES)
def test_weights_without_numbers_are_named(holder, module):
    with pytest.raises(BadInput, match=r"is on meta, where weights have no numbers, and x on cpu: load its weights"):
        HOLDERS[holder](MODULES[module]().to("meta"))(x)


@held
def test_an_input_without_numbers_is_named(holder):
    with pytest.raises(BadInput, match=r"is on cpu, and x on meta, where tensors have no numbers: give x on cpu"):
        HOLDERS[holder](nn.Linear(8, 8))(x.to("meta"))


@pytest.mark.parametrize("form", ["pre_norm", "post_norm", "hyper", "denseformer", "resi_dual", "deepnorm", "highway"])
def test_a_stack_of_which_parts_alone_have_no_numbers_is_refused(form):
    class Layer(nn.Linear):
        def roles(self):
            return {"weight": "feedforward.out"}

    stack = Stack(form, [Layer(8, 8) for _ in range(2)], 8)
    for part in [*stack.modules()]:
        if type(part).__name__ in ("RMSNorm", "Gate", "Hyper", "Depth") or part is stack.stream:
            part.to("meta")
    if not any(p.is_meta for p in stack.parameters()):
        stack.blocks[1].to("meta")
    with pytest.raises(BadInput, match=r"on meta, where"):
        stack(x)


def test_all_on_meta_tells_shapes():
    with torch.device("meta"):
        stack, residual = Stack("post_norm", [nn.Linear(8, 8)], 8), Residual(nn.Linear(8, 8), drop_path=0.5)
        layer = blocks.TransformerEncoderLayer(8, 2, 16, form="post_norm")
    for call in (stack, residual, layer, Stack("hyper", [nn.Linear(8, 8, device="meta")], 8)):
        assert call(x.to("meta")).is_meta
    noise.take_over(stack)
    with noise.counter(seed=0, step=0, samples=range(2)):
        assert noise.bind(residual)(x.to("meta")).shape == x.shape


def test_layers_in_the_place_of_torch_s_are_named_too():
    layer = blocks.TransformerEncoderLayer(8, 2, 16)
    decoder = blocks.TransformerDecoderLayer(8, 2, 16)
    for call in (lambda: layer.to("meta")(x), lambda: decoder.to("meta")(x, x)):
        with pytest.raises(BadInput, match=r"The layer is on meta, where weights have no numbers, and \w+ on cpu"):
            call()


def test_a_model_in_parts_is_not_blamed():
    module = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    assert elsewhere(module, {"x": x}) is None
    module[1].to("meta")
    assert "has '1.weight' on meta" in str(elsewhere(module, {"x": x}))
