"""Models that are built otherwise than most: weights that are computed, changes in place, parts without a number."""

import contextlib

import healthy
import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

import mainstem
from mainstem import measure
from mainstem.errors import BadInput


@pytest.mark.parametrize("normed", [weight_norm, spectral_norm])
def test_weights_that_are_computed_are_not_computed_once_more(normed):
    def trained(watched):
        torch.manual_seed(0)
        layers = [nn.Linear(4, 4), nn.LayerNorm(4), nn.Conv1d(3, 3, 1), nn.LayerNorm(4), nn.Linear(4, 4)]
        model = nn.Sequential(*(each if isinstance(each, nn.LayerNorm) else normed(each) for each in layers))
        x = torch.randn(2, 3, 4)
        with measure.watch(model) if watched else contextlib.nullcontext() as m:
            for _ in range(2):  # the power iteration of a spectral norm goes on with each weight that is computed
                model(x).square().mean().backward()
        assert not watched or not m.diagnose()
        return model.state_dict()

    torch.testing.assert_close(trained(True), trained(False), rtol=0, atol=0)


@pytest.mark.parametrize("taps", ["residuals", "layers"])
def test_what_is_changed_in_place_behind_a_layer_takes_no_numbers_away(taps):
    def build(inplace):
        torch.manual_seed(0)
        layers = [mainstem.Residual(nn.Linear(16, 16)) if taps == "residuals" else nn.Linear(16, 16) for _ in range(3)]
        return nn.Sequential(*(part for layer in layers for part in (layer, nn.ReLU(inplace))))

    found = []
    for inplace in (False, True):
        model = build(inplace)
        torch.manual_seed(1)
        with measure.watch(model) as m:
            model(torch.randn(4, 16)).square().sum().backward()
        found.append((m.results, [p.grad for p in model.parameters()]))
    assert found[0][0]["gradient_flow"] == found[1][0]["gradient_flow"] and len(found[1][0]["gradient_flow"]) == 3
    assert all(one.equal(other) for one, other in zip(found[0][1], found[1][1], strict=True))


@pytest.mark.parametrize("name", healthy.MODELS)
def test_an_empty_batch_has_no_numbers(name):
    model = healthy.MODELS[name]().eval()
    x, _ = healthy.batch(name)
    with measure.watch(model) as m:
        model(x[:0]).sum().backward()
    assert set(m.results) == {"zero_weights"} and m.diagnose() == []


class Experts(nn.Module):
    """Of two experts the second is given no token."""

    def __init__(self):
        super().__init__()
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 4)) for _ in range(2))

    def forward(self, x):
        return torch.cat([self.experts[0](x), self.experts[1](x[:0])])


def test_an_expert_without_a_token_has_no_numbers():
    model = Experts()
    with measure.watch(model) as m:
        model(torch.randn(6, 4)).square().sum().backward()
    assert set(m.results["effective_rank"]) == {"input", "experts.0"} and set(m.results["dead_units"]) == {
        "experts.0.1"
    }
    assert {name for name, taps in m.results.items() if any("experts.1" in tap for tap in taps)} == {"zero_weights"}


class Siamese(nn.Module):
    """One encoder for both halves of what it is given."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 4))

    def forward(self, x):
        return self.encoder(x[0]) - self.encoder(x[1])


def test_tensors_without_a_number_are_not_one_another():
    """All of them lie nowhere: an encoder that is given two was taken for a block that reads what it wrote."""
    with measure.watch(Siamese()) as m:
        m.model(torch.ones(2, 0, 4))
    assert set(m.results) == {"zero_weights"} and m.taps().names("stream") == ["encoder.0", "encoder.2"]


class Tables(nn.Module):
    """Blocks that are given whole numbers, a column of a table each."""

    def __init__(self):
        super().__init__()
        self.columns = nn.ModuleList(nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 4)) for _ in range(3))

    def forward(self, ids):
        return sum(column(ids[:, at]) for at, column in enumerate(self.columns))


def test_blocks_that_are_given_whole_numbers_are_measured_by_what_they_return():
    with measure.watch(Tables()) as m:
        m.model(torch.arange(12).view(4, 3) % 9).square().sum().backward()
    taps = [f"columns.{number}" for number in range(3)]
    assert list(m.results["stream"]) == list(m.results["gradient_flow"]) == taps


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_torchs_encoder_with_padding_is_measured_in_evaluation():
    """It nests what is padded, for layers without hooks alone; the numbers of padding are not its output then."""
    torch.manual_seed(0)
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 2).eval()
    x, padding = torch.randn(3, 5, 16), torch.arange(5) >= torch.tensor([[3], [5], [4]])
    with torch.no_grad():
        plain = model(x, src_key_padding_mask=padding)
        with measure.watch(model) as m:
            seen = model(x, src_key_padding_mask=padding)
            assert model.use_nested_tensor
            with pytest.raises(BadInput):
                model(x.to("meta"))
        again = model(x, src_key_padding_mask=padding)
    torch.testing.assert_close(seen[~padding], plain[~padding])
    assert again.equal(plain) and list(m.results["stream"]) == ["input", "layers.0", "layers.1"]
    assert set(m.results["attention_entropy"]) == {f"layers.{number}.self_attn" for number in range(2)}
