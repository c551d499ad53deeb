"""`mainstem list KIND --measure`: its sides, its table at 80 columns, and what it refuses."""

import sys

import pytest

from mainstem import catalogue, config
from mainstem.cli import list_costs
from mainstem.cli.main import main
from mainstem.train import costs, refuse

TABLE = """\
16 sequences of 128 tokens, 1,024 words, 1,000 parameters, float32, 2 threads
step: none is 1; median and quartiles of 9 rounds in turns, torch 2.13.0

       step      quartiles  kept for backward  parameters
none   1.00                           12.0 MB
l1     1.25   1.12 to 1.38            12.0 MB          +0
l2     1.25   1.12 to 1.38            12.0 MB          +0
"""


@pytest.mark.parametrize("kind", sorted(list_costs._BASE))
def test_every_name_of_a_kind_is_a_side_and_a_configuration(kind):
    found = list_costs.sides(kind)
    names = [name for name in catalogue.names(kind) if name not in list_costs._BY_OTHERS]
    assert set(found) == {*names, next(iter(found))} and next(iter(found)) in {*names, list_costs.NONE}
    for flags in found.values():
        refuse.early(config.load(flags, recipe="default"))


def test_the_table(monkeypatch, capsys):
    def compared(runs, vocabulary, rounds, clock, tell):
        turns = [1.0, 1.125, 1.25, 1.375, 1.5]
        return {
            name: costs.Cost(1.25 if at else 1.0, turns if at else [1.0], 12_000_000, 1000)
            for at, name in enumerate(list(runs)[:3])
        }

    monkeypatch.setattr(costs, "compared", compared)
    monkeypatch.setattr("torch.__version__", "2.13.0")
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    monkeypatch.setattr("mainstem.train.device.bfloat16_is_faster", lambda: False)
    assert main(["list", "penalties", "--measure"]) == 0
    said = capsys.readouterr().out
    assert said == TABLE and max(map(len, said.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tokenizers"], "no tokenizer is a part of one: choose one of residual, norm"),
        ([], "name it, as in mainstem list forms --measure"),
    ],
)
def test_what_takes_no_step_is_refused_before_torch_is_loaded(words, message, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # which fails where it is imported
    assert main(["list", *words, "--measure"]) == 2
    assert message in capsys.readouterr().err
