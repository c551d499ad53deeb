"""The table of commands: where each is, how it is written, what it does."""

from __future__ import annotations

from typing import NamedTuple


class Command(NamedTuple):
    """`module` is imported when the command is called, and its ``run`` returns the exit code.

    A module with a section `Options` has ``run(asked)`` with the parts of the command line, and the help that its
    options make; one without has ``run(words)``. `trains` is whether the fields of a run are options too, `alone`
    whether the command trains in one process, and refuses to be one of several.
    """

    module: str
    usage: str
    summary: str
    trains: bool = False
    alone: bool = False


COMMANDS = {
    "train": Command(
        "train",
        "train [FILES] [--out RUN] [OPTIONS]",
        "train a model on files or folders, or go on with a run",
        trains=True,
    ),
    "evaluate": Command(
        "evaluate", "evaluate RUN [FILES] [OPTIONS]", "the loss of a run's model on other files, or on its own"
    ),
    "sample": Command("sample", "sample RUN [--prompt TEXT] [OPTIONS]", "text that a run's model writes"),
    "report": Command(
        "report",
        "report RUN [RUN ...] [--out FILE]",
        "write a run's report.html again; of several, a page below runs that compares them, or at --out",
    ),
    "prune": Command(
        "prune",
        "prune RUN --out DIR",
        "a smaller model, without the hidden units and heads that a group lasso made zero",
    ),
    "soup": Command(
        "soup", "soup RUN RUN [RUN ...] --out DIR", "one model of the mean weights of several runs of one model"
    ),
    "probe": Command("probe", "probe RUN [OPTIONS]", "what happens inside a run's model, and what is wrong, as a page"),
    "lab": Command(
        "lab",
        "lab [NAME | --all] [--budget 2m] [OPTIONS]",
        "put the textbook's claims to the test, with a verdict",
        trains=True,
        alone=True,
    ),
    "compare": Command(
        "compare",
        "compare A.yaml [B.yaml ...] [--vary NAME=A,B,...] [OPTIONS]",
        "which configuration is better than the first one, over seeds",
        trains=True,
        alone=True,
    ),
    "crash": Command(
        "crash",
        "crash --command TEXT --compare FILES [--resume TEXT] [OPTIONS]",
        "kill any trainer again and again, and see what it loses",
    ),
    "list": Command(
        "list", "list [KIND] [--schema | --measure]", "every name that a configuration may say, or those of one kind"
    ),
    "doctor": Command("doctor", "doctor", "what this machine has, and what is missing"),
    "completion": Command(
        "completion", "completion SHELL", "a script by which bash, zsh or fish completes commands, options and names"
    ),
}
