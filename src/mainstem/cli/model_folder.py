"""A folder that holds a model made from that of a run, which every command takes as a run's."""

from __future__ import annotations

import os
import shutil
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
        raise BadInput(f"{what} needs a folder: give one, as in --out {proposed}.")
    if os.path.lexists(out):
        raise BadInput(f"--out {out!r} is there already: give the name of a new folder.")
    files.check_folder(Path(out))
    return Path(out)


def write(
    out: Path, folder: Path, model: Network, known: dict[str, Any], last: bool, prior: Prior | None = None
) -> None:
    """Write what a model needs to be loaded, the weights last; all but these and `known` facts are those of `folder`.

    `last` is whether the weights are of its last step; `prior` are counts that the model is mixed with.
    """
    import msgspec

    from ..counts import stored
    from ..runs import checkpoint, facts, publish, weights
    from ..runs.disk import disk

    source = folder / "last" if last else folder
    about: dict[str, Any] = msgspec.json.decode((source / "config.json").read_bytes())
    with disk("the model", out):
        out.mkdir()
        for name in _TOGETHER:
            shutil.copyfile(folder / name, out / name)
        facts.write(out / facts.NAME, known)
        about["model"] = model.config()
        files.write_atomic(out / "config.json", msgspec.json.format(msgspec.json.encode(about), indent=1) + b"\n")
        metadata = msgspec.json.encode({"version": publish.VERSION, "step": about.get("step")}).decode()
        entry = files.write_atomic(out / "model.safetensors", checkpoint.pack(weights.take(model), metadata))
        if prior is not None:
            prior.about = msgspec.structs.replace(prior.about, model=entry.sha256)
            stored.save(out, prior)
