"""Every command of README.md, typed from top to bottom in a fresh copy of the repository, ends well.

What is not as a reader has it, and no more than that:

- `.venv` borrows the packages that run this test, so nothing is downloaded; `.ci/run` installs from nothing.
- The reader's own files are small: corpus.txt and other.txt, two configurations a.yaml and b.yaml, and run.yaml as the
  page shows it, with a smaller model.
- Trainings and tests are made shorter by what `SHORTER` adds to a line, one line is another (`INSTEAD`), and one is
  left out (`LEFT_OUT`).

`make readme` takes some minutes, so it is not part of `make test`.
"""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from code_blocks import ROOT, blocks

pytestmark = pytest.mark.slow

SHORTER = {
    "make train": ' ARGS="--train.budget 10s"',
    "make test": ' ARGS="tests/test_errors.py tests/config/test_relations.py"',
    "mainstem train corpus.txt": " --train.budget 8s",
}
"""By how a line begins, what is added at its end."""

INSTEAD = {"mainstem lab vanishing --budget 2m": "mainstem lab vanishing --seeds 1"}
"""How much fits into two minutes depends on the machine, and on what else it does."""

MARK = "line of the README: "
"""Stands before what each line says, and in nothing that one says."""

LEFT_OUT = "mainstem lab --all"
"""Takes a quarter of an hour, for what the line before it does for one name."""


def typed(line: str) -> str:
    """Return what is typed for `line`."""
    more = next((more for begin, more in SHORTER.items() if line.startswith(begin)), "")
    return INSTEAD.get(line, line + more)


def commands() -> list[str]:
    """Return the lines of all blocks, in order."""
    shell = [block.text for block in blocks(ROOT / "README.md") if block.language == "sh"]
    return [line for text in shell for line in text.splitlines() if not line.startswith(LEFT_OUT)]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a copy of what is or would be tracked, with a `.venv` that finds the packages of this one."""
    copy = tmp_path / "mainstem"
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    venv.create(copy / ".venv", symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(copy / ".venv")}))
    borrowed = [str(copy / "src"), *(path for path in sys.path if "site-packages" in path)]
    (packages / "borrow.pth").write_text("\n".join(borrowed) + "\n")
    script = copy / ".venv" / "bin" / "mainstem"
    script.write_text(f"#!{copy}/.venv/bin/python\nfrom mainstem.cli.main import main\nraise SystemExit(main())\n")
    script.chmod(0o755)
    (copy / ".venv" / ".installed").touch()
    return copy


def _files(folder: Path) -> None:
    """Write what a reader has: two texts and three configurations."""
    words = [
        word for path in sorted((ROOT / "docs" / "guide" / "en").glob("*.md")) for word in path.read_text().split()
    ]
    text = " ".join(words)
    (folder / "corpus.txt").write_text(text[:100_000] + "\ndef the river(self):\n" * 20)
    (folder / "other.txt").write_text(text[1000:4000])
    (run,) = [block.text for block in blocks(ROOT / "README.md") if block.language == "yaml"]
    (folder / "run.yaml").write_text(run.replace("preset: micro", "preset: nano"))
    small = "data: {paths: [corpus.txt]}\nmodel: {layers: 1, width: 16, heads: 2, context: 16}\n"
    for name, rate in (("a", 0.0), ("b", 0.2)):
        length = "train: {steps: 5}\nevaluate: {every: 5}\n"
        (folder / f"{name}.yaml").write_text(f"{small}{length}noise: {{rate: {rate}}}\n")


def test_every_command_ends_well_where_it_stands(clone: Path, tmp_path: Path) -> None:
    _files(clone)
    lines = commands()
    assert len(lines) > 15
    script = "".join(f"echo {MARK}{number} $SECONDS s\n{typed(line)} || exit 1\n" for number, line in enumerate(lines))
    here = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH", "MAKEFLAGS")}
    done = subprocess.run(
        ["bash"], input=script, text=True, cwd=clone, capture_output=True, check=False,
        env={**here, "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    last = done.stdout.rpartition(MARK)[2]
    number = int(last.split()[0])
    assert done.returncode == 0, f"{lines[number]!r} ended badly:\n{last[-2000:]}\n{done.stderr[-3000:]}"
    assert number == len(lines) - 1
    assert "Traceback" not in done.stderr
