"""A folder that holds a model made from that of a run, which every command takes as a run's."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import files
from ..errors import BadInput

if TYPE_CHECKING:
    from ..counts import Prior
    from ..model import Network

_TOGETHER = ("config.yaml", "vocabulary.json")


def new(out: str | None, what: str, proposed: str) -> Path:
    """Return the folder that --out names, which is not there yet; `what` is to be written, `proposed` is a name.

    Raises:
        BadInput: no name, or one that is there or that cannot be made.
    """
    if out is None:
        raise BadInput(f"{what} needs a folder: give one, as in --out {shlex.quote(proposed)}.")
    _check_new(Path(out), out)
    files.check_folder(Path(out))
    return Path(out)


def write(
    out: Path, folder: Path, model: Network, known: dict[str, Any], last: bool, prior: Prior | None = None
) -> None:
    """Write what a model needs to be loaded, all or nothing; all but weights and `known` facts is that of `folder`.

    `last` is whether the weights are of its last step; `prior` are counts that the model is mixed with.

    Raises:
        BadInput: another process has made `out` meanwhile, or it cannot be written; `RunFailed` where the disk is full.
    """
    import msgspec

    from ..counts import stored
    from ..runs import checkpoint, facts, publish, weights

    source = folder / "last" if last else folder
    about: dict[str, Any] = msgspec.json.decode((source / "config.json").read_bytes())
    about = {name: value for name, value in about.items() if name in ("version", "task")}
    about["model"] = model.config()
    metadata = publish.metadata(publish.step(source / "model.safetensors"))
    together = {name: (folder / name).read_bytes() for name in _TOGETHER}
    files.make_folder(out.parent)
    try:
        with files.new_folder(out) as new:
            for name, data in together.items():
                files.write_synced(new / name, data)
            facts.write(new / facts.NAME, known)
            files.write_synced(new / "config.json", msgspec.json.format(msgspec.json.encode(about), indent=1) + b"\n")
            entry = files.write_synced(new / "model.safetensors", checkpoint.pack(weights.take(model), metadata))
            if prior is not None:
                prior.about = msgspec.structs.replace(prior.about, model=entry.sha256)
                stored.save(new, prior)
            _check_new(out, str(out))
    except OSError as error:
        raise files.cannot(out, error) from None


def _check_new(out: Path, said: str) -> None:
    if os.path.lexists(out):
        raise BadInput(f"--out {said!r} is there already: give the name of a new folder.")
