"""Every course of the catalogue: a share of a number, by progress alone, for noise and decay alike."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstem import catalogue, config, noise, progress, variants
from mainstem.errors import BadInput

NAMES = catalogue.names("course")
# What a course is where nothing is said of begin and end: its share by progress.
WHOLE: dict[str, Any] = {"constant": lambda p: 1.0, "rising": lambda p: p, "falling": lambda p: 1.0 - p}
bounds = st.tuples(st.floats(0, 1), st.floats(0, 1)).filter(lambda pair: pair[0] < pair[1])


@pytest.mark.parametrize("name", NAMES)
@given(p=st.floats(0, 1), pair=bounds)
def test_it_is_its_closed_form_and_stays_where_it_has_come_to(name: str, p: float, pair: tuple[float, float]) -> None:
    begin, end = pair
    course = variants.resolve("course", {"name": name, "begin": begin, "end": end})
    found = course.at(p)
    assert 0.0 <= found <= 1.0
    if begin <= p <= end:
        assert found == pytest.approx(WHOLE[name]((p - begin) / (end - begin)), abs=1e-12)
    else:
        outside = {"constant": 0.0, "rising": float(p > end), "falling": float(p < begin)}
        assert found == outside[name]
    assert variants.resolve("course", name).at(p) == pytest.approx(WHOLE[name](p), abs=1e-15)


@pytest.mark.parametrize("name", NAMES)
@given(pair=bounds, steps=st.integers(1, 50), data=st.data())
def test_noise_and_decay_go_alike(name: str, pair: tuple[float, float], steps: int, data: st.DataObject) -> None:
    step = data.draw(st.integers(1, steps))
    course = variants.resolve("course", {"name": name, "begin": pair[0], "end": pair[1]})
    rate = noise.Rate(0.5, course=name, begin=pair[0], end=pair[1])  # type: ignore[arg-type]
    assert rate.at(None, step, steps) == 0.5 * course.at(progress.of(step, steps))
    assert rate.changes == course.changes
    assert course.changes or course.at(progress.of(step, steps)) == 1.0


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("given", [{"begin": 0.5, "end": 0.5}, {"begin": 0.6, "end": 0.4}, {"begin": 1.5}])
def test_what_is_no_part_of_a_training_is_refused(name: str, given: dict[str, float]) -> None:
    with pytest.raises(BadInput, match="begin"):
        variants.resolve("course", {"name": name, **given})
    with pytest.raises(BadInput, match="begin"):
        noise.Rate(0.1, course=name, **given)  # type: ignore[arg-type]


def test_the_choices_of_a_rate_are_those_of_the_catalogue() -> None:
    assert next(value for value in config.owned.of("noise", "dropout").values() if value.name == "course").type == (
        f"Literal[{', '.join(map(repr, NAMES))}]"
    )
