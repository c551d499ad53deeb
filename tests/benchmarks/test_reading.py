"""The first reading: every form and regularizer is an arm that can be run, and the page says what was read."""

from __future__ import annotations

import csv
from pathlib import Path
from types import ModuleType

import pytest

from mainstem import catalogue, config
from mainstem.train import refuse

SAID = {
    "dropout": "noise.rate", "depth": "noise.depth", "cross_entropy": "", "decoupled": "", "constant": "",
    "ema": "optim.average", "swa": "optim.swa", "soup": "optim.soup", "distillation": "",
}  # fmt: skip
"""How an arm says what it does not call by its name. What the base does is in every arm; distillation needs a run."""


@pytest.fixture
def reading(load) -> ModuleType:
    return load("reading")


def test_every_form_and_regularizer_of_the_catalogue_is_an_arm(reading) -> None:
    assert [name for name in catalogue.names("residual") if name not in reading.names("once")] == []
    flags = " ".join(reading.REGULARIZERS.values())
    words = {value for flag in flags.split() for value in flag.split("=")}
    for kind in ("noise", "penalty", "loss", "decay", "course", "around", "average"):
        every = catalogue.names(kind)
        missing = [name for name in every if name not in words and SAID.get(name, name) not in flags]
        assert missing == [], kind


def test_every_arm_is_a_run_that_nothing_refuses(reading) -> None:
    shape = dict(zip(*[iter(word.removeprefix("--") for word in reading.SHAPE)] * 2, strict=True))
    for name, flags in (reading.names("once") | reading.names("often")).items():
        given = dict(flag.split("=", 1) for flag in flags.split())
        try:
            refuse.early(config.load(shape | given | {"train.steps": 10}, recipe="default"))
        except Exception as error:
            raise AssertionError(f"{name}: {error}") from error


def test_all_arms_of_a_seed_come_before_those_of_the_next(reading) -> None:
    found = list(reading.arms([3, 1]))
    assert [arm.seed for arm in found] == sorted((arm.seed for arm in found), reverse=True)
    assert [arm.name for arm in found if arm.cell == "often" and arm.seed == 1][:2] == ["pre_norm", "placebo"]
    assert len(set(found)) == len(found)


def rows(reading, path: Path, bits: dict[tuple[str, int], float | str]) -> list[dict[str, object]]:
    """Write a table of these bits per byte, or reasons, by arm and seed, in the cell `once`; return its rows."""
    known = {"cell": "once", "steps": 600, "parameters": 1000, "commit": "abc", "machine": "M", "torch": "2"}
    known |= {"dtype": "float32"}
    found = [
        {**dict.fromkeys(reading.FIELDS, ""), **known, "key": number, "arm": arm, "seed": seed,
         ("failed" if isinstance(value, str) else "bits_per_byte"): value}
        for number, ((arm, seed), value) in enumerate(bits.items())
    ]  # fmt: skip
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, reading.FIELDS)
        writer.writeheader()
        writer.writerows(found)
    return found


def test_the_page_has_the_noise_floor_differences_by_seed_and_what_did_not_end(reading, tmp_path: Path) -> None:
    bits = {
        ("pre_norm", 0): 2.0, ("pre_norm", 1): 2.2, ("placebo", 0): 2.01, ("placebo", 1): 2.17,
        ("deepnorm", 0): 1.9, ("deepnorm", 1): 2.0, ("plain", 0): "The loss is not finite.", ("keel", 1): 2.3,
    }  # fmt: skip
    rows(reading, tmp_path / "rows.csv", bits)
    (tmp_path / "cost.csv").write_text("arm,ratio,low,high\ndeepnorm,1.024,1.0,1.1\n")
    page = reading.page(tmp_path / "rows.csv", tmp_path / "cost.csv")
    assert "-0.010 bits per byte from it on average (-0.264 to +0.244), and up to 0.030 with one seed" in page
    assert "| deepnorm | 2 | 1.950 | -0.150 | -0.785 to +0.485 | 1.02 | 1.000 |" in page
    assert "| keel | 1 | 2.300 | +0.100 |  |  | 1.000 |" in page
    assert "- plain, seed 0: The loss is not finite." in page
    assert "--seeds 0,1`" in page and "in\nfloat32, beside other work, commit abc; M; PyTorch 2" in page
    assert "Without a row yet: post_norm, sandwich," in page and "yet: pre_norm" not in page
    assert "## often" not in page and "small by chance" not in page
    rows(reading, tmp_path / "one.csv", {each: bits[each] for each in bits if each[1] == 0})
    assert (
        "up to 0.010 with one seed. A difference that is not beyond that says nothing. One difference may be small"
        in (reading.page(tmp_path / "one.csv"))
    )
    with pytest.raises(SystemExit, match="has no rows"):
        reading.page(tmp_path / "none.csv")


def test_a_sweep_skips_what_is_there_keeps_what_failed_and_begins_nothing_late(load, tmp_path: Path) -> None:
    trainings, path, fields = load("trainings"), tmp_path / "rows.csv", ("key", "arm", "bits", "failed", "commit")
    ran: list[str] = []

    def trial(name: str):
        def train() -> dict[str, object]:
            ran.append(name)
            if name == "c":
                raise trainings.Ended("It could not go on.")
            return {"bits": 2.0}

        return f"key of {name}", {"arm": name}, train

    trainings.sweep(path, fields, 1.0, [trial("a")])
    trainings.sweep(path, fields, 1.0, (trial(name) for name in "abc"))
    trainings.sweep(path, fields, -1.0, [trial("a"), trial("d")])
    assert ran == ["a", "b", "c"]
    found = [(row["arm"], row["bits"], row["failed"]) for row in trainings.read(path)]
    assert found == [("a", "2.0", ""), ("b", "2.0", ""), ("c", "", "It could not go on.")]
