"""What a shell makes of lines that are typed and completed with Tab: a script, as a fork wants a process of its own.

    python typed.py SHELL SCRIPT LINE ...

prints a JSON list with the command line behind each Tab. The shell is interactive, on a terminal of its own.
"""

from __future__ import annotations

import json
import os
import pty
import select
import sys
import time

_SECONDS = 30.0
_ASIDE = "\x18"
"""Ctrl-X, behind which the shell prints its command line between two signs and empties it."""

_READY = {
    "zsh": "source {script}; _told() {{ print -rn -- $'\\x01'\"$BUFFER\"$'\\x02'; zle .kill-buffer }}; zle -N _told; "
    "bindkey '^X' _told; print -n $'\\x03'\n",
}


def main() -> None:
    shell, script, *lines = sys.argv[1:]
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="dumb", PS1="", HISTFILE="")
        os.execvp(shell, [shell, "-f", "-i"])
    try:
        os.write(terminal, _READY[shell].format(script=script).encode())
        _until(terminal, b"\x03")
        found = []
        for line in lines:
            os.write(terminal, f"{line}\t{_ASIDE}".encode())
            found.append(_until(terminal, b"\x02").rpartition(b"\x01")[2].decode())
        print(json.dumps(found))
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def _until(terminal: int, end: bytes) -> bytes:
    """Return what the terminal shows until `end`."""
    shown, limit = b"", time.monotonic() + _SECONDS
    while end not in shown:
        ready, _, _ = select.select([terminal], [], [], max(0.0, limit - time.monotonic()))
        if not ready:
            raise TimeoutError(shown.decode(errors="replace"))
        shown += os.read(terminal, 4096)
    return shown.partition(end)[0]


if __name__ == "__main__":
    main()
