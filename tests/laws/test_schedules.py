"""Every schedule of the catalogue: a share that never rises behind the warm-up, and a function of progress alone."""

import dataclasses
import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstem import catalogue, variants
from mainstem.config import owned
from mainstem.errors import BadInput
from mainstem.optim.schedule import Schedule, share

NAMES = catalogue.names("schedule")
ROUNDING = 2.0**-52
"""What two sums of a share may differ by: a cosine that falls to 1 - 1e-16 came to less, and to 1 again."""


@st.composite
def schedules(draw: st.DrawFn, name: str) -> Schedule:
    """Return the schedule with values in their limits."""
    values = {key: draw(st.floats(0.01, 1)) for key in owned.of("schedule", name)}
    found: Schedule = variants.resolve("schedule", {"name": name, **values})
    return found


def last(schedule: Any) -> float:
    return getattr(schedule, "floor", 1.0)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data(), steps=st.integers(1, 400), warmup=st.floats(0, 1))
def test_it_rises_to_the_peak_and_falls_to_its_floor(name: str, data: st.DataObject, steps: int, warmup: float) -> None:
    schedule = data.draw(schedules(name))
    warm = max(1, round(warmup * steps))
    found = [share(step, steps, warmup, schedule) for step in range(1, steps + 1)]
    assert found[warm - 1] == 1.0
    assert found[:warm] == sorted(found[:warm])
    assert all(later <= earlier + ROUNDING for earlier, later in itertools.pairwise(found[warm - 1 :]))
    assert all(0.0 <= each <= 1.0 for each in found)
    if warm < steps:
        assert found[-1] == last(schedule)
    assert share(steps + 3, steps, warmup, schedule) == found[-1]


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data(), step=st.floats(1, 1000))
def test_it_depends_on_progress_alone(name: str, data: st.DataObject, step: float) -> None:
    schedule = data.draw(schedules(name))
    # Warm-up and cool-down end at whole steps, so that shares of these are what is compared.
    if hasattr(schedule, "cooldown"):
        schedule = dataclasses.replace(schedule, cooldown=0.25)  # type: ignore[type-var]
    one, two = (share(step * scale, 1000 * scale, 0.1, schedule) for scale in (1, 2))
    assert one == pytest.approx(two, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_every_value_has_limits(name: str) -> None:
    for key in owned.of("schedule", name):
        with pytest.raises(BadInput, match=f"optim.schedule.{key} of {name} is 1.5"):
            variants.resolve("schedule", {"name": name, key: 1.5})
