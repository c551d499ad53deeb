import numpy as np
import pytest

from mainstem import config
from mainstem.data.batches import Plan
from mainstem.errors import BadInput
from mainstem.runs.state import Length
from mainstem.train.length import resolve, seconds, steps_of_epochs


def _never(_: float) -> int:
    pytest.fail("the budget was measured")


@pytest.mark.parametrize(("text", "value"), [("90s", 90.0), ("10m", 600.0), ("1.5h", 5400.0), (" 2h ", 7200.0)])
def test_budgets_are_times(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["10", "0s", "-1s", "1e9h", "10 m", "nan s", "infs", ""])
def test_what_is_no_time_is_refused_with_the_value(text: str) -> None:
    with pytest.raises(BadInput, match=r"train\.budget"):
        seconds(text)


def test_epochs_are_whole_steps_and_never_nothing() -> None:
    assert steps_of_epochs(1.0, 640, 64) == 10
    assert steps_of_epochs(1.0, 703, 64) == 10
    assert steps_of_epochs(0.1 + 0.2, 640, 64) == 3
    assert steps_of_epochs(0.001, 640, 64) == 1


def test_each_way_of_saying_how_long() -> None:
    assert resolve(config.Train(steps=7), 640, 64, [], _never).steps == 7
    assert resolve(config.Train(epochs=2.0), 640, 64, [], _never).steps == 20
    assert resolve(config.Train(budget="10m"), 640, 64, [], lambda s: int(s) // 2).steps == 300
    assert resolve(config.Train(), 640, 64, [], _never).steps > 0
    with pytest.raises(BadInput, match=r"train\.steps 7, train\.epochs 2\.0"):
        resolve(config.Train(steps=7, epochs=2.0), 640, 64, [], _never)


def test_what_was_resolved_once_stays() -> None:
    train = config.Train(budget="10m")
    first = resolve(train, 640, 64, [], lambda _: 300)
    other = Length(7, {"steps": None, "epochs": None, "budget": "10m"})
    assert resolve(train, 640, 64, [first, other], _never) == first
    assert resolve(train, 640, 64, [other, first], _never) == other
    assert resolve(config.Train(budget="20m"), 640, 64, [first, other], lambda _: 600).steps == 600


def test_a_budget_holds_no_more_passes_than_are_said() -> None:
    train = config.Train(budget="10m", passes=2.0)
    assert resolve(train, 640, 64, [], lambda s: 300).steps == 20
    assert resolve(train, 640, 64, [], lambda s: 7).steps == 7
    assert resolve(train, 640, 64, [], lambda s: 300).asked["passes"] == 2.0
    again = resolve(
        config.Train(budget="10m", passes=4.0), 640, 64, [resolve(train, 640, 64, [], lambda s: 300)], lambda s: 300
    )
    assert again.steps == 40


@pytest.mark.parametrize("context", [16, 64])
@pytest.mark.parametrize("batch", [1, 2, 3, 8])
@pytest.mark.parametrize("tokens", [1000, 1024, 2047])
def test_one_epoch_reads_no_window_twice(tokens: int, batch: int, context: int) -> None:
    """But for the one window that a random offset costs where a text is a whole number of steps."""
    if batch * context > tokens:
        pytest.skip("one step is more than the text")
    plan, seen = Plan(tokens, context, batch, seed=0), np.zeros(tokens, int)
    for step in range(1, steps_of_epochs(1.0, tokens, batch * context) + 1):
        for start in plan.offsets(step, range(batch)):
            seen[start + 1 : start + context + 1] += 1
    assert seen.max() <= 2
    assert (seen == 2).sum() <= (context if tokens // context % batch == 0 else 0)
    assert (seen == 0).sum() <= (batch + 1) * context  # what is no whole step, and the offset
