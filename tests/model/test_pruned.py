"""A pruned model is the same function with fewer numbers; what would not be is refused."""

import pytest
import torch
from variants import shaken, small, tokens

from mainstem.errors import BadInput
from mainstem.model import LanguageModel
from mainstem.model.pruned import prune


def sparse(residual="pre_norm", units=(1, 4, 7), groups=(1,), apart=False, **changes):
    """Return a model in which some hidden units and heads add nothing: by another of their matrices in each block."""
    sizes = {"layers": 3, "width": 16, "heads": 4, "hidden": 10, **changes}
    model = shaken(small(residual, **sizes), by=0.1).eval()
    with torch.no_grad():
        for number, block in enumerate(model.blocks):
            layer = block.feedforward.branch.feedforward
            dead = [(u + number) % 10 for u in units]
            if number == 0:
                layer.output.weight[:, dead] = 0
            elif number == 1 and layer.gate is not None:
                layer.gate.weight[dead] = 0
            else:
                layer.input.weight[dead] = 0
            attention = block.attention.branch.attention
            width = attention.output.weight.shape[1] // (attention.spec.kv_heads or attention.spec.heads)
            for group in [(group + number * apart) % 4 for group in groups]:
                if number:
                    attention.output.weight[:, group * width : (group + 1) * width] = 0
                else:
                    attention.value.weight[group * 4 : (group + 1) * 4] = 0
    return model


@pytest.mark.parametrize("feedforward", ["relu2", "gelu", "swiglu"])
@pytest.mark.parametrize(("kv_heads", "heads"), [(4, 3), (2, 6)])
@pytest.mark.parametrize("embedding", ["token", "ngrams"])
def test_it_is_the_same_function_in_fewer_numbers(feedforward, kv_heads, heads, embedding):
    model = sparse(feedforward=feedforward, kv_heads=kv_heads, embedding=embedding)
    found = prune(model)
    x = tokens(3, 8)
    torch.testing.assert_close(found.model(x), model(x), rtol=1e-5, atol=1e-5)
    assert found.hidden == (9, 30) and found.heads == (heads, 12) and found.apart <= 1e-5
    assert [tuple(each) for each in found.model.settings.sizes] == [(4 - heads // 3, kv_heads - 1, 7)] * 3
    matrices = 3 if feedforward == "swiglu" else 2
    gone = 9 * matrices * 16 + heads * 2 * 4 * 16 + 3 * 2 * 4 * 16
    assert sum(p.numel() for p in model.parameters()) - sum(p.numel() for p in found.model.parameters()) == gone


def test_it_is_built_again_from_its_settings_and_generates_as_before():
    model = sparse()
    found = prune(model).model
    again = LanguageModel.from_config(found.config(), seed=None).eval()
    again.load_state_dict(found.state_dict())
    x = tokens(2, 8)
    assert again(x).equal(found(x)) and again.config() == found.config()
    assert "sizes" not in model.config() and len(found.config()["sizes"]) == 3


def test_all_units_of_a_block_may_be_zero():
    model = sparse(units=range(10), groups=(0, 1, 2, 3))
    found = prune(model)
    assert [each.hidden for each in found.model.settings.sizes] == [1, 1, 1]
    assert [each.heads for each in found.model.settings.sizes] == [1, 1, 1]
    x = tokens(2, 8)
    torch.testing.assert_close(found.model(x), model(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", ["post_norm", "parallel", "hyper", "layer_scale", "reversible", "denseformer"])
def test_other_forms_stay_the_same_function(form):
    model = sparse(form, groups=(), units=(2, 3)) if form != "parallel" else None
    if model is None:
        model = shaken(small(form, layers=2, width=16, heads=4, hidden=10), by=0.1).eval()
        with torch.no_grad():
            for name, p in model.named_parameters():
                if name.endswith("feedforward.output.weight"):
                    p[:, 2:4] = 0
    found = prune(model)
    x = tokens(2, 8)
    torch.testing.assert_close(found.model(x), model(x), rtol=1e-5, atol=1e-5)
    assert found.hidden[0] in (4, 6)


def test_where_it_would_be_another_function_or_nothing_is_zero_it_is_refused():
    with pytest.raises(BadInput, match="No hidden unit and no head of this model is zero as a whole: train with"):
        prune(sparse(units=(), groups=()))
    with pytest.raises(BadInput, match="would not be the same function"):
        prune(sparse("sub_ln", groups=()))
    with pytest.raises(BadInput, match="would not be the same function"):
        prune(sparse("value_residual", units=(), groups=(1,), apart=True))


def test_a_model_that_trains_is_left_as_it_is():
    model = sparse().train()
    weights = {name: p.clone() for name, p in model.state_dict().items()}
    prune(model)
    assert model.training and all(p.equal(weights[name]) for name, p in model.state_dict().items())
