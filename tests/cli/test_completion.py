"""What a shell completes is what the commands take: tried in bash itself, as a person who presses Tab."""

import re
import shutil
import subprocess

import pytest

from mainstem import catalogue, config
from mainstem.cli import completion
from mainstem.cli.arguments import shown
from mainstem.cli.commands import COMMANDS
from mainstem.cli.main import main

BASH = shutil.which("bash")


def completed(script, *words):
    """What bash offers for the last of the words."""
    line = f'{script}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _mainstem; printf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run([BASH, "-c", line, "bash", "mainstem", *words], capture_output=True, text=True, check=True)
    assert not done.stderr
    return done.stdout.split()


@pytest.fixture(scope="module")
def script():
    return completion.bash(completion.known())


@pytest.mark.skipif(BASH is None, reason="needs bash")
def test_bash_offers_commands_options_and_names(script):
    assert completed(script, "") == [*COMMANDS, "help"]
    assert completed(script, "tr") == ["train"]
    assert completed(script, "train", "--model.resi")[0] == "--model.residual"
    assert completed(script, "train", "--optim.sched")[0] == "--optim.schedule"
    assert "hyper" in completed(script, "train", "--model.residual", "")
    assert completed(script, "train", "--model.residual", "pre_n") == ["pre_norm"]
    assert completed(script, "lab", "vani") == ["vanishing"]
    assert completed(script, "list", "optimi") == ["optimizer"]
    assert completed(script, "completion", "") == ["bash", "zsh", "fish"]
    assert completed(script, "sample", "--pro") == ["--prompt"]
    assert completed(script, "evaluate", "--device", "c") == ["cpu", "cuda"]
    assert completed(script, "train", "") == []  # files, by -o default
    assert completed(script, "train", "--help", "opt") == ["optim"]
    assert completed(script, "train", "--plan", "") == ["all"]
    assert completed(script, "train", "--plan", "corp") == []  # files, by -o default


def test_every_option_of_every_command_is_offered_and_no_other():
    known = completion.known()
    run = {shown(field.name) for field in config.fields(config.Run)}
    assert run <= set(known.options["train"]) and run <= set(known.options["lab"])
    assert set(known.options["train"]) - run == {
        "--help",
        "-h",
        "--budget",
        "--resume",
        "--plan",
        "--config",
        "--json",
        "--launch",
    }
    assert set(known.options["report"]) == {"--help", "-h", "--out"}
    assert set(known.options) == set(COMMANDS)
    assert known.values["--optim.schedule"] == catalogue.names("schedule")
    for option in known.values:
        assert option == "--help" or any(option in found for found in known.options.values())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell, capsys):
    assert main(["completion", shell]) == 0
    text = capsys.readouterr().out
    for word in (*COMMANDS, "model.residual", "hyper", "num-tokens"):
        assert re.search(rf"\b{re.escape(word)}\b", text), word


def test_another_shell_is_refused(capsys):
    assert main(["completion", "tcsh"]) == 2
    assert "There is no completion for 'tcsh': give one of bash, zsh, fish." in capsys.readouterr().err
    assert main(["completion"]) == 2
    assert main(["completion", "--help"]) == 0
