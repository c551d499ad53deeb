"""What all tests share: a browser where one is needed, and how many examples property tests take."""

import os
import shutil

import hypothesis
import pytest

# No deadline: a shared machine is slow now and then. `make test` takes the same examples every time, `make fuzz` new
# ones and many more.
hypothesis.settings.register_profile("default", deadline=None, derandomize=True, max_examples=50)
hypothesis.settings.register_profile("fuzz", deadline=None, max_examples=3000, print_blob=True)
hypothesis.settings.load_profile("fuzz" if os.environ.get("MAINSTEM_FUZZ") else "default")


@pytest.fixture(scope="session")
def chromium() -> str:
    """Return the path of chromium; without it the test is skipped, or fails where MAINSTEM_REQUIRE_BROWSER is set."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is not None:
        return found
    if os.environ.get("MAINSTEM_REQUIRE_BROWSER"):
        pytest.fail("there is no chromium, and MAINSTEM_REQUIRE_BROWSER asks for it")
    pytest.skip("there is no chromium")
