"""Each side scores the whole held-out text; with a uniform model it pays the logarithm of its vocabulary for it."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mainstem import counts
from mainstem.data.tokenizer import char
from mainstem.model import LanguageModel, Settings

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"
TEXT = "".join(f"{number} is said as {number * 7919 % 997}, twice naïve.\n" for number in range(250))


@pytest.fixture
def parts(load):
    cut = int(0.9 * len(TEXT))
    return load("sides.text").Parts(TEXT[:cut], TEXT[cut:])


def zeroed(model: torch.nn.Module, *_: object) -> SimpleNamespace:
    """Take the place of training: with all weights 0 every logit is the same."""
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
    return SimpleNamespace(steps=0, best_step=0)


@pytest.mark.parametrize("name", ["nanogpt", "nanochat", "awd_lstm"])
@pytest.mark.parametrize("small", [True, False])
def test_a_uniform_network(load, parts, name: str, small: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    side, text = load(f"sides.{name}"), load("sides.text")
    monkeypatch.setattr(load("sides.network"), "train", zeroed)
    monkeypatch.setattr(text, "SMALL", 1 << 30 if small else 0)
    found = side.run(parts, 1.0, 0, 1.0)
    ids = text.characters(parts) if name == "nanogpt" else text.best(parts)
    assert found.tokens == len(ids.held)
    assert found.frozen == pytest.approx(len(ids.held) * math.log(ids.vocab), rel=1e-6)
    assert found.adaptive is None


@pytest.mark.parametrize("name", ["nanogpt", "nanochat", "awd_lstm"])
def test_a_network_learns(load, parts, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    side, clock = load(f"sides.{name}"), load("sides.clock")
    monkeypatch.setattr(side, "BATCH", 4)
    ticks = iter(range(10**6))
    monkeypatch.setattr(clock.Budget, "share", property(lambda self: min(1.0, next(ticks) / 60)))
    found = side.run(parts, 1.0, 0, load("sides.catalogue").SIDES[name].rates[0])
    assert found.steps > 20
    assert found.frozen < 0.95 * found.tokens * math.log(len(set(TEXT)))
    assert found.passes > 0.3


def test_an_lstm_without_memory_pays_for_each_token_by_the_one_before(load) -> None:
    side = load("sides.awd_lstm")
    torch.manual_seed(0)
    model = side.Model(13, 8, 8, 2, side.NOISE["weak"]).eval()
    with torch.no_grad():
        model.tokens.weight.mul_(20)
        for layer in model.layers:
            layer.weight_hh_l0.zero_()
            layer.bias_ih_l0[8:16].fill_(-1e4)  # the forget gate: nothing of the cell is kept
    before_N, held_N = torch.randint(13, (40,)), torch.randint(13, (333,))
    found_N = side.score(model, before_N, held_N, warm=16)
    last_N = torch.cat([before_N[-1:], held_N[:-1]])
    logits_NV = torch.cat([model(token.view(1, 1), model.state(1))[0][0] for token in last_N])
    expected_N = torch.nn.functional.cross_entropy(logits_NV, held_N, reduction="none").double()
    torch.testing.assert_close(found_N, expected_N, rtol=1e-5, atol=1e-6)


def test_an_lstm_is_scored_behind_warm_tokens(load) -> None:
    """Where one column is all, its score is that of the whole text in one go."""
    side = load("sides.awd_lstm")
    torch.manual_seed(0)
    model = side.Model(13, 8, 8, 2, side.NOISE["weak"]).eval()
    with torch.no_grad():
        model.tokens.weight.mul_(20)
    text_N = torch.randint(13, (132,))
    found_N = side.score(model, text_N[:100], text_N[100:], warm=99)  # 32 tokens: each column scores one of them
    for place in (0, 17, 31):
        logits = model(text_N[place : place + 100, None], model.state(1))[0][-1]
        expected = torch.nn.functional.cross_entropy(logits, text_N[place + 100 : place + 101]).item()
        assert found_N[place].item() == pytest.approx(expected, rel=1e-5)


def test_dropout_of_an_lstm_is_the_same_at_each_position(load) -> None:
    side = load("sides.awd_lstm")
    torch.manual_seed(0)
    dropped = side._locked(torch.ones(50, 4, 30), 0.5)
    assert dropped.equal(dropped[:1].expand(50, -1, -1))
    assert not dropped[0, 0].equal(dropped[0, 1])
    assert set(dropped.unique().tolist()) == {0.0, 2.0}


def test_recurrent_weights_are_dropped_while_an_lstm_learns(load) -> None:
    side = load("sides.awd_lstm")
    torch.manual_seed(0)
    model, x_TB = side.Model(13, 8, 8, 2, side.Rates(0, 0, 0, 0, 1.0)), torch.randint(13, (20, 3))
    dropped, whole = model(x_TB, model.state(3))[0], model.eval()(x_TB, model.state(3))[0]
    assert not dropped.equal(whole)
    with torch.no_grad():
        for layer in model.layers:
            layer.weight_hh_l0.zero_()
    torch.testing.assert_close(model(x_TB, model.state(3))[0], dropped)


@pytest.mark.parametrize("shape", [(8, 8), (8, 3), (3, 8)])
def test_a_matrix_is_made_nearly_orthogonal(load, shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = load("sides.muon").orthogonal(matrix)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    assert torch.linalg.svdvals(found).sub(1).abs().max() < 0.5
    inside = left.T @ found @ right.T
    torch.testing.assert_close(inside, inside.diagonal().diag(), rtol=0, atol=1e-6)


def test_counts_that_saw_nothing_are_uniform(load) -> None:
    text = load("sides.text")
    found = load("sides.kneser_ney").over(text.raw_bytes(text.Parts("", TEXT)))
    assert found.frozen == pytest.approx(len(TEXT.encode()) * math.log(256))
    assert found.adaptive < 0.6 * found.frozen


@pytest.mark.parametrize("unit", ["bytes", "pairs"])
def test_counts_are_those_of_the_package(load, parts, unit: str) -> None:
    text = load("sides.text")
    found = getattr(load("sides.kneser_ney"), f"over_{unit}")(parts, 0.0, 0, 0.0)
    ids = text.raw_bytes(parts) if unit == "bytes" else text.best(parts)
    model = counts.KneserNey().fit(ids.train.astype(np.uint32), ids.vocab).score(ids.held.astype(np.uint32))
    assert found.tokens == len(ids.held)
    assert found.frozen == pytest.approx(-model.frozen.sum())
    assert found.adaptive == pytest.approx(-model.adaptive.sum())


def test_a_program_that_only_copies_adds_every_byte(load, parts) -> None:
    assert load("sides.compressors").added("cp", ["{file}", "{archive}"], parts) == parts.held_bytes


def test_a_program_that_is_not_there(load, parts) -> None:
    with pytest.raises(load("sides.outcome").Unavailable, match="no-such-program is not installed: install it"):
        load("sides.compressors").added("no-such-program", [], parts)


@pytest.mark.parametrize(("program", "name", "rate"), [("7z", "ppmd", 6.0), ("zpaq", "zpaq", 0.0)])
def test_a_compressor_costs_less_than_bytes_and_more_than_nothing(load, parts, program, name, rate) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    found = getattr(load("sides.compressors"), name)(parts, 0.0, 0, rate)
    assert found.frozen is None
    assert 0.05 < found.adaptive / math.log(2) / 8 / parts.held_bytes < 0.7


class TestOurs:
    """What a run leaves is scored like the other networks."""

    def loaded(self, parts, held_bytes: int) -> SimpleNamespace:
        tokenizer = char.Char("".join(sorted(set(TEXT))))
        model = LanguageModel(Settings(vocab=tokenizer.vocab_size, layers=1, width=8, heads=2, context=16)).eval()
        zeroed(model)
        best = {"gap": {"value": 0.5}}
        facts = {"corpus": {"held_out_bytes": held_bytes}, "outcome": {"best": best, "best_step": 3, "steps": 5}}
        return SimpleNamespace(model=model, tokenizer=tokenizer, facts=facts, prior=None)

    def test_a_uniform_run(self, load, parts) -> None:
        loaded = self.loaded(parts, parts.held_bytes)
        found = load("sides.ours").outcome(loaded, parts, 1.5)
        tokens = len(loaded.tokenizer.encode(parts.held))
        assert (found.tokens, found.steps, found.seconds) == (tokens, 5, 1.5)
        assert found.frozen == pytest.approx(tokens * math.log(loaded.tokenizer.vocab_size), rel=1e-6)
        assert found.gap == pytest.approx(0.5 / math.log(2) * tokens / parts.held_bytes)

    def test_a_run_that_was_cut_elsewhere_is_refused(self, load, parts) -> None:
        loaded = self.loaded(parts, parts.held_bytes - 1)
        with pytest.raises(AssertionError, match="the run held out"):
            load("sides.ours").outcome(loaded, parts, 1.5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ours", "unregularized", "nanogpt", "nanochat", "awd_lstm"])
def test_a_network_keeps_its_budget(name: str, load, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text(TEXT * 4)
    rate = load("sides.catalogue").SIDES[name].rates[0]
    command = [sys.executable, "-m", "sides", name, str(path), "--budget", "15", "--rate", str(rate)]
    done = subprocess.run(command, cwd=BENCHMARKS, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["seconds"] < 16
    assert found["held_characters"] == len(TEXT) * 4 - int(0.9 * len(TEXT) * 4)
    assert 0.1 < found["frozen"] / found["held_characters"] < 2.5
