"""Residuals around real branches: arguments, tuples, shortcuts, any axes, forms' connections, and what is refused."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mainstem import Residual, Stack, execute, form, noise
from mainstem.errors import BadInput
from mainstem.nn import RMSNorm
from mainstem.noise import StochasticDepth, bind
from mainstem.stream import Add, Block, Replace, Single, State, Sum, sites

Wide = torch.float64


class Attending(nn.Module):
    """Attention as a library has it: a mask, a second input, weights behind y."""

    def __init__(self):
        super().__init__()
        self.inner = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x, memory=None, *, mask=None, scale=1.0):
        memory = x if memory is None else memory
        y, weights = self.inner(x, memory, memory, attn_mask=mask)
        return scale * y, weights


def attending():
    torch.manual_seed(0)
    return Attending().double(), torch.randn(3, 5, 8, dtype=Wide), torch.ones(5, 5, dtype=torch.bool).triu(1)


def test_arguments_reach_the_module_that_takes_them_and_what_it_returns_behind_y_comes_out():
    layer, x, mask = attending()
    norm, memory = nn.LayerNorm(8).double(), torch.randn(3, 4, 8, dtype=Wide)
    for branch, read in (([layer], x), ([norm, layer, nn.Dropout(0.0)], norm(x))):
        y, weights = Residual(branch)(x, mask=mask, scale=0.5)
        expected, expected_weights = layer(read, mask=mask, scale=0.5)
        torch.testing.assert_close(y, x + expected, rtol=0, atol=0)
        torch.testing.assert_close(weights, expected_weights, rtol=0, atol=0)
        y, _ = Residual(branch)(x, memory=memory)
        torch.testing.assert_close(y, x + layer(read, memory)[0], rtol=0, atol=0)
    y, _ = Residual(layer)(x, memory)
    torch.testing.assert_close(y, x + layer(x, memory)[0], rtol=0, atol=0)
    y, weights = Residual(nn.MultiheadAttention(8, 2, batch_first=True).double())(x, x, x, need_weights=False)
    assert y.shape == x.shape and weights is None


def test_arguments_reach_the_inside_of_sums_and_of_blocks():
    layer, x, mask = attending()
    expected = layer(x, mask=mask)[0]
    both = Residual([Sum({"a": [layer], "b": [nn.Identity()]})])
    torch.testing.assert_close(both(x, mask=mask), 2 * x + expected, rtol=1e-12, atol=1e-12)
    state = Residual(layer)(State(x, {}), mask=mask)
    assert isinstance(state, State)
    torch.testing.assert_close(state.main, x + expected, rtol=0, atol=0)


def test_one_module_is_called_whole():
    calls = []
    layer = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
    layer.register_forward_hook(lambda *_: calls.append(1))
    x = torch.randn(2, 8)
    assert Residual(layer)(x).equal(x + layer(x)) and len(calls) == 2


class Both(nn.Module):
    def forward(self, x):
        return x, {"mine": x}


def test_a_dict_behind_y_travels_in_a_state_and_comes_out_without_one():
    x = torch.ones(2, 3)
    assert Residual(Both())(State(x, {})).side["mine"].equal(x)
    y, side = Residual(Both())(x)
    assert y.equal(2 * x) and side["mine"].equal(x)


def strided():
    torch.manual_seed(1)
    branch = [nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(6, 6, 3, padding=1)]
    return [part.double() for part in branch], nn.Conv2d(3, 6, 1, stride=2).double()


def test_a_shortcut_brings_x_to_the_shape_of_the_branch():
    branch, shortcut = strided()
    x = torch.randn(4, 3, 8, 8, dtype=Wide, requires_grad=True)
    y = Residual(branch, shortcut=shortcut)(x)
    w, b = shortcut.weight, shortcut.bias
    expected = F.conv2d(x, w, b, stride=2) + nn.Sequential(*branch)(x)
    torch.testing.assert_close(y, expected, rtol=0, atol=0)
    found, true = (torch.autograd.grad(out.square().sum(), [x, w]) for out in (y, expected))
    torch.testing.assert_close(found, true, rtol=1e-12, atol=1e-12)
    chain = [Residual(branch, shortcut=shortcut), Residual(nn.Conv2d(6, 6, 1).double())]
    torch.testing.assert_close(execute.run(Single(), [Block(chain)], x), chain[1](y), rtol=0, atol=0)


def test_behind_a_shortcut_a_sample_that_leaves_the_branch_out_is_the_shortcut():
    branch, shortcut = strided()
    residual = bind(Residual(branch, shortcut=shortcut, drop_path=0.5))
    x = torch.randn(8, 3, 4, 4, dtype=Wide)
    with noise.counter(seed=0, step=0, samples=range(8)):
        y = residual(x)
    into, written = shortcut(x), nn.Sequential(*branch)(x)
    kept = (y != into).flatten(1).any(1)
    assert 0 < int(kept.sum()) < 8
    torch.testing.assert_close(y, into + torch.where(kept[:, None, None, None], 2 * written, 0.0))


def test_a_rate_is_stochastic_depth():
    x, layer = torch.randn(16, 3, 4), nn.Linear(4, 4)
    made = [bind(Residual(layer, drop_path=given)) for given in (0.5, StochasticDepth(0.5))]
    found = []
    for residual in made:
        with noise.counter(seed=0, step=0, samples=range(16)):
            found.append(residual(x))
    assert found[0].equal(found[1]) and not found[0].equal(x + layer(x))
    assert Residual(layer, drop_path=nn.Identity())(x).equal(x + layer(x))


class Masked(nn.Module):
    def forward(self, x, mask):
        return x * mask[..., None]


@pytest.mark.parametrize("batch", [4, 6])
def test_an_argument_of_samples_belongs_to_them_where_others_are_left_out(batch):
    """At a batch of 4 nothing tells its rows from positions."""
    residual = bind(Residual(Masked(), drop_path=0.5))
    x, mask = torch.randn(batch, 4, 3), (torch.randn(batch, 4) > 0).float()

    def run(rows):
        with noise.counter(seed=2, step=0, samples=rows):
            return residual(x[rows], mask=mask[rows])

    whole = run(list(range(batch)))
    kept = torch.tensor([not row.equal(before) for row, before in zip(whole, x, strict=True)])
    assert 0 < int(kept.sum()) < batch
    torch.testing.assert_close(whole, x + torch.where(kept[:, None, None], 2 * x * mask[..., None], 0.0))
    for row in range(batch):
        assert run([row])[0].equal(whole[row])


SHAPES = [(5, 12), (5, 7, 12), (5, 3, 2, 12), (2, 2, 3, 2, 12)]
ALONE = [form.PreNorm(), form.PostNorm(), form.Highway(), form.LAuReL(), form.DeepDelta(), form.Reversible(),
         form.Plain(), form.Hyper(), form.MHC(), form.MHCLite()]  # fmt: skip


@pytest.mark.parametrize("connection", ALONE, ids=lambda each: type(each).__name__)
def test_a_forms_connection_takes_any_axes(connection):
    torch.manual_seed(0)
    residual = Residual([nn.LayerNorm(12), nn.Linear(12, 12)], connection, width=12)
    for parameter in residual.parameters():
        nn.init.normal_(parameter, std=0.3)
    rows = torch.randn(60, 1, 12)
    whole = residual(rows)
    for shape in SHAPES:
        x = rows[: torch.Size(shape[:-1]).numel()].reshape(shape)
        torch.testing.assert_close(residual(x), whole[: x.numel() // 12].reshape(shape), rtol=1e-5, atol=1e-6)


def test_residuals_at_their_sites_are_the_stack_of_the_form():
    torch.manual_seed(0)
    layers = [nn.Linear(8, 8) for _ in range(4)]
    places = sites(("feedforward",), 4, 8)
    chain = [
        Residual([site.norm.build(8), layer], connection=form.Hyper(), site=site)
        for site, layer in zip(places, layers, strict=True)
    ]
    stream, stack, x = form.Hyper().stream(places), Stack("hyper", layers, 8), torch.randn(2, 3, 8)
    state = stream.open(x)
    for residual in chain:
        state = residual(state)
    torch.testing.assert_close(stream.close(state), stack(x), rtol=1e-5, atol=1e-6)
    assert stream.open(x[:, 0]).main.shape == (2, 4, 8)


def test_arguments_and_shortcuts_compile_into_one_graph():
    layer, x, mask = attending()
    residual = Residual([nn.LayerNorm(8).double(), layer], shortcut=nn.Linear(8, 8).double())
    compiled = torch.compile(residual, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x, mask=mask)[0], residual(x, mask=mask)[0], rtol=0, atol=0)


class Returning(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, x):
        return self.value(x)


@pytest.mark.parametrize("run", ["alone", "state", "chain"])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (lambda h: None, "The branch's Returning returned NoneType, which cannot be added"),
        (lambda h: {"y": h}, "The branch's Returning returned dict"),
        (lambda h: (), "The branch's Returning returned an empty tuple"),
        (lambda h: (None, h), "The branch's Returning returned NoneType"),
        (lambda h: h[:, :1], r"The branch .*Returning returned torch.float32 \[2, 1, 8\].*\[2, 3, 8\].*shortcut="),
        (lambda h: h[..., 0], r"The branch .*Returning returned torch.float32 \[2, 3\]"),
        (lambda h: h.long(), r"The branch .*Returning returned torch.int64 \[2, 3, 8\]"),
    ],
)
def test_what_cannot_be_added_is_refused_by_the_modules_name(value, said, run):
    residual, x = Residual([RMSNorm(8), Returning(value)]), torch.randn(2, 3, 8)
    calls = {
        "alone": lambda: residual(x),
        "state": lambda: residual(State(x, {})),
        "chain": lambda: execute.run(Single(RMSNorm(8)), [Block([Residual([RMSNorm(8), nn.Identity()]), residual])], x),
    }
    with pytest.raises(BadInput, match=said):
        calls[run]()


class Cached(nn.Module):
    """Attention as transformers has it: a place for a cache, which is empty."""

    def forward(self, x):
        return 2 * x, None


@pytest.mark.parametrize("make", [Cached, lambda: nn.Sequential(Cached()), lambda: Residual(Cached())])
def test_a_tuple_without_tensors_behind_the_first_has_its_length_whoever_is_left_out(make):
    """Where all were left out it was y alone, so that `y, cache = ...` took two samples apart."""
    residual, x = bind(Residual(make(), drop_path=0.5)), torch.randn(2, 3, requires_grad=True)
    kept = set()
    for step in range(12):
        with noise.counter(seed=0, step=step, samples=range(2)):
            y, cache = residual(x)
        assert cache is None and y.shape == x.shape
        kept.add(int((y != x).any(1).sum()))
        y.sum().backward()
    assert kept == {0, 1, 2} and x.grad is not None


INPLACE = {
    "first": [nn.ReLU(inplace=True), nn.Linear(8, 8)],
    "dropout": [noise.Dropout(0.5, inplace=True), nn.Linear(8, 8)],
    "inside": [nn.Sequential(nn.Identity(), nn.ReLU(inplace=True))],
}


@pytest.mark.parametrize("branch", INPLACE)
@pytest.mark.parametrize("run", ["alone", "chain", "drop path", "shortcut", "post-norm", "reversible"])
def test_a_branch_that_changes_x_in_place_is_refused(branch, run):
    """The sum would be of relu(x) and F(x), and nothing would say so."""
    x, parts = torch.randn(2, 3, 8), INPLACE[branch]
    calls = {
        "alone": lambda: Residual(parts)(x),
        "chain": lambda: execute.run(Single(RMSNorm(8)), [Block([Residual(parts)])], x),
        "drop path": lambda: often(Residual(parts, drop_path=0.5), x),
        "shortcut": lambda: Residual(parts, shortcut=nn.Linear(8, 8))(x),
        "post-norm": lambda: Stack("post_norm", [nn.Sequential(*parts)], 8)(x),
        "reversible": lambda: Residual(parts, form.Reversible(), width=8)(x),
    }
    with pytest.raises(BadInput, match=r"changed x in place, so that it would be added to.*inplace=False"):
        calls[run]()


def test_what_is_changed_in_place_behind_the_first_module_is_the_branch_s_own():
    norm, linear, x = nn.LayerNorm(8), nn.Linear(8, 8), torch.randn(2, 8)
    y = Residual([norm, nn.ReLU(inplace=True), linear, noise.Dropout(0.0, inplace=True)])(x)
    torch.testing.assert_close(y, x + linear(norm(x).relu()))
    with torch.inference_mode():
        assert Residual([nn.ReLU(inplace=True)])(torch.ones(2)).tolist() == [2.0, 2.0]


def test_a_batch_norm_sees_all_samples_whatever_is_left_out():
    """Its means over those that are kept would be others in each step, and of one sample there are none."""
    torch.manual_seed(0)
    branch = [nn.BatchNorm1d(8), nn.Linear(8, 8)]
    residual = bind(Residual(branch, drop_path=0.5))
    x = torch.randn(8, 8)
    with noise.counter(seed=0, step=0, samples=range(8)):
        y = residual(x)
    expected = nn.Sequential(nn.BatchNorm1d(8), branch[1])(x)
    kept = (y != x).any(1)
    assert 0 < int(kept.sum()) < 8
    torch.testing.assert_close(y, x + torch.where(kept[:, None], 2 * expected, 0.0))
    torch.testing.assert_close(branch[0].running_mean, 0.1 * x.mean(0))
    often(residual, x)


def often(residual, *args, **given):
    """Call a residual so often that one of its draws keeps some samples."""
    for _ in range(20):
        residual(*args, **given)


def test_arguments_that_are_not_taken_are_refused():
    layer, x, _ = attending()
    for residual, args, given, said in (
        (
            Residual(nn.Linear(8, 8)),
            (),
            {"mask": None},
            "'mask' is taken by none of Linear, beside x they take nothing",
        ),
        (Residual([nn.LayerNorm(8), layer]), (), {"maks": None}, "'maks' is taken by none.*memory, mask, scale"),
        (Residual([nn.LayerNorm(8), layer]), (x,), {}, "LayerNorm, Attending was given 1 argument.*by name"),
        (Residual(layer), (x, None, None), {}, "Attending takes memory, mask, scale beside x, and was given 3"),
        (Residual(layer), (x,), {"memory": x}, "was given 'memory' twice"),
        (Residual(Both(), drop_path=0.5), (), {}, r"\['mine'\] along the stream cannot be left out"),
    ):
        with pytest.raises(BadInput, match=said):
            often(residual, x, *args, **given)
    with pytest.raises(BadInput, match=r"The branch Attending returns a tensor behind its first.*give no drop_path="):
        often(Residual(layer, drop_path=0.5), x)


def test_what_a_residual_cannot_be_made_of_is_refused():
    place = sites(("feedforward",), 4, 8)[1]
    for make, said in (
        (lambda: Residual(3), "The branch of a residual is int"),
        (lambda: Residual([F.relu]), "A branch was given function"),
        (lambda: Residual(nn.TransformerEncoderLayer(8, 2)), "TransformerEncoderLayer, which adds its input to its"),
        (lambda: Residual(nn.Identity(), drop_path="0.1"), "drop_path is '0.1'"),
        (lambda: Residual(nn.Identity(), drop_path=True), "drop_path is True"),
        (lambda: Residual(nn.Identity(), shortcut=True), "shortcut is bool"),
        (lambda: Residual(nn.Identity(), Replace(), shortcut=nn.Identity()), "Replace keeps the branch alone"),
        (lambda: Residual(nn.Identity(), "hyper"), "connection is 'hyper'"),
        (lambda: Residual(nn.Identity(), form.Highway()), "Highway was given as a connection without a place"),
        (lambda: Residual(nn.Identity(), form.Keel(), width=8), "differently by where they stand"),
        (lambda: Residual(nn.Identity(), form.DeepNorm(), site=place), "DeepNorm scales the initial weights"),
        (lambda: Residual(nn.Identity(), form.LayerScale(), width=8), "LayerScale changes the branch too"),
        (lambda: Residual(nn.Identity(), form.Midpoint(), width=8), "Midpoint changes the branch too"),
        (lambda: Residual(nn.Identity(), form.Parallel(), width=8), "Parallel has sublayers share a residual"),
        (lambda: Residual(nn.Identity())([torch.ones(2)]), "A residual was called with list"),
    ):
        with pytest.raises(BadInput, match=said):
            make()
    x = torch.ones(2, 8)
    with pytest.raises(BadInput, match=r"A shortcut takes the place of x.*Couple has no such x"):
        Residual(nn.Identity(), form.Reversible(), width=8, shortcut=nn.Identity())(x)
    with pytest.raises(BadInput, match=r"returned torch.float32 \[2, 8\], which cannot be added to.*\[2, 1\]"):
        Residual(nn.Identity(), shortcut=nn.Linear(8, 1))(x)
    with pytest.raises(BadInput, match=r"The shortcut Returning returned tuple"):
        Residual(nn.Identity(), Add(), shortcut=Returning(lambda h: (h,)))(x)
