"""Which rows of what is dropped are of one sample: known, guessed by name, or refused; never wrong without a word."""

import warnings

import pytest
import torch
import torch.nn.functional as F
from taken import WAYS, WIDTH, Flat, run
from torch import nn

from mainstem import noise
from mainstem.errors import BadInput


class Weights(nn.Module):
    """DropConnect: some of the weights are dropped, which all samples share, by each of torch's functions."""

    def __init__(self, rows, drop):
        super().__init__()
        self.weight, self.drop = nn.Parameter(torch.randn(rows, WIDTH)), drop

    def forward(self, x):
        return F.linear(x, self.drop(self.weight, 0.5, self.training))


class Table(nn.Module):
    """The rows of a table of positions that are there, dropped before anything has samples."""

    def __init__(self):
        super().__init__()
        self.table, self.drop = nn.Parameter(torch.randn(12, WIDTH)), nn.Dropout(0.5)

    def forward(self, x):
        return x + self.drop(self.table[: x.shape[1]])


DROPS = {
    "dropout": F.dropout, "torch.dropout": torch.dropout, "alpha": F.alpha_dropout,
    "feature alpha": F.feature_alpha_dropout,
    "a part": lambda w, p, training: torch.cat([F.dropout(half, p, training) for half in w.split(4)]),
}  # fmt: skip


@pytest.mark.parametrize("rows", [5, 8, 64], ids=["none of them", "as many as samples", "several of each"])
@pytest.mark.parametrize("drop", DROPS)
def test_parameters_have_no_samples_whatever_their_shape(drop, rows):
    model, x = Weights(rows, DROPS[drop]), torch.randn(8, 3, WIDTH)
    noise.take_over(model)
    whole = run(model, x)
    torch.testing.assert_close(run(model, x[4:], range(4, 8)), whole[4:])
    assert not torch.allclose(whole, model.eval()(x))


@pytest.mark.parametrize("length", [5, 8, 12])
def test_so_has_a_part_of_a_table(length):
    model, x = Table(), torch.randn(8, length, WIDTH)
    noise.take_over(model)
    torch.testing.assert_close(run(model, x[4:], range(4, 8)), run(model, x)[4:])


class Mixed(nn.Module):
    """Tokens of all samples, position by position, in one axis."""

    def __init__(self):
        super().__init__()
        self.inner = nn.ModuleList(nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Dropout(0.5)) for _ in range(2))

    def forward(self, x):
        flat = x.transpose(0, 1).flatten(0, 1)
        for layer in self.inner:
            flat = layer(flat)
        return flat.unflatten(0, x.shape[1::-1]).transpose(0, 1)


def test_a_guess_is_named_once_and_listed():
    """Here it is wrong, and nothing in the shape tells that."""
    model, x = Mixed(), torch.randn(4, 6, WIDTH)
    taken = noise.take_over(model)
    said = (
        r"in `inner\.0\.1` the rows of \[24, 16\] are taken for 6 of each of 4 samples, side by side: if they are, say"
    )
    more = r" take_over\(model, batch_dim=0\), and if they are not.* whole="
    with pytest.warns(UserWarning, match=said + more) as seen:
        whole = run(model, x)
    assert not torch.allclose(run(model, x[2:], [2, 3]), whole[2:])
    assert len(seen) == 1 and list(taken.guessed) == ["inner.0.1", "inner.1.1"]
    assert str(taken).endswith(
        "guessed, as nobody says which rows are of one sample:\n"
        "  inner.0.1: the rows of [24, 16] are taken for 6 of each of 4 samples, side by side\n"
        "  inner.1.1: the rows of [24, 16] are taken for 6 of each of 4 samples, side by side"
    )


@pytest.mark.parametrize("said", [{"batch_dim": 0}, {"whole": "inner.*"}])
def test_what_is_said_is_not_guessed(said):
    model, x = Mixed(), torch.randn(4, 6, WIDTH)
    taken = noise.take_over(model, **said)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(model, x)
    assert not taken.guessed


def test_heads_in_the_first_axis_are_a_guess_of_a_function_and_known_of_torchs_attention():
    x = torch.randn(4, 6, WIDTH)
    flat, torchs = Flat(), nn.MultiheadAttention(WIDTH, 4, dropout=0.3, batch_first=True)
    for model in (flat, torchs):
        noise.take_over(model)
    with pytest.warns(UserWarning, match=r"in `the model itself` the rows of \[16, 6, 6\] are taken for 4 of each"):
        run(flat, x)
    with noise.counter(seed=0, step=0, samples=range(4)):
        torchs(x, x, x)
    said = r"the rows of \[16, 6, 6\] are taken for 8 of each of 2 samples"
    with pytest.warns(UserWarning, match=said), noise.counter(seed=0, step=0, samples=range(2)):
        torchs(x, x, x)


@pytest.mark.parametrize("length", [3, 5, 6])  # as many as samples, and twice as many
@pytest.mark.parametrize("kind", [nn.TransformerEncoderLayer, nn.TransformerDecoderLayer])
def test_torchs_layers_say_where_the_samples_lie(kind, length):
    torch.manual_seed(0)
    layer, x = kind(WIDTH, 4, 32, dropout=0.3), torch.randn(length, 3, WIDTH)
    noise.take_over(layer)
    memory = [torch.randn(4, 3, WIDTH)] if kind is nn.TransformerDecoderLayer else []

    def called(rows):
        with noise.counter(seed=0, step=0, samples=rows):
            return layer(x[:, list(rows)], *(each[:, list(rows)] for each in memory))

    torch.testing.assert_close(called([1, 2]), called(range(3))[:, 1:], rtol=1e-5, atol=1e-6)


def test_one_sample_without_an_axis_of_samples():
    layer, x = nn.TransformerEncoderLayer(WIDTH, 4, 32, dropout=0.3), torch.randn(5, WIDTH)
    noise.take_over(layer)
    with noise.counter(seed=0, step=0, samples=[3]):
        assert layer(x).shape == (5, WIDTH)


MODELS = {
    "dropout": lambda: nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Dropout(0.5)),
    "an embedding": lambda: nn.Sequential(nn.Embedding(9, WIDTH), nn.Dropout(0.5)),
    "attention": lambda: nn.TransformerEncoderLayer(WIDTH, 4, 32, batch_first=True),
}


@pytest.mark.parametrize("where", ["model", "input"])
@pytest.mark.parametrize("name", MODELS)
def test_tensors_on_different_devices_are_named(name, where):
    """Also where torch would compute without a word, from memory that is not there, as an embedding does."""
    model, x = MODELS[name](), torch.zeros(2, 3, WIDTH)
    x = x[..., 0].long() if name == "an embedding" else x
    noise.take_over(model)
    model, x = (model.to("meta"), x) if where == "model" else (model, x.to("meta"))
    with pytest.raises(BadInput, match=r"was given tensors on (cpu|meta) and on (cpu|meta), where.*to_empty"):
        run(model, x)
    assert run(model.to("meta"), x.to("meta")).is_meta


class Sequence(nn.Module):
    """Code of somebody's that has the sequence first, [T, B, D], and drops in one of the ways in which people drop."""

    def __init__(self, way):
        super().__init__()
        self.way, self.drop = way, nn.Dropout(0.5)

    def forward(self, x):
        return {
            "module": lambda: self.drop(x),
            "function": lambda: F.dropout(x, 0.5, self.training),
            "alpha": lambda: F.alpha_dropout(x, 0.5, self.training),
            "bernoulli_": lambda: x * torch.empty_like(x).bernoulli_(0.5),
            "rand": lambda: x * (torch.rand(x.shape) < 0.5),
            "rand_like": lambda: x * (torch.rand_like(x) < 0.5),
            "uniform_": lambda: x * torch.empty_like(x).uniform_(0.5, 1.5),
        }[self.way]()


ALONG = ["module", "function", "alpha", "bernoulli_", "rand", "rand_like", "uniform_"]


@pytest.mark.parametrize("way", ALONG)
def test_a_sequence_as_long_as_the_batch_is_named_once_and_right_where_its_axis_is_said(way):
    x = torch.randn(4, 4, WIDTH)
    unsaid, said = (nn.Sequential(Sequence(way), Sequence(way)) for _ in range(2))
    taken = noise.take_over(unsaid)
    noise.take_over(said, batch_dim=1)
    name = "0.drop" if way == "module" else "0"
    sentence = rf"in `{name}` two axes of \[4, 4, 16\] are as long as the 4 samples, of which the first is taken.*dim=1"
    with pytest.warns(UserWarning, match=sentence) as seen:
        run(unsaid, x)
    assert len(seen) == 1 and len(taken.guessed) == 2
    assert "two axes of [4, 4, 16] are as long as the 4 samples" in str(taken)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        whole = run(said, x, range(4))
        torch.testing.assert_close(run(said, x[:, 1:3], range(1, 3)), whole[:, 1:3])
        torch.testing.assert_close(run(said, x[:3], range(4)).shape, torch.Size([3, 4, WIDTH]))
    assert not torch.allclose(whole, x)


@pytest.mark.parametrize("before", [False, True])
def test_what_a_model_has_shown_is_not_doubted(before):
    model = Sequence("module")
    taken = noise.take_over(model)
    if before:
        run(model, torch.randn(4, 5, WIDTH))
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        run(model, torch.randn(4, 4, WIDTH))
    assert len(seen) == len(taken.guessed) == (not before)


def test_as_many_heads_as_samples_are_no_doubt():
    model = WAYS["eager attention"]()
    taken = noise.take_over(model)
    run(model, torch.randn(4, 5, WIDTH))
    assert not taken.guessed


@pytest.mark.parametrize("known", [nn.LSTM(WIDTH, WIDTH), nn.MultiheadAttention(WIDTH, 4)], ids=["LSTM", "attention"])
def test_a_part_that_is_known_to_have_the_sequence_first_keeps_the_doubt(known):
    class Both(nn.Module):
        """Samples first, then as the part has them."""

        def __init__(self):
            super().__init__()
            self.before, self.known, self.behind = nn.Dropout(0.5), known, nn.Dropout(0.5)

        def forward(self, x, y):
            self.before(x)
            self.known(y, *([y, y] if isinstance(known, nn.MultiheadAttention) else []))
            return self.behind(y)

    model, x, y = Both(), torch.randn(4, 5, WIDTH), torch.randn(4, 4, WIDTH)
    noise.take_over(model)
    said = r"in `behind` two axes of \[4, 4, 16\]"
    with pytest.warns(UserWarning, match=said), noise.counter(seed=0, step=0, samples=range(4)):
        model(x, y)
