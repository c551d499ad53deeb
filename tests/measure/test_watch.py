"""A watch changes nothing, leaves nothing behind, and refuses what it cannot measure."""

import contextlib
import copy
import math
import re
import sys

import healthy
import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm
from torch.optim import Optimizer
from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode

import mainstem
from mainstem import measure
from mainstem.errors import BadInput
from mainstem.measure import depth
from mainstem.measure.quantity.update import ZeroWeights
from mainstem.model import LanguageModel, Settings

optimizer = sys.modules[Optimizer.__module__]


def chain(gains, width=16, dtype=torch.float64):
    model = nn.Sequential(*(nn.Linear(width, width, bias=False, dtype=dtype) for _ in gains))
    for layer, gain in zip(model, gains, strict=True):
        nn.init.orthogonal_(layer.weight, gain)
    return model


def hooks(model):
    return sum(len(held) for module in model.modules()
               for held in (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks))  # fmt: skip


def global_hooks():
    return len(optimizer._global_optimizer_pre_hooks) + len(optimizer._global_optimizer_post_hooks)


@pytest.mark.parametrize("gain", [0.61, 1.0, 1.7])
def test_a_linear_chain_gives_its_slope(gain):
    model = chain([gain] * 24)
    with measure.watch(model, every={"gradient_flow": 1}) as m:
        model(torch.randn(8, 16, dtype=torch.float64)).sum().backward()
    assert math.isclose(m.slope, gain, rel_tol=1e-6)


def test_a_chain_of_unlike_layers_gives_the_least_squares_slope():
    gains = [0.5, 0.9, 1.3, 0.7, 0.8]
    model = chain(gains)
    x = torch.randn(8, 16, dtype=torch.float64)
    with measure.watch(model) as m:
        model(x).sum().backward()
    depths = torch.arange(5, dtype=torch.float64)
    # The gradient after layer l has passed the layers behind it.
    logs = torch.stack([torch.tensor(gains[at + 1 :], dtype=torch.float64).log().sum() for at in range(5)])
    expected = torch.linalg.lstsq(torch.stack([depths, torch.ones(5)]).double().T, logs[:, None]).solution[0, 0]
    assert math.isclose(math.log(m.slope), -float(expected), rel_tol=1e-6)


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


def test_it_agrees_with_the_norms_by_depth_of_training():
    torch.manual_seed(0)
    model = LanguageModel(Settings(vocab=33, layers=3, width=32, heads=2, context=8)).double()
    ids = torch.randint(0, 33, (2, 8))
    with depth.norms(model) as norms:
        model(ids).logsumexp(-1).mean().backward()
    with measure.watch(model) as m:
        model(ids).logsumexp(-1).mean().backward()
    assert list(m.results["stream"].values()) == pytest.approx(norms.stream, rel=1e-9)
    assert list(m.results["gradient_flow"].values()) == pytest.approx(norms.gradient, rel=1e-9)


@pytest.mark.parametrize("name", healthy.MODELS)
def test_outputs_and_gradients_stay_the_same(name):
    torch.manual_seed(0)
    model = healthy.MODELS[name]().eval()
    x, _ = healthy.batch(name)
    plain = model(x)
    expected = torch.autograd.grad(plain.square().mean(), list(model.parameters()))
    with measure.watch(model):
        seen = model(x)
        found = torch.autograd.grad(seen.square().mean(), list(model.parameters()))
    assert torch.equal(plain, seen)
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))


def test_transformer_encoder():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    model = nn.TransformerEncoder(layer, 4)
    with measure.watch(model) as m:
        model(torch.randn(4, 10, 32)).square().mean().backward()
    assert m.taps().names("stream") == [f"layers.{i}" for i in range(4)]
    assert set(m.results["attention_logit"]) == {f"layers.{i}.self_attn" for i in range(4)}
    assert set(m.results["dead_units"]) == {f"layers.{i}" for i in range(4)}
    assert max(len(line) for line in m.table().splitlines()) <= 80
    assert max(len(line) for line in str(m.taps()).splitlines()) <= 80


def test_hooks_are_removed_also_after_an_exception():
    model = chain([1.0] * 3)

    def fails():
        with measure.watch(model):
            model(torch.randn(2, 16, dtype=torch.float64)).sum().backward()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert hooks(model) == 0 and global_hooks() == 0
    with measure.watch(model):
        with pytest.raises(RuntimeError):
            model(torch.randn(2, 3, dtype=torch.float64))
        assert hooks(model) == 3  # of the pass one stays on the model until the next one, as torch may walk through it
    assert hooks(model) == 0
    assert _get_current_dispatch_mode() is None


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


def test_every_n_passes():
    model = chain([1.0] * 3)
    with measure.watch(model, every={"stream": 3}) as m:
        counts = []
        for index in range(7):
            model(torch.full((2, 16), float(index), dtype=torch.float64))
            counts.append(round(m.results["stream"]["input"]))
    assert counts == [0, 0, 0, 3, 3, 3, 6]


def test_accumulated_passes_and_a_pass_without_gradients_keep_the_numbers():
    model = healthy.Gpt2(2)
    x, y = healthy.batch("gpt2")
    with measure.watch(model) as m:
        healthy.train(model, x, y, steps=1)
        before = m.results["gradient_flow"]
        with torch.no_grad():
            model(x)
        assert m.results["gradient_flow"] == before
        assert m.results["update_ratio"]


def test_bad_input():
    model = chain([1.0] * 3)
    with pytest.raises(BadInput, match="no parameters"):
        measure.watch(nn.Sequential(nn.ReLU()))
    with pytest.raises(BadInput, match="meta device"):
        measure.watch(nn.Linear(2, 2, device="meta"))
    with pytest.raises(BadInput, match="compiled"):
        measure.watch(torch.compile(model, backend="eager"))
    with pytest.raises(BadInput, match="no quantity 'flow'"):
        measure.watch(model, every={"flow": 1})
    with pytest.raises(BadInput, match="every 0"):
        measure.watch(model, every=0)
    with pytest.raises(BadInput, match=r"not a torch\.nn\.Module"):
        measure.watch("model")
    with measure.watch(model), pytest.raises(BadInput, match="watched already"), measure.watch(model):
        pass
    with measure.watch(model) as m:
        with pytest.raises(BadInput, match="The input is on meta and the model on cpu"):
            model(torch.ones(2, 16, device="meta"))
        with pytest.raises(BadInput, match="call the model and backward"):
            m.figure("gradient_flow")
        with pytest.raises(BadInput, match="no quantity"):
            m.figure("flow")
    with measure.watch(model):
        pass  # it can be watched again


def test_a_figure_is_a_page_that_loads_nothing(tmp_path):
    torch.manual_seed(0)  # of some draws the noise scale is infinite, of which there is no figure
    model = chain([0.8] * 6)
    with measure.watch(model) as m:
        model(torch.randn(8, 16, dtype=torch.float64)).sum().backward()
    for name in m.results:
        text = m.figure(name).write_html(tmp_path / f"{name}.html").read_text()
        assert "default-src &#39;none&#39;" in text
        assert not re.search(r"(src|href)=.?http|url\(|@import", text)
        assert "<table" in text


class Fails(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear, self.fails = nn.Linear(4, 4), True

    def forward(self, x):
        if self.fails:
            raise ValueError("what went wrong")
        return self.linear(x)


def test_what_goes_wrong_in_a_forward_is_what_is_raised_and_the_next_pass_is_measured():
    model, x = Fails(), torch.ones(2, 4)
    with measure.watch(model) as m:
        with pytest.raises(ValueError, match="what went wrong"):
            model(x)
        model.fails = False
        model(x)
        before = len(model._forward_hooks)
        model(x)
        assert len(model._forward_hooks) == before
    assert m.results["stream"] and not any(part._forward_hooks for part in model.modules())


class Again(nn.Module):
    """Is interrupted at its first call, or calls itself."""

    def __init__(self, way):
        super().__init__()
        self.linear, self.way = nn.Linear(4, 4), way

    def forward(self, x):
        way, self.way = self.way, None
        if way == "interrupted":
            raise KeyboardInterrupt
        return self.linear(self(x) if way == "calls itself" else x)


@pytest.mark.parametrize("way", ["interrupted", "calls itself"])
def test_a_pass_that_does_not_end_as_others_leaves_nothing_behind(way):
    model, x = Again(way), torch.ones(2, 4)
    with measure.watch(model) as m:
        with contextlib.suppress(KeyboardInterrupt):
            model(x)
        y = model(x)
        assert _get_current_dispatch_mode() is None
        assert m.results["stream"]["input"] == 1.0
    assert y.equal(model(x)) and hooks(model) == 0


def test_hooks_are_removed_where_a_pass_cannot_begin(monkeypatch):
    def fails(*_):
        raise MemoryError

    monkeypatch.setattr(ZeroWeights, "weight", fails)
    model = chain([1.0] * 3)
    with measure.watch(model), pytest.raises(MemoryError):
        model(torch.randn(2, 16, dtype=torch.float64))
    assert hooks(model) == 0 and global_hooks() == 0 and _get_current_dispatch_mode() is None


def test_a_model_that_was_frozen_since_is_watched():
    model = chain([1.0] * 3)
    watch = measure.watch(model)
    model.requires_grad_(False)
    with watch as m:
        model(torch.randn(2, 16, dtype=torch.float64))
    assert m.results["stream"] and hooks(model) == 0 and global_hooks() == 0


def test_a_copy_of_a_watched_model_is_not_watched():
    model, x = chain([1.0] * 3), torch.randn(2, 16, dtype=torch.float64)
    with measure.watch(model) as m:
        model(x)
        copied = copy.deepcopy(model)
        copied(x)
        assert m.passes == 1
        with measure.watch(copied) as other:
            copied(x)
        model(x)
    assert (m.passes, other.passes) == (2, 1)
    assert m.results["stream"] == other.results["stream"]
    with measure.watch(copied):
        pass


class Looks(TorchDispatchMode):
    """Notes what makes the host wait for a device, as what comes next depends on a number."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func._schema.name in ("aten::_local_scalar_dense", "aten::is_nonzero", "aten::equal", "aten::_linalg_eigh"):
            self.seen.append(func._schema.name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", healthy.MODELS)
def test_no_pass_waits_for_a_number(name):
    """Ranks are computed when somebody asks for them, and that of a pass before the newest never."""
    torch.manual_seed(0)
    model = healthy.MODELS[name]()
    x, y = healthy.batch(name)
    with measure.watch(model) as m, Looks() as looks:
        for _ in range(2):
            nn.functional.cross_entropy(model(x).flatten(0, -2), y).backward()
    assert looks.seen == []
    assert m.results["effective_rank"] and m.diagnose() == []


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
