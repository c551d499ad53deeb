"""`mainstem prune RUN --out DIR`: a run's model without what a group lasso made zero."""

from __future__ import annotations

import statistics
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

from ..config.sections import Section, Text, about
from ..errors import BadInput, command
from ..runs.paths import typed
from ..wording import several
from . import arguments, model_folder, terminal
from .arguments import Asked

if TYPE_CHECKING:
    from ..model import LanguageModel
    from ..model.pruned import Pruned


class Options(Section, frozen=True, kw_only=True):
    """What the command's flags say."""

    out: Annotated[Text | None, about("the new folder of the smaller model", "required")] = None
    last: Annotated[bool, about("the weights of the last step instead of the best")] = False


def run(asked: Asked) -> int:
    """Write the smaller model, and say what was won; return the exit code."""
    options, (path,) = asked.options(Options), asked.take(1, 1)
    folder = arguments.run_folder(path)
    beside = folder if folder.name not in ("", "..") else folder.resolve()
    out = model_folder.new(options.out, f"The smaller model of {path!r}", f"{beside}-pruned")
    from ..loaded import load
    from ..model import LanguageModel
    from ..model.pruned import prune

    loaded = load(folder, last=options.last, prior=not options.last)
    if loaded.remark:
        terminal.sentence(loaded.remark)
    if not isinstance(loaded.model, LanguageModel):
        raise BadInput(f"{path!r} holds an ensemble, whose members differ in what is zero: prune a run of one network.")
    found = prune(loaded.model)
    (units, of_units), (heads, of_heads) = found.hidden, found.heads
    pruned = {"hidden": units, "of_hidden": of_units, "heads": heads, "of_heads": of_heads, "apart": found.apart}
    known = {**loaded.facts, "pruned": pruned}
    model_folder.write(out, folder, found.model, known, options.last, loaded.prior)
    for line in said(loaded.model, found, timed(loaded.model, found.model)):
        terminal.sentence(line)
    terminal.sentence(terminal.clean(f"written to {out}", keep=""))
    terminal.line(f"next: {command('evaluate', typed(out))}")
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
        f"took out {units:,} of {several(of_units, 'hidden unit')} and {heads:,} of "
        f"{several(of_heads, 'head')}, all of them zero",
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
