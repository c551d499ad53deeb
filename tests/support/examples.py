"""How many examples a property takes of which a single one takes long."""

import hypothesis


def one_in(number: int) -> hypothesis.settings:
    """Return the settings by which a property takes one in `number` of the examples that others take, at least five.

    The profile that tests/conftest.py has loaded says how many those are: `make fuzz` takes many more of them.
    """
    return hypothesis.settings(max_examples=max(5, hypothesis.settings().max_examples // number))
