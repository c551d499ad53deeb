"""Which steps count, by their numbers and by the norms before, and what is remembered of a step that does not."""

from __future__ import annotations

import math

import pytest
import torch

from mainstem.optim import Acceptance, Percentile, Skipping
from mainstem.optim.acceptance import finite

RULE = Percentile(last=2, below=1.0, factor=2.0)


def asked(acceptance: Acceptance, norm: float, **numbers: float) -> tuple[bool, dict[str, float]]:
    """Return whether a step with this `norm` and these numbers counts, and the numbers of the answer."""
    question = acceptance.of({name: torch.tensor(value) for name, value in numbers.items()})
    counts = bool(question(torch.tensor(norm)))
    assert counts == bool(question.answer)
    return counts, {name: float(value) for name, value in question.numbers.items()}


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", ["loss", "penalty", "grad_norm"])
@pytest.mark.parametrize("rule", [None, RULE])
def test_a_step_of_which_one_number_is_not_finite_does_not_count(
    bad: float, name: str, rule: Percentile | None
) -> None:
    acceptance = Acceptance(None if rule is None else Skipping(rule))
    numbers = {"loss": 1.0, "penalty": 2.0, "grad_norm": 3.0}
    counts, found = asked(acceptance, numbers.pop("grad_norm"), **numbers)
    assert counts and found == {"grad_norm": 3.0, **({} if rule is None else {"spike": 0.0})}
    spoiled = {"loss": 1.0, "penalty": 2.0, "grad_norm": 3.0, name: bad}
    assert not asked(acceptance, spoiled.pop("grad_norm"), **spoiled)[0]
    assert not finite(torch.tensor(bad))


def test_only_norms_of_finite_steps_are_remembered_those_of_spikes_too() -> None:
    acceptance = Acceptance(Skipping(RULE))
    assert [asked(acceptance, norm, loss=1.0)[0] for norm in (1.0, 1.0)] == [True, True]
    assert not asked(acceptance, 100.0, loss=math.nan)[0]
    assert acceptance.state()["norms"].tolist() == [1.0, 1.0]
    counts, found = asked(acceptance, 100.0, loss=1.0)
    assert not counts and found == {"grad_norm": 100.0, "spike": 1.0}
    assert acceptance.state()["norms"].tolist() == [1.0, 100.0]


def test_a_spike_in_one_process_is_one_in_all() -> None:
    told: list[int] = []

    def total(flag: torch.Tensor) -> torch.Tensor:
        told.append(int(flag))
        return flag + 1  # another process has one

    counts, found = asked(Acceptance(Skipping(RULE), total), 1.0, loss=1.0)
    assert told == [0] and not counts and found["spike"] == 1.0
    assert asked(Acceptance(None, total), 1.0, loss=1.0)[0] and told == [0], "nobody is asked where there is no rule"


def test_without_a_rule_there_is_nothing_to_be_kept() -> None:
    assert Acceptance().state() == {}
    first, second = Acceptance(Skipping(RULE)), Acceptance(Skipping(RULE))
    assert asked(first, 3.0)[0]
    second.load(first.state())
    assert second.state()["norms"].tolist() == [3.0]
