"""A watch measures what is known, changes nothing, waits for nothing, and refuses what it cannot measure."""

import math
import re

import healthy
import pytest
import torch
from linear_chain import chain
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from mainstem import measure
from mainstem.errors import BadInput
from mainstem.measure import depth
from mainstem.model import LanguageModel, Settings


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
