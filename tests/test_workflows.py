"""The workflow that builds wheels is one that GitHub and cibuildwheel would take: no run of it stands behind this.

Keys, actions and options are those of their documentation: docs.github.com, "Workflow syntax for GitHub Actions", and
cibuildwheel 4's docs/options.md and its schema.
"""

import copy
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mainstem import ops

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / ".github/workflows/wheels.yml"

TOP = {"name", "on", "permissions", "jobs", "env", "defaults", "concurrency"}
JOB = {"name", "needs", "runs-on", "if", "strategy", "defaults", "env", "steps", "permissions", "timeout-minutes"}
STEP = {"name", "id", "if", "uses", "with", "run", "shell", "env", "working-directory", "timeout-minutes"}
RUNNERS = {"ubuntu-latest", "ubuntu-24.04-arm", "macos-latest", "windows-latest"}
ACTIONS = {
    "actions/checkout@v6": set(),
    "actions/setup-python@v6": {"python-version"},
    "actions/upload-artifact@v7": {"name", "path"},
    "actions/download-artifact@v8": {"name", "path"},
}
"""Those that run on Node 24, as Node 20 is gone from runners, and what is given to them."""

PLACED = {"ARCHS", "BUILD", "SKIP", "ENVIRONMENT", "BEFORE_ALL", "BEFORE_BUILD", "BEFORE_TEST", "REPAIR_WHEEL_COMMAND",
          "TEST_COMMAND", "TEST_REQUIRES", "TEST_EXTRAS", "TEST_SKIP", "TEST_ENVIRONMENT", "CONFIG_SETTINGS",
          "BUILD_FRONTEND", "BUILD_VERBOSITY"}  # fmt: skip
OPTIONS = {f"CIBW_{name}{place}" for name in PLACED for place in ("", "_LINUX", "_MACOS", "_WINDOWS")} | {
    "CIBW_PLATFORM", "CIBW_ENABLE", "CIBW_MANYLINUX_X86_64_IMAGE", "CIBW_MANYLINUX_AARCH64_IMAGE",
}  # fmt: skip


def read():
    found = yaml.safe_load(FILE.read_text())
    found["on"] = found.pop(True)  # which is how YAML 1.1 reads it
    return found


def filled(text, row):
    """Return `text` with what a row of the matrix gives."""
    return re.sub(r"\$\{\{ matrix\.(\w+) \}\}", lambda found: str(row[found[1]]), text)


def problems(flow):
    """Yield what neither GitHub nor cibuildwheel would take."""
    yield from (f"key {key}" for key in set(flow) - TOP)
    uploaded = {}
    for name, job in flow["jobs"].items():
        yield from (f"{name}: key {key}" for key in set(job) - JOB)
        needs = [job.get("needs", [])] if isinstance(job.get("needs"), str) else job.get("needs", [])
        yield from (f"{name}: needs {other}" for other in needs if other not in flow["jobs"])
        rows = job.get("strategy", {}).get("matrix", {}).get("include", [{}])
        given = set.intersection(*(set(row) for row in rows))
        asked = set(re.findall(r"\$\{\{ matrix\.(\w+) \}\}", repr(job)))
        yield from (f"{name}: matrix.{key}" for key in asked - given)
        if asked - given:
            continue
        for row in rows:
            if (runner := filled(job["runs-on"], row)) not in RUNNERS:
                yield f"{name}: runner {runner}"
            for step in job["steps"]:
                uses = step.get("uses", "").partition("@")[0]
                artifact = filled(step.get("with", {}).get("name", ""), row)
                if uses == "actions/upload-artifact":
                    if artifact in uploaded:
                        yield f"{name}: {artifact} is uploaded twice"
                    uploaded[artifact] = name
                elif uses == "actions/download-artifact" and uploaded.get(artifact) not in needs:
                    yield f"{name}: {artifact} is not there"
        for step in job["steps"]:
            yield from (f"{name}: key {key}" for key in set(step) - STEP)
            if ("uses" in step) == ("run" in step):
                yield f"{name}: a step that uses and runs, or neither"
            if "uses" in step and set(step.get("with", {})) - ACTIONS.get(step["uses"], set()):
                yield f"{name}: {step['uses']} with {sorted(step.get('with', {}))}"
            if "uses" in step and step["uses"] not in ACTIONS:
                yield f"{name}: {step['uses']}"
            options = {key for key in step.get("env", {}) if key.startswith("CIBW_")}
            yield from (f"{name}: option {key}" for key in options - OPTIONS)
            if "cibuildwheel" in step.get("run", ""):
                if not re.search(r"cibuildwheel==4\.\d+\.\d+ ", step["run"]):
                    yield f"{name}: cibuildwheel is not pinned"
                if not {"CIBW_BUILD", "CIBW_TEST_COMMAND"} <= options:
                    yield f"{name}: wheels of every Python, or none that is tried"


def step_of(flow, job, word):
    return next(step for step in flow["jobs"][job]["steps"] if word in str(step.get("run", step.get("uses"))))


def changed(job, word, **values):
    def change(flow):
        step_of(flow, job, word).update(values)

    return change


def put(*path, value):
    def change(flow):
        at = flow
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value

    return change


FAULTS = {
    "key permission": put("permission", value={}),
    "wheels: key run-on": put("jobs", "wheels", "run-on", value="x"),
    "wheels: needs source": put("jobs", "wheels", "needs", value="source"),
    "wheels: sdist is not there": put("jobs", "wheels", "needs", value=[]),
    "wheels: matrix.os": put("jobs", "wheels", "runs-on", value="${{ matrix.os }}"),
    "plain: runner windows": put("jobs", "plain", "runs-on", value="windows"),
    "sdist: a step that uses and runs, or neither": changed("sdist", "checkout", run="true"),
    "sdist: actions/checkout@v4": changed("sdist", "checkout", uses="actions/checkout@v4"),
    "sdist: actions/upload-artifact@v7 with ['name', 'paths']": changed(
        "sdist", "upload", **{"with": {"name": "sdist", "paths": "dist"}}
    ),
    "wheels: sdist is uploaded twice": changed("wheels", "upload", **{"with": {"name": "sdist", "path": "x"}}),
    "wheels: option CIBW_TESTS": changed(
        "wheels", "cibuildwheel", env={"CIBW_BUILD": "cp312-*", "CIBW_TEST_COMMAND": "true", "CIBW_TESTS": "true"}
    ),
    "wheels: cibuildwheel is not pinned": changed("wheels", "cibuildwheel", run="pipx run cibuildwheel dist/*"),
    "wheels: wheels of every Python, or none that is tried": changed("wheels", "cibuildwheel", env={}),
}


def test_the_workflow_has_no_fault():
    assert list(problems(read())) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_would_be_seen(fault):
    flow = copy.deepcopy(read())
    FAULTS[fault](flow)
    assert fault in list(problems(flow))


def test_the_wheel_is_of_a_python_that_the_package_takes():
    built = step_of(read(), "wheels", "cibuildwheel")["env"]["CIBW_BUILD"]
    oldest = re.search(r'requires-python = ">=3\.(\d+)"', (ROOT / "pyproject.toml").read_text())[1]
    assert int(re.fullmatch(r"cp3(\d+)-\*", built)[1]) >= int(oldest)


@pytest.mark.parametrize(("job", "word"), [("wheels", "cibuildwheel"), ("plain", "import torch")])
def test_what_is_tried_of_a_wheel_runs(job, word, tmp_path):
    """Here it is this environment, whose kernels are built, in the place of the one with the wheel."""
    if job == "wheels" and ops.info()["implementation"] != "cpu":
        pytest.skip("kernels are not built here")
    step = step_of(read(), job, word)
    program, *rest = shlex.split(step["env"]["CIBW_TEST_COMMAND"] if job == "wheels" else step["run"])
    assert program == "python"
    subprocess.run([sys.executable, *rest], check=True, cwd=tmp_path, capture_output=True)


def test_kernels_that_are_not_there_fail_it(tmp_path):
    _program, flag, code = shlex.split(step_of(read(), "wheels", "cibuildwheel")["env"]["CIBW_TEST_COMMAND"])
    without = f"from mainstem.ops import library; library.load = lambda: 'gone'\n{code}"
    found = subprocess.run([sys.executable, flag, without], check=False, cwd=tmp_path, capture_output=True, text=True)
    assert found.returncode == 1 and "AssertionError" in found.stderr
