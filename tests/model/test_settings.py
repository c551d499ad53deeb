"""Each number of a model's settings reaches the parts that it is about."""

import pytest
import torch

from mainstem import config, form, model
from mainstem.errors import BadInput
from mainstem.model import LanguageModel, Settings
from mainstem.nn import LayerNorm, RMSNorm
from mainstem.nn.attention import Attention, AttentionSpec
from mainstem.nn.rotary import Rotary

SMALL = {"vocab": 11, "layers": 2, "width": 16, "heads": 2, "context": 8}
TOKENS = torch.arange(8)[None]


def test_the_width_of_a_head_is_its_own_number() -> None:
    network = LanguageModel(Settings(**SMALL, kv_heads=1, head_width=6))
    shapes = {name.split(".")[-2]: list(p.shape) for name, p in network.named_parameters() if ".attention." in name}
    assert shapes["query"] == [12, 16] and shapes["key"] == shapes["value"] == [6, 16] and shapes["output"] == [16, 12]
    whole = network(TOKENS)
    assert torch.allclose(network.double()(TOKENS).float(), whole, atol=1e-5)  # no kernel takes float64


def test_a_head_of_any_width_is_the_formula() -> None:
    torch.manual_seed(0)
    part = Attention(AttentionSpec(16, 3, head_width=10, rotary_base=None, qk_norm=None))
    x = torch.randn(2, 5, 16)
    query, key, value = ((x @ w.weight.T).view(2, 5, 3, 10).transpose(1, 2) for w in (part.query, part.key, part.value))
    score = (query @ key.transpose(2, 3) / 10**0.5).masked_fill(~torch.ones(5, 5, dtype=torch.bool).tril(), -torch.inf)
    expected = (score.softmax(-1) @ value).transpose(1, 2).flatten(2) @ part.output.weight.T
    assert torch.allclose(part(x), expected, atol=1e-5)


def test_without_one_the_heads_divide_the_width() -> None:
    with pytest.raises(BadInput, match=r"or give model\.head_width"):
        Settings(**{**SMALL, "heads": 3})
    assert LanguageModel(Settings(**{**SMALL, "heads": 3}, head_width=4))(TOKENS).shape == (1, 8, 11)


@pytest.mark.parametrize("norm", ["rms", "layer"])
@pytest.mark.parametrize("residual", ["pre_norm", "sandwich", "post_norm"])
def test_eps_is_that_of_every_norm(norm: str, residual: str) -> None:
    network = LanguageModel(Settings(**SMALL, norm=norm, residual=residual, eps=0.5))
    norms = [part for part in network.modules() if isinstance(part, (RMSNorm, LayerNorm))]
    assert len(norms) > 4 and {part.eps for part in norms} == {0.5}
    assert not torch.allclose(network(TOKENS), LanguageModel(Settings(**SMALL, norm=norm, residual=residual))(TOKENS))


def test_the_base_of_the_rotary_angles_is_that_of_every_layer() -> None:
    network = LanguageModel(Settings(**SMALL, rotary_base=100.0))
    assert [part.base for part in network.modules() if isinstance(part, Rotary)] == [100.0, 100.0]
    assert not torch.allclose(network(TOKENS), LanguageModel(Settings(**SMALL))(TOKENS))


def test_a_configuration_says_all_of_them() -> None:
    flags = {"model.head_width": "6", "model.eps": "1e-3", "model.rotary_base": "500", "model.heads": "3"}
    section = config.load(flags).model
    found = model.settings(section, config.Noise(), 11)
    assert (found.head_width, found.eps, found.rotary_base) == (6, 1e-3, 500.0)
    assert Settings.from_json(found.to_json()) == found
    assert Settings.from_json(Settings(**SMALL, residual=form.Sandwich()).to_json()).eps is None
