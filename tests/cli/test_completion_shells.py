"""What zsh and fish complete, in these shells themselves."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mainstem import catalogue
from mainstem.cli import completion
from mainstem.cli.commands import COMMANDS

FISH, ZSH = shutil.which("fish"), shutil.which("zsh")
TYPED = Path(__file__).resolve().parents[1] / "support" / "typed.py"


@pytest.fixture(scope="module")
def scripts(tmp_path_factory):
    """A folder with the script of each shell, as `mainstem completion` prints it."""
    folder, known = tmp_path_factory.mktemp("scripts"), completion.known()
    (folder / "zsh").write_text(completion.zsh(known))
    (folder / "fish").write_text(completion.fish(known))
    return folder


@pytest.mark.skipif(ZSH is None, reason="needs zsh")
def test_zsh_completes_commands_options_names_and_files(scripts):
    wanted = {
        "mainstem tra": "mainstem train ",
        "mainstem hel": "mainstem help ",
        "mainstem train --model.resi": "mainstem train --model.residual",  # whose values have fields of their own
        "mainstem train --model.residual pre_n": "mainstem train --model.residual pre_norm ",
        "mainstem train --evaluate.ev": "mainstem train --evaluate.every ",
        "mainstem lab vani": "mainstem lab vanishing ",
        "mainstem lab --bud": "mainstem lab --budget ",
        "mainstem list optimi": "mainstem list optimizer ",
        "mainstem sample --pro": "mainstem sample --prompt ",
        "mainstem evaluate --device cu": "mainstem evaluate --device cuda ",
        "mainstem train --help opt": "mainstem train --help optim ",
        f"mainstem train {scripts}/zs": f"mainstem train {scripts}/zsh ",
        f"mainstem train --out {scripts}/zs": f"mainstem train --out {scripts}/zsh ",
    }
    line = [sys.executable, "-I", str(TYPED), "zsh", str(scripts / "zsh"), *wanted]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert dict(zip(wanted, json.loads(done.stdout), strict=True)) == wanted


def fished(scripts, *lines):
    """What fish offers behind each of the lines, without what it says of it."""
    words = f"source {scripts}/fish\n" + "".join(f"complete -C '{line}'\necho ----\n" for line in lines)
    done = subprocess.run([FISH, "--no-config", "-c", words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and not done.stderr, done.stderr
    parts = done.stdout.split("----\n")[:-1]
    return [[row.split("\t")[0] for row in part.splitlines()] for part in parts]


@pytest.mark.skipif(FISH is None, reason="needs fish")
def test_fish_completes_commands_options_names_and_files(scripts):
    wanted = {
        "mainstem ": sorted([*COMMANDS, "help"]),
        "mainstem tra": ["train"],
        "mainstem help tra": ["train"],
        "mainstem train --evaluate.ev": ["--evaluate.every"],
        "mainstem train --model.residual pre_n": ["pre_norm"],
        "mainstem train --model.residual ": sorted(catalogue.names("residual")),
        "mainstem lab vani": ["vanishing"],
        "mainstem list optimi": ["optimizer"],
        "mainstem list ": sorted(catalogue.kinds()),
        "mainstem list lab": [],
        "mainstem sample --pro": ["--prompt"],
        "mainstem evaluate --device cu": ["cuda"],
        "mainstem train --help opt": ["optim"],
        f"mainstem train {scripts}/zs": [f"{scripts}/zsh"],
        f"mainstem train --out {scripts}/zs": [f"{scripts}/zsh"],
        f"mainstem report lab {scripts}/zs": [f"{scripts}/zsh"],
    }
    assert dict(zip(wanted, map(sorted, fished(scripts, *wanted)), strict=True)) == wanted
