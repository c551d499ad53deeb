"""Where a run has counts beside its network, the page, the card and the comparison say both numbers."""

import json
from pathlib import Path

import pytest
import run_folders

from mainstem.report import card, groups, headline, page, source
from mainstem.report.several_tables import numbers
from mainstem.report.waterfall import waterfall


def made(folder: Path, **prior: object) -> source.Source:
    run_folders.make(folder, run_folders.Made())
    facts = json.loads((folder / "facts.json").read_text())
    bits = facts["outcome"]["best"]["bits_per_byte"]
    said = {"share": 0.75, "order": 5, "network_bpb": bits, "mixed_bpb": 0.96 * bits, "low": 0.03 * bits,
            "high": 0.05 * bits, "counts_bpb": 2.0, "tokens": 100}  # fmt: skip
    facts["outcome"]["prior"] = {**said, **prior}
    (folder / "facts.json").write_text(json.dumps(facts))
    return source.read(folder)


def test_both_numbers_are_said_and_the_mixture_is_what_the_run_offers(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    network = run.facts["outcome"]["best"]["bits_per_byte"]
    found = headline.headline(run)
    said = " ".join(found.sentences)
    assert f"{0.96 * network:.4f} bits per byte, 4.0% fewer (95% interval 3.0% to 5.0%)" in said
    assert f"this model needs {0.96 * network:.3f}" in said and f"{network:.4f} bits per byte" in said
    assert found.bars[:2] == [("this model", pytest.approx(0.96 * network), "held"), ("network", network, "train")]
    assert found.tiles[0] == ("Held-out", f"{0.96 * network:.3f}", f"bits per byte; {network:.3f} without counts")
    stages = waterfall(run)
    assert stages is not None
    assert [stage.name for stage in stages.stages[-2:]] == ["the best weights", "counts mixed in"]
    assert stages.gains[-1] == pytest.approx(0.04 * network)
    text = card.markdown(run)
    assert f"| its network alone | {network:.4f} | -" in text and "4.0% fewer" in text
    assert "without counts" in page.render(run)


def test_runs_beside_each_other_have_a_column_of_it_where_one_has_counts(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    run_folders.make(tmp_path / "other", run_folders.Made())
    both = groups.grouped([run, source.read(tmp_path / "other")], [tmp_path / "run", tmp_path / "other"])
    (every,) = [table for table in numbers(both) if table.title == "Every run"]
    at = list(every.heads).index("with counts")
    mixed = 0.96 * run.facts["outcome"]["best"]["bits_per_byte"]
    assert sorted(row[at] for row in every.rows) == sorted([f"{mixed:.4f}", "–"])
    alone = groups.grouped([source.read(tmp_path / "other")], [tmp_path / "other"])
    assert all("with counts" not in table.heads for table in numbers(alone))


@pytest.mark.parametrize("wrong", [{"mixed_bpb": "1"}, {"network_bpb": 0.0}, {"share": None}, {"low": []}])
def test_numbers_that_are_none_say_nothing(tmp_path: Path, wrong: dict[str, object]) -> None:
    run = made(tmp_path / "run", **wrong)
    assert not any("With counts" in sentence for sentence in headline.headline(run).sentences)
    assert headline.headline(run).bars[1][0] != "network"


def test_counts_that_were_left_out_say_nothing(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    run.facts["outcome"]["prior"] = {"left_out": "they would cost more"}
    stages = waterfall(run)
    assert stages is not None and stages.stages[-1].name == "the best weights"


def test_the_card_says_that_calibration_is_of_the_network_alone(tmp_path: Path) -> None:
    run = made(tmp_path / "run")
    said = {part.title: part for part in card.card(run)}["Calibration"].sentences[0]
    assert said.startswith("Without the counts, its likeliest token")
    run.facts["outcome"]["prior"] = {"left_out": "they would cost more"}
    said = {part.title: part for part in card.card(run)}["Calibration"].sentences[0]
    assert said.startswith("Its likeliest token")
