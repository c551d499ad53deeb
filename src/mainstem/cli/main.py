"""The command `mainstem`: finds the command's module and turns what it raises into a sentence and an exit code.

0 done, 1 the run failed, 2 bad input or usage, 129 hung up, 130 interrupted, 143 terminated. An unexpected exception
is a bug: its traceback is shown.
"""

from __future__ import annotations

import difflib
import errno
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from .. import __version__, errors, files
from ..errors import BadInput, RunFailed
from . import processes, terminal, threads
from .commands import COMMANDS

_FULL = {errno.ENOSPC, errno.EDQUOT}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (that of the process) and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    threads.wait_politely()
    if foreign := [] if _utf8() else [word for word in words if "\udc80" <= max(word, default="") <= "\udcff"]:
        return _outside(os.fsencode(foreign[0]).decode("utf-8", "backslashreplace"))
    try:
        code = _dispatch(words)
        terminal.flush()
    except (BadInput, RunFailed) as error:
        from .style import styled

        code = 2 if isinstance(error, BadInput) else 1
        return code if processes.silent() else _refuse(styled(str(error), words), code)
    except BrokenPipeError:  # `| head -1` has read what it wanted
        terminal.to_nowhere()
        return 0
    except KeyboardInterrupt:
        return _refuse("Interrupted.", 130)
    except OSError as error:
        return _disk(error)
    except UnicodeEncodeError as error:
        if _utf8():
            raise
        return _outside(error.object)
    return code


def _dispatch(words: list[str]) -> int:
    name = words[0] if words else None
    if name == "help" and len(words) > 1:  # `mainstem help train optim` is `mainstem train --help optim`
        name, words = words[1], [words[1], "--help", *words[2:]]
    if name in ("--help", "-h", "help"):
        from . import help as help_text

        for line in help_text.commands():
            terminal.line(line)
        return 0
    if name in ("--version", "-V"):
        terminal.line(f"mainstem {__version__}")
        return 0
    if name is None:
        raise BadInput("No command was given: begin with `mainstem train FILE`, or see `mainstem --help`.")
    if name not in COMMANDS:
        raise _unknown(name)
    if sys.platform == "win32":
        raise BadInput(
            "The command runs on Linux and macOS: use it in WSL. On Windows itself the parts for Python work, such as "
            "`from mainstem import Residual`."
        )
    _check_working_folder()
    if COMMANDS[name].alone and not processes.alone():
        return 2
    return _run(name, words[1:])


def _check_working_folder() -> None:
    """Refuse to work in a folder that has been deleted: no path can be followed there, and MKL ends the process."""
    try:
        os.getcwd()
    except OSError as error:
        raise BadInput(
            f"The working folder has been deleted or cannot be read ({error.strerror or error}): go to another one, "
            "and give the command again."
        ) from None


def _run(name: str, words: list[str]) -> int:
    """Call the command's module: with the parts of its words, or for help, where it says what its options are."""
    command = COMMANDS[name]
    module: Any = importlib.import_module(f".{command.module}", __package__)
    if not hasattr(module, "Options"):
        return int(module.run(words))
    from .. import config
    from . import arguments
    from . import help as help_text

    switches = config.switches(module.Options) | (config.switches(config.Run) if command.trains else frozenset())
    fields = [*config.fields(module.Options), *(config.fields(config.Run) if command.trains else ())]
    given = arguments.parts(words, [field.name for field in fields], name, switches)
    word = next((text for flag, text in given.flags if flag == "help"), None)
    if word is None:
        return int(module.run(arguments.Asked(name, words, given)))
    for line in help_text.of(name, module.Options, word):
        terminal.line(line)
    return 0


def _unknown(name: str) -> BadInput:
    """Say what to type in place of a command that there is not: the one meant, help on a field, or the nearest."""
    from .. import config
    from ..config.synonyms import command, ours

    word, fields = name.lstrip("-"), [field.name for field in config.fields(config.Run)]
    parts = {part for field in fields for part in field.split(".")}
    meant = command(word)
    if meant is None and (word.replace("-", "_") in parts or ours(word, fields)):
        meant = errors.command("train", "--help", word)
    if meant is None:
        meant = next((f"mainstem {near}" for near in difflib.get_close_matches(word, COMMANDS, 1)), None)
    remedy = f"did you mean `{meant}`?" if meant else f"give one of {', '.join(COMMANDS)}."
    return BadInput(f"{name[:60]!r} is not a command: {remedy}")


def _disk(error: OSError) -> int:
    """Say what the system refuses; an error about no file is none of the surroundings', and goes on its way."""
    if error.errno in _FULL:
        terminal.to_nowhere()
        where = f" at {error.filename!r}" if error.filename else ""
        return _refuse(f"The disk is full{where}: make room, and give the same command again.", 1)
    if not isinstance(error.filename, str | bytes | os.PathLike):
        raise error
    where, why = files.shown(os.fsdecode(error.filename)), error.strerror or error
    return _refuse(f"{where} cannot be used ({why}): see that it is there, and that you may read and write it.", 1)


def _utf8() -> bool:
    """Return whether words and names of files may be any text, as they are nearly everywhere."""
    return sys.getfilesystemencoding().replace("-", "").lower() == "utf8"


def _outside(name: str) -> int:
    return _refuse(
        f"{name[:60]!r} cannot be written in {sys.getfilesystemencoding()}, the encoding of this terminal: give the "
        "same command again with PYTHONUTF8=1 in front of it.",
        2,
    )


def _refuse(error: object, code: int) -> int:
    try:
        terminal.flush()
    except OSError:
        terminal.to_nowhere()
    terminal.error(str(error))
    return code
