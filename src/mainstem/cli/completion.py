"""`mainstem completion SHELL`: a script that lets a shell complete commands, options and names.

All of it comes from the table of commands, the options of each and the fields of a run, so that nothing has to be kept.
"""

from __future__ import annotations

import importlib
import shlex
from collections.abc import Mapping
from typing import NamedTuple

from .. import catalogue, config
from ..config.sections import Section
from ..errors import BadInput
from . import help as help_text
from . import terminal
from .arguments import Asked, shown
from .commands import COMMANDS

_OWN = {"train": [shown(name) for name in help_text.TRAIN]}


class Options(Section, frozen=True, kw_only=True):
    """The command has none."""


class Words(NamedTuple):
    """What may stand where: `options` by command, `values` by option, `first` what a command takes besides files.

    `switches` are the options that stand alone.
    """

    options: Mapping[str, list[str]]
    values: Mapping[str, list[str]]
    first: Mapping[str, list[str]]
    switches: frozenset[str]


def run(asked: Asked) -> int:
    """Print the script; return the exit code."""
    asked.options(Options)
    (shell,) = asked.take(1, 1)
    if shell not in _SHELLS:
        raise BadInput(f"There is no completion for {shell[:60]!r}: give one of {', '.join(_SHELLS)}.")
    terminal.write(_SHELLS[shell](known()))
    return 0


def known() -> Words:
    """Return what may be completed, from commands, their options and the catalogue."""
    options: dict[str, list[str]] = {}
    values: dict[str, list[str]] = {"--help": list(help_text.SECTIONS), "--plan": list(help_text.PLANS)}
    switches = {flag for flags in _OWN.values() for flag in flags} - {"--budget", "--config", "--launch"}
    for name, command in COMMANDS.items():
        root = getattr(importlib.import_module(f".{command.module}", __package__), "Options", None)
        found = [
            *(config.fields(root) if root is not None else ()),
            *(config.fields(config.Run) if command.trains else ()),
        ]
        for kind in (root, config.Run):
            switches |= {shown(switch) for switch in (config.switches(kind) if kind is not None else ())}
        flags = [shown(field.name) for field in found]
        options[name] = list(dict.fromkeys(["--help", "-h", *_OWN.get(name, ()), *flags]))
        for field in found:
            chosen = [*field.choices] or _named(field.name)
            if chosen:
                values.setdefault(shown(field.name), chosen)
    first = {
        "lab": catalogue.names("experiment"), "list": list(catalogue.kinds()), "completion": list(_SHELLS),
        "help": list(COMMANDS),
    }  # fmt: skip
    return Words(options, values, first, frozenset(switches))


def _named(field: str) -> list[str]:
    """Return the names of the catalogue that a field takes."""
    kind = next((kind for kind, place in catalogue.FIELDS.items() if field in (place, f"{place}.name")), None)
    return [] if kind is None else catalogue.names(kind)


def bash(words: Words) -> str:
    """Return the script for bash, which is sourced."""
    return f"""# eval "$(mainstem completion bash)"
{_function(words)}
complete -o default -F _mainstem mainstem
"""


def zsh(words: Words) -> str:
    """Return the script for zsh, whose own module runs that of bash."""
    return f"""# eval "$(mainstem completion zsh)"
autoload -Uz compinit bashcompinit
(( $+functions[compdef] )) || compinit
bashcompinit
{_function(words)}
complete -o default -F _mainstem mainstem
"""


def fish(words: Words) -> str:
    """Return the script for fish: mainstem completion fish | source."""
    first = "complete -c mainstem -n 'test (count (commandline -opc)) -eq 1' -f"
    lines = [
        "# mainstem completion fish | source",
        "function __mainstem_is",
        "    set -l words (commandline -opc)",
        '    test (count $words) -gt 1; and test "$words[2]" = $argv[1]',
        "end",
        *(f"{first} -a {name} -d {shlex.quote(command.summary)}" for name, command in COMMANDS.items()),
        f"{first} -a help -d 'the options of a command'",
    ]
    for name in [*words.options, "help"]:
        here = f"complete -c mainstem -n '__mainstem_is {name}'"
        if name in words.first:
            lines.append(f"{here} -f -a {shlex.quote(' '.join(words.first[name]))}")
        for option in words.options.get(name, ()):
            if option.startswith("--"):
                lines.append(f"{here} -l {option[2:]}{_taken(name, option, words)}")
    return "\n".join(lines) + "\n"


def _taken(command: str, option: str, words: Words) -> str:
    """Return what an option takes, as fish is told: names, nothing, or a file or what else there is."""
    if option == "--help" and command != "train":
        return ""
    if option in words.values and option not in words.switches:
        return f" -x -a {shlex.quote(' '.join(words.values[option]))}"
    return "" if option in words.switches else " -r"


def _function(words: Words) -> str:
    values, options, first = (
        "\n".join(f"      {name}) words={shlex.quote(' '.join(found))} ;;" for name, found in table.items())
        for table in (words.values, words.options, words.first)
    )
    commands = shlex.quote(" ".join([*COMMANDS, "help"]))
    return f"""_mainstem() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}"
  local command="${{COMP_WORDS[1]}}" words=""
  case "$before" in
{values}
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    words={commands}
  elif [ -n "$words" ]; then
    :
  elif [ "${{current#-}}" != "$current" ]; then
    case "$command" in
{options}
    esac
  else
    case "$command" in
{first}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}"""


_SHELLS = {"bash": bash, "zsh": zsh, "fish": fish}
