"""Blocks that stand in no list, or are called again and again: what is the stream there, by hand."""

import pytest
import torch
from strangers import WIDTH, Layer, SelfAttention, mlp
from torch import nn

from mainstem import measure

TIMES = 4


class Model(nn.Module):
    """An embedding, layers as a subclass holds and calls them, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(53, WIDTH), nn.Linear(WIDTH, 53)
        self.make()

    def forward(self, ids):
        x = self.table(ids)
        for layer in self.called():
            x = layer(x)
        return self.head(x)


class Looped(Model):
    def make(self):
        self.block = Layer()

    def called(self):
        return [self.block] * TIMES


class Listed(Looped):
    """As ALBERT: one block, in a list in a list."""

    def make(self):
        self.groups = nn.ModuleList([nn.ModuleList([Layer()])])

    def called(self):
        return [self.groups[0][0]] * TIMES


class Beside(Model):
    def make(self):
        for number in range(TIMES):
            setattr(self, f"layer{number}", Layer())

    def called(self):
        return [getattr(self, f"layer{number}") for number in range(TIMES)]


class Mapped(Model):
    def make(self):
        self.layers = nn.ModuleDict({f"of {number}": Layer() for number in range(TIMES)})

    def called(self):
        return list(self.layers.values())


def by_hand(model, ids):
    """Return the root mean squares of what each call of a layer was given, and of the last output."""
    with torch.no_grad():
        x, found = model.table(ids), []
        for layer in model.called():
            found.append(x)
            x = layer(x)
        return [each.square().mean().sqrt().item() for each in (*found, x)]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (Listed, ["groups.0.0", *(f"groups.0.0#{number}" for number in range(2, TIMES + 1))]),
        (Beside, [f"layer{number}" for number in range(TIMES)]),
        (Mapped, [f"layers.of {number}" for number in range(TIMES)]),
    ],
)
def test_each_call_of_a_block_is_a_tap(kind, names):
    torch.manual_seed(0)
    model, ids = kind().eval(), torch.randint(0, 53, (4, 12))
    with measure.watch(model) as m:
        model(ids).square().mean().backward()
    assert list(m.results["stream"]) == list(m.results["gradient_flow"]) == ["input", *names]
    assert list(m.results["stream"].values()) == pytest.approx(by_hand(model, ids))
    first = model.called()[0]
    x = model.table(ids)
    share = first.attn(first.norm1(x)).square().mean().sqrt() / x.square().mean().sqrt()
    assert m.results["branch_share"][f"{names[0]}.attn"] == pytest.approx(share.item())
    assert len(m.results["branch_share"]) == 2 * TIMES


def test_a_block_that_reads_what_it_wrote_is_the_stream_from_the_second_pass_on():
    torch.manual_seed(0)
    model, ids = Looped().eval(), torch.randint(0, 53, (4, 12))
    names = ["input", "block", *(f"block#{number}" for number in range(2, TIMES + 1))]
    with measure.watch(model) as m:
        with pytest.warns(UserWarning, match="'block' is called again with what it has returned"):
            model(ids).square().mean().backward()
        first = m.results
        model(ids).square().mean().backward()
        assert m.results != first
        model(ids)
    assert list(m.results["stream"]) == list(m.results["gradient_flow"]) == names
    assert list(m.results["stream"].values()) == pytest.approx(by_hand(model, ids))
    assert m.taps().names("stream") == ["block"]
    assert [finding.fault for finding in m.diagnose()] == ["shared modules"]
    assert "`block`" in m.diagnose()[0].evidence and f"{TIMES} times" in m.diagnose()[0].evidence
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.modules())


class Cell(nn.Module):
    """Called repeatedly over positions, each time with other ones."""

    def __init__(self):
        super().__init__()
        self.into, self.on = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x, h):
        return (self.into(x) + self.on(h)).tanh()


class OverTime(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.cell, self.head = nn.Embedding(53, WIDTH), Cell(), nn.Linear(WIDTH, 53)

    def forward(self, ids):
        x = self.table(ids)
        h = torch.zeros_like(x[:, 0])
        for at in range(ids.shape[1]):
            h = self.cell(x[:, at], h)
        return self.head(h)


def test_a_cell_over_time_is_no_block():
    model = OverTime()
    with measure.watch(model) as m:  # warnings are errors
        model(torch.randint(0, 53, (4, 12))).square().mean().backward()
    assert m.taps().names("stream") == ["cell.into", "cell.on", "head"]


def parts(kind):
    if kind == "attention and feed-forward":
        return {"norm1": nn.LayerNorm(WIDTH), "attn": SelfAttention(), "norm2": nn.LayerNorm(WIDTH), "mlp": mlp()}
    if kind == "feed-forward":
        return {"norm2": nn.LayerNorm(WIDTH), "mlp": mlp()}
    return {"norm2": nn.LayerNorm(WIDTH), "up": nn.Linear(WIDTH, 64), "down": nn.Linear(64, WIDTH)}


class Parts(Model):
    """Blocks that are mappings or lists of their parts, which the model calls and adds."""

    def __init__(self, kind, mapping):
        self.kind, self.mapping = kind, mapping
        super().__init__()

    def make(self):
        held = [parts(self.kind) for _ in range(TIMES)]
        self.names = list(held[0])
        self.layers = nn.ModuleList(
            nn.ModuleDict(each) if self.mapping else nn.ModuleList(each.values()) for each in held
        )

    def called(self):
        return [lambda x, layer=layer: self.step(layer, x) for layer in self.layers]

    def step(self, layer, x):
        at = dict(zip(self.names, layer.values() if self.mapping else layer, strict=True))
        if "attn" in at:
            x = x + at["attn"](at["norm1"](x))
        h = at["norm2"](x)
        return x + (at["mlp"](h) if "mlp" in at else at["down"](at["up"](h).relu()))


@pytest.mark.parametrize("mapping", [True, False])
@pytest.mark.parametrize(
    ("kind", "taps"),
    [("attention and feed-forward", ["attn", "mlp"]), ("feed-forward", ["mlp"]), ("linear", ["up", "down"])],
)
def test_blocks_that_nobody_calls_are_what_they_hold_and_a_sum_outside_is_said(kind, taps, mapping):
    torch.manual_seed(0)
    model, ids = Parts(kind, mapping).eval(), torch.randint(0, 53, (4, 12))
    names = [f"layers.{at}.{tap if mapping else model.names.index(tap)}" for at in range(TIMES) for tap in taps]
    first = names[0] if kind != "linear" else names[1]
    said = f"The model itself adds what {first!r} returns"
    with measure.watch(model) as m, pytest.warns(UserWarning, match=said):
        model(ids).square().mean().backward()
    assert m.taps().names("stream") == names
    assert list(m.results["stream"]) == ["input", *names]
    layer, x = model.layers[0], model.table(ids)
    at = dict(zip(model.names, layer.values() if mapping else layer, strict=True))
    y = at[taps[0]](at["norm1" if taps[0] == "attn" else "norm2"](x))
    assert m.results["stream"][names[0]] == pytest.approx(y.square().mean().sqrt().item(), rel=1e-5)
