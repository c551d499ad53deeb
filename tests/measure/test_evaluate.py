import itertools
import math
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from mainstem import noise
from mainstem.data import Tokens
from mainstem.data.batches import spread, targets
from mainstem.errors import BadInput
from mainstem.measure.evaluate import Abandoned, Held, error, evaluate, over
from mainstem.model import LanguageModel, Settings
from mainstem.ops.cross_entropy import chunked


class Bigram(nn.Module):
    """Logits are a table's row; dropout shows whether it is in eval mode."""

    context = 4

    def __init__(self, vocab: int = 5) -> None:
        super().__init__()
        self.table = nn.Embedding(vocab, vocab)
        self.drop = noise.Dropout(0.5)
        noise.bind(self)

    def forward(self, x_BT: Tensor, documents_BT: Tensor | None = None) -> Tensor:
        out: Tensor = self.drop(self.table(x_BT))
        return out


def _tokens(ids: list[int], num_bytes: int) -> Any:
    return Tokens(np.array(ids, dtype=np.uint8), np.array([0]), num_bytes, np.ones(5, dtype=np.int64))


@pytest.mark.parametrize("length", [2, 4, 5, 6, 9, 23])
def test_every_token_with_a_predecessor_counts_once(length: int) -> None:
    model = Bigram()
    ids = [i * i % 5 for i in range(length)]
    held = evaluate(model, _tokens(ids, num_bytes=3 * length))
    table = model.table.weight.double().log_softmax(-1)
    nats = -sum(table[a, b].item() for a, b in itertools.pairwise(ids))
    assert held.tokens == length - 1
    assert held.nats_per_token == pytest.approx(nats / (length - 1), rel=1e-6)
    assert held.bits_per_byte == pytest.approx(nats / (length - 1) / math.log(2) / 3, rel=1e-6)


class Past(nn.Module):
    """Scores a token by all that stands before it in its window: a causal model of which everything is known."""

    context = 6

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(5, 5)

    def forward(self, x_BT: Tensor, documents_BT: Tensor | None = None) -> Tensor:
        return self.table(x_BT).cumsum(dim=1)


@pytest.mark.parametrize("length", [2, 6, 7, 8, 13, 40])
def test_a_stride_of_the_context_is_no_stride(length: int) -> None:
    text = _tokens([i * i * i % 5 for i in range(length)], 2 * length)
    model = Past()
    plain, same = (evaluate(model, text, stride=stride) for stride in (None, 6))
    assert plain[:3] == same[:3] and plain.windows == same.windows
    assert torch.equal(plain.nats_W, same.nats_W) and torch.equal(plain.tokens_W, same.tokens_W)


@pytest.mark.parametrize("stride", [1, 2, 4, 5])
def test_a_smaller_stride_gives_each_token_more_past_and_no_future(stride: int) -> None:
    model, ids = Past(), [(i * i + i // 3) % 5 for i in range(40)]
    held = evaluate(model, _tokens(ids, 40), stride=stride)
    nats = 0.0
    for target in range(1, 40):
        window = max(0, -(-(target - 6) // stride))  # the first that has it
        logits = model.table.weight[ids[window * stride : target]].sum(dim=0)
        nats -= logits.log_softmax(-1)[ids[target]].item()
    assert held.tokens == 39
    assert held.nats_per_token == pytest.approx(nats / 39, rel=1e-5)
    assert held.bits_per_byte == pytest.approx(nats / 39 / math.log(2), rel=1e-5)


def test_a_stride_that_leaves_tokens_out_is_refused() -> None:
    for stride in (0, -1, 7):
        with pytest.raises(BadInput, match=f"A stride of {stride} is not one of 1 to 6"):
            evaluate(Past(), _tokens([1, 2, 3], 3), stride=stride)


def test_the_mode_is_left_as_it_was() -> None:
    model = Bigram()
    for training in (True, False):
        model.train(training)
        evaluate(model, _tokens([1, 2, 3], 3))
        assert model.training is training


def test_parts_add_up_to_the_whole() -> None:
    held = evaluate(Bigram(), _tokens([i * 3 % 5 for i in range(30)], 30))
    assert len(held.nats_W) == 8
    assert held.of(torch.arange(8)) == pytest.approx(held.nats_per_token)
    assert int(held.tokens_W.sum()) == 29


@pytest.mark.parametrize("windows", [None, 3])
def test_the_loss_of_each_target_stands_at_its_place(windows: int | None) -> None:
    text = _tokens([i * 3 % 5 for i in range(30)], 30)
    model = Bigram().eval()
    held = evaluate(model, text, windows=windows)
    places = targets(text, 4, None if windows is None else spread(8, windows))
    assert held.losses_N is not None
    assert len(held.losses_N) == len(places) == held.tokens
    alone = model(torch.tensor(text.ids[places - 1].astype("int64"))[:, None])[:, 0]
    wanted = torch.nn.functional.cross_entropy(alone, torch.tensor(text.ids[places].astype("int64")), reduction="none")
    torch.testing.assert_close(held.losses_N, wanted)
    if windows is None:
        assert places.tolist() == list(range(1, 30))


def test_a_sample_takes_the_same_evenly_spread_windows_every_time() -> None:
    model, seen = Bigram(), []
    model.register_forward_hook(lambda _m, given, _o: seen.append(given[0].clone()))
    text = _tokens([i * i % 5 for i in range(4 * 100 + 1)], 401)
    full = evaluate(model, text)
    seen.clear()
    done: list[int] = []
    held = evaluate(model, text, windows=7, tell=done.append)
    again = evaluate(model, text, windows=7)
    first, second = torch.cat(seen[: len(seen) // 2]), torch.cat(seen[len(seen) // 2 :])
    assert torch.equal(first, second)
    assert held.nats_per_token == again.nats_per_token
    places = [100 * i // 7 for i in range(7)]
    assert max(b - a for a, b in itertools.pairwise([*places, 100])) <= 15
    assert torch.equal(first, torch.tensor([[i * i % 5 for i in range(4 * at, 4 * at + 4)] for at in places]))
    assert held.nats_per_token == pytest.approx(full.of(torch.tensor(places)), rel=1e-6)
    assert (held.tokens, done[-1], held.windows, len(held.nats_W)) == (28, 28, 100, 7)
    assert held.bits_per_byte / held.nats_per_token == pytest.approx(full.bits_per_byte / full.nats_per_token)


def test_all_windows_have_no_error_and_more_than_there_are_is_all() -> None:
    text = _tokens([i * i % 5 for i in range(41)], 41)
    model = Bigram()
    full, many = evaluate(model, text), evaluate(model, text, windows=1000)
    assert full.error is None and many.error is None
    assert many.nats_per_token == full.nats_per_token
    some = evaluate(model, text, windows=9)
    assert some.error == pytest.approx(error(some.nats_W, some.tokens_W) * math.sqrt(1 - 9 / 10))
    assert math.isnan(evaluate(model, text, windows=1).error or 0.0)


def test_the_error_is_the_closed_form_and_that_of_a_random_sample_where_order_says_nothing() -> None:
    draw = torch.Generator().manual_seed(5)
    tokens_W = torch.randint(3, 9, (4000,), generator=draw).double()
    nats_W = tokens_W * (2 + torch.randn(4000, generator=draw, dtype=torch.float64))
    ratio = float(nats_W.sum() / tokens_W.sum())
    rest = nats_W - ratio * tokens_W
    random = math.sqrt(4000 / 3999 * float(rest.square().sum())) / float(tokens_W.sum())
    assert error(nats_W, tokens_W) == pytest.approx(random, rel=0.05)
    picks = torch.randint(4000, (400, 4000), generator=draw)  # a bootstrap
    means = nats_W[picks].sum(1) / tokens_W[picks].sum(1)
    assert error(nats_W, tokens_W) == pytest.approx(float(means.std()), rel=0.1)
    assert error(torch.tensor([1.0, 3.0, 2.0]), torch.ones(3)) == pytest.approx(math.sqrt(3 / 4 * (4 + 1)) / 3)


def test_windows_that_are_like_their_neighbours_make_an_evenly_spread_sample_better() -> None:
    draw = torch.Generator().manual_seed(6)
    steps = torch.randn(3000, generator=draw, dtype=torch.float64)
    level, nats = 0.0, []
    for step in steps.tolist():  # documents of about fifty windows
        level = 0.98 * level + 0.2 * step
        nats.append(3 + level)
    nats_W = torch.tensor(nats, dtype=torch.float64)
    misses, errors = [], []
    for offset in range(20):
        sample = nats_W[torch.arange(offset, 3000, 20)]
        held = Held(float(sample.mean()), math.nan, 150, sample, torch.ones(150, dtype=torch.float64), 3000)
        misses.append(float(sample.mean() - nats_W.mean()))
        errors.append(held.error or 0.0)
    true = math.sqrt(sum(miss**2 for miss in misses) / len(misses))
    random = float(nats_W.std()) / math.sqrt(150)
    assert true < sum(errors) / len(errors) < 0.8 * random


def test_it_can_be_abandoned_in_the_middle() -> None:
    model = Bigram()
    asked = iter([False, True])
    window = (torch.zeros(1, 4, dtype=torch.int64),) * 2 + (None, torch.ones(1, 4))
    with pytest.raises(Abandoned):
        over(model, [window, window, window], stop=lambda: next(asked))
    assert model.training


def test_what_measures_nothing_is_refused() -> None:
    for name, number in (("windows", 0), ("windows", -1), ("context", 0), ("batch", -1)):
        given: dict[str, Any] = {name: number}
        with pytest.raises(BadInput, match=f"An evaluation with {name}={number} measures nothing: give at least 1"):
            evaluate(Bigram(), _tokens([1, 2, 3], 3), **given)


class Uniform(nn.Module):
    """Knows nothing, and has no parameter; `beyond` is its loss where nothing is asked of it."""

    context = 4

    def __init__(self, beyond: float = 0.0) -> None:
        super().__init__()
        self.beyond = beyond

    def losses(self, x_BT: Tensor, y_BT: Tensor, documents_BT: Tensor | None) -> Tensor:
        loss_BT = torch.full(x_BT.shape, math.log(5))
        loss_BT[-1, 1:] = self.beyond
        return loss_BT


@pytest.mark.parametrize("beyond", [0.0, math.inf, math.nan])
def test_a_loss_without_a_weight_counts_nothing_whatever_it_is(beyond: float) -> None:
    """Of six tokens the second window has one target; the model has no parameter to say where it lies."""
    held = evaluate(Uniform(beyond), _tokens([0, 1, 2, 3, 4, 0], 6))
    assert held.nats_per_token == pytest.approx(math.log(5)) and held.tokens == 5


class Half(NamedTuple):
    """The first of two processes, which hears of nothing from the other."""

    size: int = 2

    def slots(self, batch: int) -> range:
        return range(batch // 2)

    def total(self, value: Tensor) -> Tensor:
        return value


def test_losses_have_one_type_however_many_processes_measure_them() -> None:
    alone, shared = (evaluate(Bigram(), _tokens([1, 2, 3] * 8, 24), among=among) for among in (None, Half()))
    assert alone.losses_N is not None and shared.losses_N is not None
    assert alone.losses_N.dtype == shared.losses_N.dtype == torch.float32


def test_nothing_to_predict_is_refused() -> None:
    with pytest.raises(BadInput, match="Nothing to predict in 1 token: give"):
        evaluate(Bigram(), _tokens([1], 1))
    with pytest.raises(BadInput, match="does not say its context"):
        evaluate(nn.Embedding(5, 5), _tokens([1, 2], 2))


class Largest(TorchDispatchMode):
    """Sees the numbers of the largest tensor that an operator makes."""

    numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for part in torch.utils._pytree.tree_leaves(out):
            if isinstance(part, Tensor):
                self.numbers = max(self.numbers, part.numel())
        return out


def test_logits_of_a_large_vocabulary_are_never_whole() -> None:
    vocab, length = 20_000, 1001
    model = LanguageModel(Settings(vocab=vocab, layers=1, width=8, heads=1, context=16), seed=0)
    tokens = Tokens(np.arange(length, dtype=np.uint16) * 17, np.array([0]), length, np.ones(vocab, np.int64))
    with Largest() as seen:
        held = evaluate(model, tokens)
    assert seen.numbers <= chunked.ELEMENTS < vocab * (length - 1)
    model.losses = None  # type: ignore[assignment]
    assert evaluate(model, tokens).nats_W.tolist() == pytest.approx(held.nats_W.tolist(), rel=1e-5)
