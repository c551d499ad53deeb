"""The table of a watch: where a number is, by both ends of a name, and what is normal."""

import pytest
import torch
from torch import nn

from mainstem import measure
from mainstem.measure.diagnose import FAULTS, weights
from mainstem.measure.quantity import QUANTITIES
from mainstem.measure.table import HEADS, between, cut, rows, table
from mainstem.model import LanguageModel, Settings


@pytest.fixture(scope="module")
def watch():
    model = LanguageModel(Settings(vocab=50, layers=12, width=16, heads=2, context=8, init="xavier"), seed=0)
    x_BT = torch.arange(32).view(4, 8) % 50
    with measure.watch(model) as m:
        model(x_BT, targets_BT=x_BT).backward()
    return m


@pytest.mark.parametrize("width", range(30, 81, 5))
def test_a_number_is_whole_or_left_out_with_its_column(watch, width):
    lines = {line.split()[0]: line.split()[1:] for line in table(watch, width).splitlines() if line[:1].strip()}
    for name, unit, low, _, high, _, usual in rows(watch):
        whole = [*unit.split(), low, high, *usual.split()]
        assert low in lines[name] and set(lines[name]) <= set(whole), (name, lines[name])
    assert all(word in HEADS for word in lines["quantity"])


@pytest.mark.parametrize("width", [40, 80])
def test_lines_fit_and_say_where_by_both_ends_of_a_name(watch, width):
    lines = table(watch, width).splitlines()
    assert all(len(line) <= width for line in lines)
    found = {row[0]: row for row in rows(watch)}
    at = lines.index(next(line for line in lines if line.startswith("stable_rank")))
    where = lines[at + 1]
    for name in (found["stable_rank"][3], found["stable_rank"][5]):
        assert name.split(".")[0][:3] in where
        assert name.rpartition(".")[2][-3:] in where
    if width == 80:
        assert all(
            f"from {row[3]} to {row[5]}" in "\n".join(lines)
            for row in rows(watch)
            if row[3] != row[5] and len(row[3] + row[5]) < 60
        )


def test_names_keep_both_ends_in_whole_parts_where_there_is_room():
    assert cut("blocks.3.attention.branch.query.weight", 80) == "blocks.3.attention.branch.query.weight"
    assert cut("blocks.3.attention.branch.query.weight", 34) == "blocks.3.attention…query.weight"
    assert cut("blocks.3.attention.branch.query.weight", 30) == "blocks.3…query.weight"
    assert cut("blocks.3.attention.branch.query.weight", 17) == "blocks.3…weight"
    assert cut("blocks.3.attention.branch.query.weight", 8) == "blo…ight"
    for room in range(1, 60):
        assert len(cut("blocks.3.attention.branch.query.weight", room)) <= room


def test_what_is_normal_is_what_diagnoses_go_by(watch):
    found = {row[0]: row[6] for row in rows(watch)}
    assert found["attention_logit"] == "up to 80" and weights._LOGIT == 80
    assert found["attention_entropy"] == "0.02 to 1" and weights._ENTROPY == 0.02
    assert found["gradient_slope"] == "0.8 to 1.25"
    assert found["dead_units"] == "up to 0.5" and found["effective_rank"] == "from 1.5"
    assert found["stream"] == ""
    assert all(len(row) == len(HEADS) for row in rows(watch))
    assert [kind.name for kind in QUANTITIES if kind.normal is not None] == [
        "update_ratio", "attention_logit", "attention_entropy", "dead_units", "effective_rank",
    ]  # fmt: skip
    assert between(None) == "" and len(FAULTS) > 10


def test_one_number_for_the_whole_model_stands_once():
    model = nn.Sequential(nn.Linear(4, 4))
    with measure.watch(model, every={"stream": 1, "noise_scale": 1}) as m:
        model(torch.randn(3, 4)).square().mean().backward()
    text = table(m)
    row = next(line for line in text.splitlines() if line.startswith("noise_scale"))
    assert len(row.split()) == 3  # its name, its unit, one number
    assert "  at model" in text
