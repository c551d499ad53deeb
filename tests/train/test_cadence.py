"""When a pass of a run is due."""

from hypothesis import example, given
from hypothesis import strategies as st

from mainstem.train.cadence import due, passes


@given(st.integers(1, 400), st.integers(1, 60))
@example(6, 4)
@example(5, 4)
def test_passes_are_counted_and_none_falls_next_to_the_last(steps: int, every: int) -> None:
    found = [step for step in range(1, steps + 1) if due(step, steps, every)]
    assert len(found) == passes(steps, every)
    assert found[-1] == steps
    assert all(step % every == 0 and 2 * (steps - step) >= every for step in found[:-1])
    assert not due(steps + 1, steps, 10**9)
