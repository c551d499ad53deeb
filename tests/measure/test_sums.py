"""The share of a branch wherever its sum is made, against the two terms that the layers themselves note."""

import pytest
import torch
import torch.nn.functional as F
from healthy import Gpt2
from torch import nn

from mainstem import Residual, form, measure, noise
from mainstem.stream import Add

SIZE = 16


def rms(x):
    return x.detach().double().square().mean().sqrt().item()


class Noting(nn.Module):
    """A layer that notes |branch| / |stream| where it adds them."""

    def __init__(self):
        super().__init__()
        self.shares = []

    def note(self, stream, branch):
        self.shares.append(rms(branch) / rms(stream))
        return stream + branch


class SelfOutput(Noting):
    """BERT's: the sum and the norm are made inside the attention."""

    def __init__(self):
        super().__init__()
        self.dense, self.LayerNorm, self.dropout = nn.Linear(SIZE, SIZE), nn.LayerNorm(SIZE), nn.Dropout(0.1)

    def forward(self, hidden, given):
        return self.LayerNorm(self.note(given, self.dropout(self.dense(hidden))))


class BertAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.self, self.output = nn.Linear(SIZE, SIZE), SelfOutput()

    def forward(self, x):
        return self.output(self.self(x).tanh(), x)


class Bert(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.intermediate, self.output = BertAttention(), nn.Linear(SIZE, SIZE), SelfOutput()

    def forward(self, x):
        x = self.attention(x)
        return self.output(F.gelu(self.intermediate(x)), x)


class WrittenNorm(nn.Module):
    """A norm in whose forward torch sees no norm."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(SIZE))

    def forward(self, x):
        return self.weight * x * x.square().mean(-1, keepdim=True).add(1e-6).rsqrt()


class Plain(Noting):
    """Pre-norm or post-norm, in place or not, with a factor on the stream or not."""

    def __init__(self, post=False, inplace=False, alpha=1.0, norm=WrittenNorm):
        super().__init__()
        self.norm, self.mlp, self.post, self.inplace, self.alpha = norm(), nn.Linear(SIZE, SIZE), post, inplace, alpha

    def forward(self, x):
        stream = self.alpha * x
        y = self.mlp(x if self.post else self.norm(x))
        if self.inplace:
            self.shares.append(rms(y) / rms(stream))
            y += stream
        else:
            y = self.note(stream, y)
        return self.norm(y) if self.post else y


class Nested(Noting):
    """T5's: a block is a list of layers that each make their own sum."""

    class Layer(Noting):
        def __init__(self):
            super().__init__()
            self.layer_norm, self.SelfAttention = WrittenNorm(), nn.Linear(SIZE, SIZE)

        def forward(self, x):
            return (self.note(x, self.SelfAttention(self.layer_norm(x))), None)

    def __init__(self):
        super().__init__()
        self.layer = nn.ModuleList(self.Layer() for _ in range(2))

    def forward(self, x):
        for layer in self.layer:
            x, _ = layer(x)
        return x


class Basic(Noting):
    """A block of convolutions: the sum is made in place and a ReLU comes behind it."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(4, 4, 3, 1, 1), nn.BatchNorm2d(4)

    def forward(self, x):
        y = self.bn(self.conv(x))
        self.shares.append(rms(y) / rms(x))
        y += x
        return F.relu(y, inplace=True)


class Decoy(Noting):
    """Adds a table to the normed stream for its queries, which is no branch."""

    def __init__(self):
        super().__init__()
        self.norm, self.table = nn.LayerNorm(SIZE), nn.Parameter(torch.randn(3, 5, SIZE))
        self.attention = nn.Linear(SIZE, SIZE)

    def forward(self, x):
        h = self.norm(x)
        return self.note(x, self.attention(h + self.table))


LAYERS = {
    "bert": (Bert, ["attention.output.dense", "output.dense"]),
    "pre-norm": (Plain, ["mlp"]),
    "in place": (lambda: Plain(inplace=True), ["mlp"]),
    "post-norm": (lambda: Plain(post=True), ["mlp"]),
    "post-norm by a class of torch": (lambda: Plain(post=True, norm=lambda: nn.LayerNorm(SIZE)), ["mlp"]),
    "deepnorm": (lambda: Plain(post=True, alpha=2.5), ["mlp"]),
    "t5": (Nested, ["layer.0.SelfAttention", "layer.1.SelfAttention"]),
    "convolutions": (Basic, ["conv"]),
    "a decoy": (Decoy, ["attention"]),
}


class Raw(Noting):
    """The second of these has no module that its branch could be called by."""

    def __init__(self, number):
        super().__init__()
        self.mlp, self.weight, self.number = nn.Linear(SIZE, SIZE), nn.Parameter(torch.randn(SIZE, SIZE)), number

    def forward(self, x):
        return self.note(x, x @ self.weight if self.number == 1 else self.mlp(x))


def test_a_branch_without_a_module_is_called_by_its_layer():
    model = nn.Sequential(*[Raw(number) for number in range(3)])
    with measure.watch(model, every={"branch_share": 1}) as m:
        model(torch.randn(3, 5, SIZE))
    assert list(m.results["branch_share"]) == ["0.mlp", "1", "2.mlp"]
    assert list(m.results["branch_share"].values()) == pytest.approx(noted(model), rel=1e-5)


def noted(model):
    return [share for part in model.modules() if isinstance(part, Noting) for share in part.shares]


@pytest.mark.parametrize("gradients", [True, False])
@pytest.mark.parametrize("name", LAYERS)
def test_a_share_is_that_of_the_terms_where_they_are_added(name, gradients):
    torch.manual_seed(0)
    make, names = LAYERS[name]
    model = nn.Sequential(make(), make(), make())
    x = 3 * (torch.randn(2, 4, 6, 6) if name == "convolutions" else torch.randn(3, 5, SIZE))
    with measure.watch(model, every={"branch_share": 1}) as m, torch.set_grad_enabled(gradients):
        model(x)
    found = m.results["branch_share"]
    assert list(found) == [f"{layer}.{part}" for layer in range(3) for part in names]
    shares = noted(model)
    assert list(found.values()) == pytest.approx(shares, rel=1e-5)
    assert min(shares) > 0.05 and max(abs(share - 1) for share in shares) > 0.05


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("batch_first", [True, False])
def test_torchs_encoder(norm_first, batch_first):
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(SIZE, 2, 32, 0.0, norm_first=norm_first, batch_first=batch_first)
    model, x = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), torch.randn(3, 5, SIZE)
    with measure.watch(model) as m:
        model(x)
    expected, h = [], x
    for part in model.layers:
        for norm, branch in ((part.norm1, lambda h, p=part: p._sa_block(h, None, None)), (part.norm2, part._ff_block)):
            y = branch(norm(h) if norm_first else h)
            expected.append(rms(y) / rms(h))
            h = h + y if norm_first else norm(h + y)
    names = [f"layers.{at}.{part}" for at in range(2) for part in ("self_attn", "linear2")]
    assert list(m.results["branch_share"]) == names
    assert list(m.results["branch_share"].values()) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("how", ["inside a block", "in the place of a block"])
def test_a_residual_of_ours_in_somebodys_model_leaves_all_other_blocks_in_the_stream(how):
    torch.manual_seed(0)
    model = Gpt2(4)
    x = torch.randint(0, 61, (2, 8))
    before = measure.watch(model).taps().names("stream")

    if how == "inside a block":
        model.h[2].mlp = nn.Sequential(Residual([nn.LayerNorm(48), nn.Linear(48, 48), noise.Dropout(0.1)]))
    else:
        model.h[2] = Residual([nn.LayerNorm(48), nn.Linear(48, 48)])
        model.forward = lambda ids: _through(model, ids)
    with measure.watch(model) as m:
        model(x).square().mean().backward()
    assert m.taps().names("stream") == before == [f"h.{at}" for at in range(4)]
    assert list(m.results["gradient_flow"]) == ["input", *before]
    shares = m.results["branch_share"]
    parts = {at: ["attn", "mlp"] for at in range(4)} | ({2: ["branch"]} if how != "inside a block" else {})
    assert list(shares) == [f"h.{at}.{part}" for at, each in parts.items() for part in each]


def _through(model, ids):
    x = model.wte(ids) + model.wpe.weight[: ids.shape[1]]
    for block in model.h:
        x = block(x)
        x = x[0] if isinstance(x, tuple) else x
    return model.lm_head(model.ln_f(x))


def test_residuals_of_ours_are_taps_where_blocks_consist_of_them():
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = (Residual([nn.Linear(4, 4)], Add()) for _ in range(2))

        def forward(self, x):
            return self.b(self.a(x))

    model = nn.Sequential(nn.Linear(4, 4), Pair(), Pair(), nn.Linear(4, 4))
    assert measure.watch(model).taps().names("stream") == ["1.a", "1.b", "2.a", "2.b"]
    heads = nn.ModuleDict({"trunk": nn.Sequential(*[Residual([nn.Linear(4, 4)]) for _ in range(3)]),
                           "heads": nn.ModuleList(nn.Sequential(nn.Linear(4, 4)) for _ in range(2))})  # fmt: skip
    assert measure.watch(heads).taps().names("stream") == [f"trunk.{at}" for at in range(3)]


@pytest.mark.parametrize("name", ["hyper", "denseformer", "post_norm"])
def test_forms_of_ours_have_the_shares_that_they_had(name):
    from mainstem.model import LanguageModel, Settings

    model = LanguageModel(Settings(vocab=9, layers=2, width=8, heads=2, context=4, residual=form.parse(name)))
    with measure.watch(model) as m:
        model(torch.arange(4)[None])
    assert list(m.results["branch_share"]) == [
        f"blocks.{at}.{part}.branch" for at in range(2) for part in ("attention", "feedforward")
    ]
