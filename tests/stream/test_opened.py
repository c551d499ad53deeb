"""A residual with several streams of its own: the sum at the start, the formulas in float64, no growth over depth."""

import pytest
import torch
from torch import nn

from mainstem import Residual, catalogue, form, noise
from mainstem.errors import BadInput
from mainstem.stream import sites

STREAMS = {
    "hyper": form.Hyper(),
    "hyper, static": form.Hyper(weights="static"),
    "hyper, three": form.Hyper(streams=3),
    "mhc": form.MHC(),
    "mhc_lite": form.MHCLite(),
    "identity_mixing": form.IdentityMixing(),
}


def layer() -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(8), nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))


@pytest.mark.parametrize("name", [name for name in STREAMS if name.startswith("hyper")])
def test_hyper_connections_begin_as_the_sum(name):
    torch.manual_seed(0)
    layers, x = [layer() for _ in range(6)], torch.randn(2, 3, 8)
    plain = nn.Sequential(*[Residual(each) for each in layers])
    own = nn.Sequential(*[Residual(each, connection=STREAMS[name], width=8) for each in layers])
    torch.testing.assert_close(own(x), plain(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", STREAMS)
def test_six_in_a_row_do_not_grow_and_train(name):
    torch.manual_seed(0)
    layers, x = [layer() for _ in range(6)], torch.randn(4, 5, 8)
    own = nn.Sequential(*[Residual(each, connection=STREAMS[name], width=8) for each in layers])
    plain = nn.Sequential(*[Residual(each) for each in layers])
    assert 0.5 * plain(x).std() < own(x).std() < 2 * plain(x).std()
    optimizer, losses = torch.optim.AdamW(own.parameters(), 1e-2), []
    for _ in range(30):
        loss = (own(x) - x.flip(2)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in own.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def as_hyper(own, branch, x):
    """Equations 2 and 10 to 13 of the paper, a loop over streams and tokens."""
    p, s = dict(own.named_parameters()), own.connection.count
    out = []
    for token in x.reshape(-1, 8):
        streams = [token for _ in range(s)]
        reads, mixes, writes = [], [], []
        for each in range(s):
            read, mix, write = (
                p["connection.read_S"][each],
                p["connection.mix_SS"][each],
                p["connection.write_S"][each],
            )
            if "connection.dynamic.alpha" in p:
                normed = (
                    streams[each] / (streams[each].square().mean() + 1e-6).sqrt() * p["connection.dynamic.norm.gain"]
                )
                alpha = p["connection.dynamic.alpha_scale"] * torch.tanh(normed @ p["connection.dynamic.alpha"])
                read, mix = read + alpha[0], mix + alpha[1:]
                write = write + p["connection.dynamic.beta_scale"] * torch.tanh(normed @ p["connection.dynamic.beta"])
            reads, mixes, writes = [*reads, read], [*mixes, mix], [*writes, write]
        y = branch(sum(read * stream for read, stream in zip(reads, streams, strict=True)))
        after = [writes[t] * y + sum(mixes[each][t] * streams[each] for each in range(s)) for t in range(s)]
        out.append(sum(after) / s)
    return torch.stack(out).reshape(x.shape)


def as_mhc(own, branch, x):
    """Equations 7 to 9 of mHC, a loop over tokens."""
    p, s = dict(own.named_parameters()), own.connection.count
    out = []
    for token in x.reshape(-1, 8):
        whole = token.repeat(s)
        normed = whole / (whole.square().mean() + 1e-6).sqrt() * p["connection.norm.gain"]
        found, scale, bias = normed @ p["connection.weight"], p["connection.scale"], p["connection.bias"]
        read = torch.sigmoid(scale[0] * found[:s] + bias[:s])
        write = 2 * torch.sigmoid(scale[1] * found[s : 2 * s] + bias[s : 2 * s])
        mix = torch.exp((scale[2] * found[2 * s :] + bias[2 * s :]).view(s, s))
        for _ in range(20):
            mix = mix / mix.sum(0, keepdim=True)
            mix = mix / mix.sum(1, keepdim=True)
        y = branch(sum(read[each] * token for each in range(s)))
        after = [write[t] * y + sum(mix[t, each] * token for each in range(s)) for t in range(s)]
        out.append(sum(after) / s)
    return torch.stack(out).reshape(x.shape)


@pytest.mark.parametrize(("name", "formula"), [("hyper", as_hyper), ("hyper, static", as_hyper), ("mhc", as_mhc)])
def test_outputs_and_every_gradient_are_the_formulas(name, formula):
    torch.manual_seed(0)
    branch = layer().double()
    residual = Residual(branch, connection=STREAMS[name], width=8).double()
    own = residual.connection
    for parameter in own.parameters():
        nn.init.normal_(parameter, std=0.5)
    x, to = (torch.randn(2, 3, 8, dtype=torch.float64) for _ in range(2))
    x.requires_grad_()
    leaves = [x, *residual.parameters()]
    found, expected = residual(x), formula(own, branch, x)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    pairs = zip(*(torch.autograd.grad((each * to).sum(), leaves) for each in (found, expected)), strict=True)
    for one, other in pairs:
        assert other.count_nonzero()
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("name", ["mhc", "mhc_lite", "identity_mixing"])
def test_where_the_mixing_keeps_the_sum_a_sample_that_leaves_the_branch_out_keeps_x(name):
    torch.manual_seed(0)
    residual = noise.bind(Residual(layer(), connection=STREAMS[name], width=8, drop_path=0.5))
    nn.init.normal_(residual.connection.connection.weight)
    x = torch.randn(8, 3, 8)
    with noise.counter(seed=0, step=0, samples=range(8)):
        y = residual(x)
    still = (y - x).abs().amax((1, 2)) < 1e-5
    assert 0 < int(still.sum()) < 8
    for row in range(8):
        with noise.counter(seed=0, step=0, samples=[row]):
            torch.testing.assert_close(residual(x[row : row + 1])[0], y[row], rtol=1e-5, atol=1e-6)


def test_what_a_wrong_width_is_told():
    residual = Residual(nn.Linear(16, 16), connection=form.Hyper(), width=8)
    with pytest.raises(BadInput, match=r"x is of shape \[2, 3, 16\], and the residual was made with width=8: give"):
        residual(torch.randn(2, 3, 16))


def test_a_residual_of_a_place_in_a_model_says_how_it_has_streams_of_its_own():
    residual = Residual(nn.Linear(8, 8), connection=form.Hyper(), site=sites(("feedforward",), 4, 8)[1])
    with pytest.raises(BadInput, match=r"or give it a state, or width= in the place of site= for streams of its own"):
        residual(torch.randn(2, 3, 8))


NEEDS_MORE = [name for name in catalogue.names("residual") if name not in STREAMS and name not in (
    "pre_norm", "post_norm", "highway", "laurel", "deep_delta", "reversible", "plain",
)]  # fmt: skip


@pytest.mark.parametrize("name", NEEDS_MORE)
def test_a_form_that_needs_depth_or_the_branch_is_still_refused(name):
    with pytest.raises(BadInput, match=r"mainstem\.Stack\(form, layers, width\)"):
        Residual(layer(), connection=form.parse(name), width=8)(torch.randn(2, 3, 8))


def test_it_compiles_into_one_graph():
    residual, x = Residual(layer(), connection=form.Hyper(), width=8), torch.randn(2, 3, 8)
    torch.testing.assert_close(torch.compile(residual, backend="eager", fullgraph=True)(x), residual(x))
