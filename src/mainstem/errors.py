"""The two ways in which mainstem gives up; the command line turns each into one sentence and an exit code."""

import os
import shlex


class BadInput(ValueError):
    """What the user gave cannot be used (exit code 2).

    The message is one or two sentences: the value received, then the remedy.
    """


class RunFailed(RuntimeError):
    """A run that had begun cannot go on (exit code 1), through no fault of its configuration: say, a full disk."""


def reason(error: Exception) -> str:
    r"""Return what another library's `error` says as a part of a sentence: one line of at most 200 characters.

    torch's errors may have a page of its own calls below what they say.

    Example:
        >>> reason(ValueError("no size.\nframe #0: of torch"))
        'no size. frame #0: of torch'
        >>> len(reason(ValueError("frame " * 1000)))
        200
    """
    return " ".join(str(error).split())[:200].strip().removesuffix(".")


def command(*words: "str | os.PathLike[str]") -> str:
    r"""Return a command of ours as a remedy to be copied, in one line, quoted as a shell wants it.

    Example:
        >>> command("train", "--resume", "my runs/first")
        "mainstem train --resume 'my runs/first'"
        >>> print(command("sample", "two\nlines"))
        mainstem sample $'two\x0alines'
    """
    return " ".join(["mainstem", *(_quoted(os.fspath(word)) for word in words)])


def _quoted(word: str) -> str:
    """Return `word` as bash, zsh and ksh read it; what moves a cursor by its bytes."""
    if word.isprintable():
        return shlex.quote(word)
    parts = (c if c.isprintable() and c not in "'\\" else _bytes(c) for c in word)
    return f"$'{''.join(parts)}'"


def _bytes(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
