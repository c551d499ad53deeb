"""The tables of regularization and of facts."""

from __future__ import annotations

from pathlib import Path

import run_folders

from mainstem import catalogue, config
from mainstem.report import page, source, tables


def test_blocks_share_a_row_and_every_tensor_has_one(tmp_path: Path) -> None:
    found = tables.parameters(source.read(run_folders.make(tmp_path / "run")))
    assert found is not None
    grouped, every = found
    rows = {row[0]: row for row in grouped.rows}
    assert rows["blocks.*.feedforward.branch.feedforward.into"] == [
        "blocks.*.feedforward.branch.feedforward.into", "6", "512 × 128", "feedforward.in", "0.1",
        "L1(1e-06, on='feedforward')",
    ]  # fmt: skip
    assert rows["stream.norm.gain"][4:] == ["no", "none"]
    assert len(every.rows) == 6 * 8 + 2
    assert sum(int(row[1]) for row in grouped.rows) == len(every.rows)


def test_one_block_that_differs_has_a_row_of_its_own() -> None:
    rows = [{"name": f"blocks.{i}.weight", "shape": [2], "role": "norm", "decay": 0.1 * (i == 1)} for i in range(3)]
    found = tables.parameters(source.Source("r", "", {}, {"parameters": rows}, source.metrics.Metrics(), []))
    assert found is not None
    assert [row[1] for row in found[0].rows] == ["2", "1"]


def test_rates_of_noise_are_the_sites_own_or_the_common_one(tmp_path: Path) -> None:
    noise = config.Noise(rate=0.2, hidden=0.05, attention=0.0, depth=0.25)
    table = tables.noise(source.read(run_folders.make(tmp_path / "run", noise=noise)))
    assert table is not None
    assert {row[0].removeprefix("dropout, "): row[1] for row in table.rows} == {
        "embedding": "0.2", "attention weights": "0.2", "attention output": "0", "feed-forward hidden": "0.05",
        "feed-forward output": "0.2", "stochastic depth, last sublayer (linear from 0)": "0.25",
    }  # fmt: skip


def test_noises_of_the_list_have_a_row_each(tmp_path: Path) -> None:
    noise = config.Noise(also=[{"name": "drop_head", "rate": 0.3, "course": "rising"}, {"name": "depth", "rate": 0.1}])
    table = tables.noise(source.read(run_folders.make(tmp_path / "run", noise=noise)))
    assert table is not None
    assert table.rows[-2:] == [["drop_head, course rising", "0.3"], ["depth", "0.1"]]


def test_facts_in_odd_shapes_are_forgiven() -> None:
    for odd in (None, 3, [], [3], {"a": 1}, "x"):
        run = source.Source("r", "", {"noise": odd}, {"parameters": odd}, source.metrics.Metrics(), [])
        assert tables.parameters(run) is None
        assert tables.noise(run) is None or odd == {"a": 1}
    found = tables.parameters(
        source.Source("r", "", {}, {"parameters": [{}, {"shape": 3, "decay": "x", "penalties": "p"}]},
                      source.metrics.Metrics(), [])
    )  # fmt: skip
    assert found is not None
    assert list(found[1].rows) == [["", "scalar", "", "no", "none"], ["", "scalar", "", "no", "p"]]


def test_pairs_keep_an_order_and_show_every_kind_of_value() -> None:
    values = {"z": None, "b_c": 1234, "a": [1, 2.5], "m": {"k": True}, "long": list(range(20)), "t": "x\x00"}
    table = tables.pairs("t", values, {"a": "first", "absent": "none"})
    assert table is not None
    assert list(table.rows) == [
        ["first", "1, 2.5"], ["b c", "1,234"], ["m", "k yes"],
        ["long", ", ".join(map(str, range(12))) + ", … (8 more)"], ["t", "x␀"],
    ]  # fmt: skip
    assert tables.pairs("t", {}, {}) is None


def test_proximal_steps_and_every_kind_of_decay_are_said() -> None:
    rows = [
        {"name": "w", "shape": [2], "role": "linear", "decay": 0.0, "penalties": ["L2(1)"], "after": ["Proximal(L1)"]}
    ]
    found = tables.parameters(source.Source("r", "", {}, {"parameters": rows}, source.metrics.Metrics(), []))
    assert found is not None
    assert found[0].rows[0][-1] == "L2(1), Proximal(L1)"
    kinds = {
        "decoupled": "Decoupled weight decay 4 over", "cautious": "Cautious weight decay 4 over",
        "independent": "Independent weight decay 4 over", "passes": "Weight decay with a time-scale of 4 passes over",
    }  # fmt: skip
    assert set(kinds) == set(catalogue.names("decay"))
    for kind, said in kinds.items():
        proximal = [{"name": "l1", "coef": 0.5, "on": "head"}]
        tree = {"optim": {"decay": 4.0, "decay_kind": kind, "proximal": proximal}}
        lines = page._penalties(source.Source("r", "", tree, {}, source.metrics.Metrics(), []))
        assert lines[0] == "Proximal step l1: coef * sum |w| with coef 0.5 over head."
        assert lines[1] == f"{said} the matrices, as a step of the update."
