"""`mainstem probe RUN`: what happens inside a run's model, as a table and a page."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from msgspec import Meta

from .. import config
from ..config.sections import Section, about
from ..errors import BadInput
from ..wording import fixed, several
from . import arguments, own_text, terminal
from .arguments import Asked

if TYPE_CHECKING:
    from ..draw.chart import Figure
    from ..loaded import LoadedRun
    from ..measure import Watch

NAME = "probe.html"


class Options(Section, frozen=True, kw_only=True):
    """What the command's flags say."""

    last: Annotated[bool, about("the weights of the last step instead of the best")] = False
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], about("where it runs")] = "auto"
    data: own_text.Own = own_text.Own()
    windows: Annotated[int, Meta(ge=2, le=4096), about("sequences that the model is measured on")] = 16


class Windows(NamedTuple):
    """The measured windows of one side of the split, of `windows` in all."""

    x_BT: Any
    y_BT: Any
    documents_BT: Any
    weight_BT: Any
    windows: int


def run(asked: Asked) -> int:
    """Print the table and the findings, write the page; return the exit code."""
    options, (path,) = asked.options(Options), asked.take(1, 1)
    folder = arguments.run_folder(path)
    from .. import files
    from ..loaded import load
    from ..measure import page
    from ..measure.diagnose import FAULTS
    from ..train import device

    files.check_target(folder / NAME)
    loaded, which = _one(load(folder, last=options.last, prior=False), "last" if options.last else "best")
    place = device.choose(config.Machine(device=options.device, dtype=loaded.run.machine.dtype))
    with device.threads(loaded.run.machine.threads):
        watch, figures, measured = _measure(loaded, folder, place, options)
    for step, train, held in curves(folder / "metrics.jsonl"):
        watch.loss(step, train, held)
    width = terminal.width()
    known = reached(folder, options.last)
    for line in (f"measured: the {which}" if " of " in which else "", known):
        terminal.sentence(line)
    terminal.write(watch.table(width) + "\n")
    for finding in watch.diagnose():
        terminal.sentence(f"{finding.fault}: {finding}")
    if not watch.diagnose():
        terminal.sentence(f"Nothing is wrong by any of the {len(FAULTS)} checks.")
    said = f"{several(measured, 'window')} of held-out text, in eval mode with gradients, the {which}"
    said = f"{said}. {known}" if known else said
    text = page.page(watch, f"Inside {folder.resolve().name}", said, asked.line, figures)
    terminal.line(str(files.write_text(folder / NAME, text)))
    return 0


def _one(loaded: LoadedRun, which: str) -> tuple[LoadedRun, str]:
    """Return the run with one network, of an ensemble the first, and what its weights are called."""
    from ..names import networks

    several = list(networks(loaded.model).values())
    if not several:
        return loaded, f"{which} weights"
    first: Any = several[0]
    return loaded._replace(model=first), f"{which} weights of the first of {len(several)} members"


def _measure(loaded: LoadedRun, folder: Path, place: Any, options: Options) -> tuple[Watch, list[Figure], int]:
    """Return the closed watch over one pass on held-out windows, the figures of losses and calibration, and how many
    windows there were.
    """
    import torch

    from ..measure import page, watch
    from ..measure.cross_entropy import cross_entropy_BT, weighted
    from ..measure.evaluate import Held
    from ..measure.quantity import calibration, held_out
    from ..train.gap import between

    corpus = own_text.corpus(loaded, options.data, own_text.cache_of(folder))
    own_text.warn(corpus)
    masked = loaded.run.data.documents == "mask"
    model = loaded.model.to(place.device)
    train, held = (_windows(tokens, loaded.model.context, options.windows, masked, place)
                   for tokens in (corpus.train, corpus.held_out))  # fmt: skip
    measured = []
    with watch(model) as m:
        for side, backward in ((train, False), (held, True)):
            with torch.set_grad_enabled(backward), place.autocast():
                logits_BTV = model(side.x_BT, side.documents_BT)
            loss_BT = cross_entropy_BT(logits_BTV, side.y_BT)
            nats_W, tokens_W = weighted(loss_BT, side.weight_BT).sum(1), side.weight_BT.sum(1)
            mean = nats_W.sum() / tokens_W.sum()
            parts = nats_W.detach().cpu().double(), tokens_W.cpu().double()
            measured.append(Held(float(mean.detach()), math.nan, int(tokens_W.sum()), *parts, side.windows))
            if backward:
                mean.backward()
    right = held.weight_BT.flatten() > 0
    sure = calibration.of_logits(logits_BTV.detach().flatten(0, 1)[right], held.y_BT.flatten()[right])
    by_position = held_out.by_position(loss_BT, held.weight_BT)
    model.zero_grad(set_to_none=True)
    gap = between(measured[1], measured[0])
    figures = [] if gap is None else [page.positions(by_position, gap.training, gap.held_out, gap.low, gap.high)]
    return m, [*figures, page.reliability(sure)], len(held.x_BT)


def _windows(tokens: Any, context: int, count: int, masked: bool, place: Any) -> Windows:
    import torch

    from ..data.batches import held_out_windows, num_windows, spread

    every = num_windows(tokens, context)
    if not every:
        raise BadInput(
            f"{several(len(tokens), 'token')} cannot be predicted: the run's text has become too short to probe."
        )
    batches = zip(*held_out_windows(tokens, context, masked, spread(every, count)), strict=True)
    x_BT, y_BT, documents_BT, weight_BT = (
        None if batch[0] is None else place.take(torch.cat(batch)) for batch in batches
    )
    return Windows(x_BT, y_BT, documents_BT, weight_BT, every)


def reached(folder: Path, last: bool) -> str:
    """Return the held-out loss that the run's report has of these weights; nothing where none was measured."""
    from ..report import headline, source
    from ..runs.score import BITS

    run = source.read(folder)
    found = run.metrics.last if last else headline.best_of(run)
    if found is None:
        return ""
    bits = "" if found.bits is None else f", {fixed(found.bits, '.4f')} {BITS.unit}"
    loss = f"{headline.title(run.score)} {fixed(found.value, '.4f')} {run.score.unit}{bits}"
    return f"{loss}, measured in training at step {found.step:,}, as in the report."


def curves(path: Path) -> list[tuple[int, float, float]]:
    """Return (step, training loss in eval mode, held-out loss) of each evaluation that metrics.jsonl has whole."""
    from ..runs import metrics

    found: list[tuple[int, float, float]] = []
    for line in metrics.lines(path):
        held = line.get("held_out") if line is not None else None
        gap = line.get("gap") if line is not None else None
        if line is None or not isinstance(held, dict) or not isinstance(gap, dict):
            continue
        loss, train = metrics.number(held.get("nats_per_token")), metrics.number(gap.get("training"))
        if loss is not None and train is not None:
            found.append((line["step"], train, loss))
    return found
