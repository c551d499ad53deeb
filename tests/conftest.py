"""What all tests share: a browser where one is needed, and how many examples property tests take."""

import os
from collections.abc import Iterator
from pathlib import Path

import browser
import hypothesis
import pytest
from hypothesis.database import DirectoryBasedExampleDatabase

from mainstem.cli import threads

HERE = Path(__file__).parent

threads.wait_politely()  # tests run beside other programs too

# No deadline: a shared machine is slow now and then. `make test` takes the same examples every time, `make fuzz` new
# ones and many more, and once more those that failed; it says so, as a profile has what it does not say from the one
# before.
hypothesis.settings.register_profile("default", deadline=None, derandomize=True, max_examples=50)
hypothesis.settings.register_profile(
    "fuzz",
    deadline=None,
    derandomize=False,
    max_examples=3000,
    print_blob=True,
    database=DirectoryBasedExampleDatabase(".hypothesis/examples"),
)
hypothesis.settings.load_profile("fuzz" if os.environ.get("MAINSTEM_FUZZ") else "default")


@pytest.fixture(scope="module", autouse=True)
def short_texts(request: pytest.FixtureRequest) -> Iterator[None]:
    """A run writes three texts of 5 tokens at its end, not of 120, which take most of the time of so small a run."""
    if request.path.relative_to(HERE).parts[0] not in ("cli", "damage", "lab", "runs", "train"):
        yield
        return
    from mainstem.train import samples

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples, "_LENGTH", 5)
        yield


@pytest.fixture(scope="module")
def tab() -> Iterator[browser.Page]:
    """A tab of a real browser; without one the test is skipped, or fails where MAINSTEM_REQUIRE_BROWSER is 1."""
    if (reason := browser.missing()) is not None:
        if os.environ.get(browser.REQUIRED) == "1":
            pytest.fail(f"{reason}, and {browser.REQUIRED}=1 asks for them")
        pytest.skip(f"{reason}: install chromium and chromium-driver to run the tests in a browser")
    with browser.browser() as found:
        yield found
