"""The sweep over depths: its order, what it does not try, what counts as a failure, and what its page says."""

from __future__ import annotations

from types import ModuleType

import pytest

from mainstem import config
from mainstem.train import refuse


@pytest.fixture
def deep(load) -> ModuleType:
    return load("deep")


def row(**of: object) -> dict[str, str]:
    known = {"part": "depth", "form": "keel", "blocks": 4, "rate": 0.002, "seed": 0, "bits_per_byte": 2.5, "failed": "",
             "unigram": 4.8, "commit": "abc", "machine": "M", "torch": "2"}  # fmt: skip
    return {name: str(value) for name, value in (known | of).items()}


def test_small_depths_come_first_and_all_forms_of_a_seed_before_the_next(deep) -> None:
    found = list(deep.arms())
    assert [arm.blocks for arm in found] == sorted(arm.blocks for arm in found)
    at = [(arm.seed, arm.form) for arm in found if (arm.part, arm.blocks) == ("depth", 16)]
    assert at == [(seed, form) for seed in deep.SEEDS for form in deep.FORMS]
    assert len({(arm.flags, arm.seed, arm.part) for arm in found}) == len(found)


def test_every_form_is_a_run_that_nothing_refuses(deep) -> None:
    for form in deep.FORMS:
        for blocks in (4, 16):
            given = dict(flag.split("=", 1) for flag in deep.Arm("depth", form, blocks, 1e-3, 0).flags.split())
            run = config.load(given | {"train.steps": 10}, recipe="default")
            assert (run.model.layers, run.optim.name, run.optim.values["lr"]) == (blocks, "adamw", 1e-3)
            refuse.early(run)


def test_attention_over_depth_has_eight_groups(deep) -> None:
    assert "group=4" in deep.Arm("depth", "attention_residuals", 16, 1e-3, 0).flags  # of 32 sublayers


def test_what_knows_no_more_than_frequencies_has_failed(deep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deep.trainings, "trained", lambda path, words: {"bits_per_byte": 4.9})
    assert deep.trained("", [], 4.8)["failed"] == "4.900 bits per byte, and frequencies alone 4.800"
    assert "failed" not in deep.trained("", [], 5.0)


def test_the_page_counts_failures_and_says_whether_the_rate_holds(deep) -> None:
    rows = [row(), row(seed=1, bits_per_byte=2.7), row(seed=2, failed="The loss is not finite.", bits_per_byte="")]
    for blocks, best in ((4, 4e-3), (16, 2e-3), (64, 1e-3)):
        for rate in deep.RATES:
            bits = 2.0 + abs(rate - best)
            rows.append(row(part="rate", form="pre_norm", blocks=blocks, rate=rate, bits_per_byte=bits))
            same = 2.0 + abs(rate - 2e-3)
            rows.append(row(part="rate", form="complete_p", blocks=blocks, rate=rate, bits_per_byte=same))
    page = deep.page(rows)
    assert "| keel | 2.600, 1 of 3 failed |" in page
    assert "| pre_norm | 0.004 | 0.002 | 0.001 | 4 | missed |" in page
    assert "| complete_p | 0.002 | 0.002 | 0.002 | 1 | reached |" in page
    assert "- keel, 4 blocks, rate 0.002, seed 2: The loss is not finite." in page
    with pytest.raises(SystemExit, match="There are no rows"):
        deep.page([])
