"""`mainstem prune RUN --out DIR`: a run's model without what a group lasso made zero. May import everything, late."""

from __future__ import annotations

import os
import shutil
import statistics
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

from .. import config, files
from ..config.sections import Section, Text, about
from ..errors import BadInput, command
from . import arguments, terminal
from . import help as help_text
from .commands import COMMANDS

if TYPE_CHECKING:
    from ..loaded import LoadedRun
    from ..model import LanguageModel
    from ..model.pruned import Pruned

_TOGETHER = ("config.yaml", "vocabulary.json")


class Options(Section, frozen=True, kw_only=True):
    """What the command's flags say."""

    out: Annotated[Text | None, about("the new folder of the smaller model", "required")] = None
    last: Annotated[bool, about("the weights of the last step instead of the best")] = False


def run(words: list[str]) -> int:
    """Write the smaller model, and say what was won; return the exit code."""
    given = arguments.split(words, config.switches(Options))
    if given.has("help"):
        for line in help_text.of("prune", Options):
            terminal.line(line)
        return 0
    options = arguments.options(given.flags, Options, "prune")
    (path,) = arguments.take(given.positional, 1, 1, COMMANDS["prune"].usage)
    folder = arguments.run_folder(path)
    if options.out is None:
        raise BadInput(
            f"The smaller model of {path!r} needs a folder: give one, as in --out {path.rstrip('/')}-pruned."
        )
    out = Path(options.out)
    if os.path.lexists(out):
        raise BadInput(f"--out {options.out!r} is there already: give the name of a new folder.")
    files.check_folder(out)
    from ..loaded import load
    from ..model import LanguageModel
    from ..model.pruned import prune

    loaded = load(folder, last=options.last, prior=not options.last)
    if not isinstance(loaded.model, LanguageModel):
        raise BadInput(f"{path!r} holds an ensemble, whose members differ in what is zero: prune a run of one network.")
    found = prune(loaded.model)
    _write(folder, out, loaded, found, options.last)
    for line in said(loaded.model, found, timed(loaded.model, found.model)):
        terminal.line(line)
    terminal.line(f"in {out}; what it predicts: {command('evaluate', str(out))}")
    return 0


def said(model: LanguageModel, found: Pruned, seconds: tuple[float, float]) -> list[str]:
    """Return lines on what was taken out and what that is worth; `seconds` are of a forward of both models.

    Example:
        >>> from mainstem.model import LanguageModel, Settings
        >>> from mainstem.model.pruned import prune
        >>> model = LanguageModel(Settings(vocab=5, layers=1, width=8, heads=2, context=4)).eval()
        >>> _ = model.blocks[0].feedforward.branch.feedforward.output.weight.data[:, 16:].zero_()
        >>> print(said(model, prune(model), (0.003, 0.002))[1])
        584 parameters in place of 840, 30% fewer
    """
    before, after = (sum(p.numel() for p in each.parameters()) for each in (model, found.model))
    (units, of_units), (heads, of_heads) = found.hidden, found.heads
    return [
        f"took out {units:,} of {of_units:,} hidden units and {heads:,} of {of_heads:,} heads, all of them zero",
        f"{after:,} parameters in place of {before:,}, {1 - after / before:.0%} fewer",
        f"a forward takes {1e3 * seconds[1]:.3g} ms in place of {1e3 * seconds[0]:.3g}, {seconds[0] / seconds[1]:.2f} "
        "times as fast",
        f"logits differ by at most {found.apart:.1g} of the largest",
    ]


def timed(model: LanguageModel, smaller: LanguageModel, repeats: int = 7) -> tuple[float, float]:
    """Return the median seconds of a forward of both models over the same tokens, taken in turn."""
    import torch

    x_BT = torch.randint(0, model.settings.vocab, (8, model.context), generator=torch.Generator().manual_seed(0))
    taken: tuple[list[float], list[float]] = ([], [])
    with torch.no_grad():
        for _ in range(repeats + 1):
            for each, seconds in zip((model, smaller), taken, strict=True):
                began = perf_counter()
                each(x_BT)
                seconds.append(perf_counter() - began)
    before, after = (statistics.median(seconds[1:]) for seconds in taken)
    return before, after


def _write(folder: Path, out: Path, loaded: LoadedRun, found: Pruned, last: bool) -> None:
    """Write what a model needs to be loaded; the weights come last."""
    import msgspec

    from ..counts import stored
    from ..runs import checkpoint, facts, publish, weights
    from ..runs.disk import disk

    source = folder / "last" if last else folder
    about: dict[str, Any] = msgspec.json.decode((source / "config.json").read_bytes())
    (units, of_units), (heads, of_heads) = found.hidden, found.heads
    pruned = {"hidden": units, "of_hidden": of_units, "heads": heads, "of_heads": of_heads, "apart": found.apart}
    with disk("the smaller model", out):
        out.mkdir()
        for name in _TOGETHER:
            shutil.copyfile(folder / name, out / name)
        facts.write(out / facts.NAME, {**loaded.facts, "pruned": pruned})
        about["model"] = found.model.config()
        files.write_atomic(out / "config.json", msgspec.json.format(msgspec.json.encode(about), indent=1) + b"\n")
        metadata = msgspec.json.encode({"version": publish.VERSION, "step": about.get("step")}).decode()
        entry = files.write_atomic(out / "model.safetensors", checkpoint.pack(weights.take(found.model), metadata))
        if loaded.prior is not None:
            loaded.prior.about = msgspec.structs.replace(loaded.prior.about, model=entry.sha256)
            stored.save(out, loaded.prior)
