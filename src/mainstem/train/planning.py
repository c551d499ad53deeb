"""What `--plan` prints: what a run would do, on one screen or whole, without doing it."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, NamedTuple

import msgspec

from .. import config, optim, runs
from ..errors import BadInput, RunFailed
from ..runs import new_folder, past
from ..runs.cache import used
from ..runs.past import NOTHING, Past
from ..runs.paths import place
from ..runs.run_folder import RunFolder
from ..runs.state import State
from ..wording import brief
from . import budget, cadence, choosing, chosen, device, memory, refuse
from .assemble import assemble
from .language import Language
from .learner import Learner
from .lines import WIDTH, fold
from .opening import opening, passes, tokens
from .phases import Clock
from .task import Tell
from .text_shows import told
from .world import ALONE

_HASH = 16
"""Signs of a hash that are shown: enough to tell texts apart; facts.json has it whole."""

_MORE = "more   every field and each tensor{}: `--plan all`"


class Plan(NamedTuple):
    """What a run would do: what matters first on one `screen` of a terminal, and the `whole` of it."""

    screen: str
    whole: str


def plan(
    run: config.Run,
    *,
    name: str | None = None,
    given: choosing.Given = None,
    clock: Clock = perf_counter,
    began: float | None = None,
    tell: Tell | None = None,
    width: int = WIDTH,
) -> Plan:
    """Return what a run of this configuration would do; the run's folder is not made.

    The data is read, and its tokens are cached, so that the numbers are the run's own. Whatever lies where the run
    would go, there is a plan; it says so where the run would be refused. `name`, `given`, `clock` and `began` are as
    `train.run` has them, and ``tell(what, done, total)`` hears how much is read, tokenized and timed. The
    screen has lines of at most `width` columns, where words allow it.
    """
    began = clock() if began is None else began
    run, task = choosing.adopted(runs.settled(device.settle(config.held(run))), given), Language()
    with device.threads(run.machine.threads):
        warned: list[str] = []
        folder, before, where, refused = _folder(run, name or run.recipe or "run", warned.append)
        refuse.early(run, begins=not folder.config.is_file())
        with used(folder) as cache:
            # Of a run that would be refused there, nothing that lies there is meant.
            corpus = task.prepare(run if refused is None else msgspec.structs.replace(run, out=None), cache, tell)
        made, steps, loss = before.choice, None, None
        if before is NOTHING:
            run, made, loss = choosing.choose(run, given, task, corpus, clock, began, tell)
            steps = None if made is None else made["count"]
        learner, facts = assemble(
            run, task, corpus, ALONE, began=began, clock=clock, tell=tell, past=before, steps=steps, loss=loss
        )
        sections = [
            ("configuration", config.dump(run).rstrip().splitlines()),
            ("data", _pairs(corpus.facts)),
            ("run", _pairs(_length(learner, where if refused is None else f"none: {refused}"))),
            ("memory, about", _pairs(_memory(learner))),
            ("which tensors are decayed and penalised", _regularization(learner)),
        ]
        if made is not None:
            sections.insert(1, ("what was chosen", chosen.lines(made)))
        state = State() if before.checkpoint is None else before.checkpoint[1].state
        seconds = budget.left(learner, state, clock)
        needs = f"needs  {_needs(learner)}"
        said = [opening(learner, told(learner), facts, state, where, seconds), needs]
        said += [f"but    {each}" for each in (*warned, *([] if refused is None else [refused]))]
    if made is None and choosing.may(run, given) and run.train.budget is None:
        said.append(f"rest   as the recipe {run.recipe} has it: nothing is chosen where steps or epochs are given")
    reasons = ["", *chosen.brief(made, width)] if made is not None else []
    more = _MORE.format("" if made is None else ", half and twice the time")
    return Plan(
        "\n".join([*(line for text in said for line in fold(text, width)), *reasons, *fold(more, width)]),
        "\n\n".join("\n".join([title, "-" * len(title), *content]) for title, content in sections),
    )


def _folder(run: config.Run, name: str, warn: Callable[[str], None]) -> tuple[RunFolder, Past, str, str | None]:
    """Return where the run would go, what is known of it there, both in words, and why it would be refused there.

    Damaged checkpoints are named to `warn`.
    """
    free = new_folder.places(name)
    try:
        folder, there = new_folder.choose(run, False, free)
        before = past.read(folder, warn) if there else NOTHING
        past.check(run, before, Language.name)
    except (BadInput, RunFailed) as error:
        return next(free), NOTHING, "no folder", str(error)
    at = "" if before.checkpoint is None else f" at step {before.checkpoint[1].step}"
    return folder, before, f"{place(folder.path)} ({f'holds this run: it goes on{at}' if there else 'new'})", None


def _pairs(values: dict[str, Any]) -> list[str]:
    found = []
    for name, value in values.items():
        if value == {}:
            continue
        text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else _short(str(value))
        found += fold(f"{name:<20} {text[:_HASH] if name.endswith('hash') else text}")
    return found


def _short(text: str, limit: int = 200) -> str:
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return brief(clean, limit)


def _length(learner: Learner, where: str) -> dict[str, Any]:
    run = learner.run
    return {
        "folder": where,
        "device": f"{learner.place.device.type}, {run.machine.dtype}",
        "parameters": sum(p.numel() for p in learner.model.parameters()),
        "steps": learner.steps,
        "tokens a step": tokens(learner),
        "tokens": learner.steps * tokens(learner),
        "passes over the text": f"{passes(learner):.3g}",
        "evaluations": cadence.passes(learner.steps, run.evaluate.every),
    }


def _needs(learner: Learner) -> str:
    parts = _memory(learner)
    return f"about {parts['together']} of memory, {parts['activations']} of it for activations"


def _memory(learner: Learner) -> dict[str, Any]:
    """Estimate, in bytes, what a step holds; activations are counted from the tensors a plain block keeps."""
    run, settings = learner.run, learner.model.config()  # type: ignore[operator]
    weights = 4 * sum(p.numel() for p in learner.model.parameters())
    copies = 5 + (learner.average is not None)  # weights, gradients, two moments, the best so far
    rows = (run.train.micro_batch or run.train.batch) * settings["context"]
    width, hidden = settings["width"], settings["hidden"] or 4 * settings["width"]
    number = 2 if run.machine.dtype == "bfloat16" else 4
    blocks = 1 if run.machine.recompute == "blocks" else settings["layers"]
    kept = (
        settings.get("members", 1) * rows * number * (blocks * (10 * width + 2 * hidden) + settings["layers"] * width)
    )
    logits = 3 * 4 * rows * settings["vocab"]
    parts_of = {"weights and moments": weights * copies, "activations": kept, "logits": logits}
    return {name: memory.written(value) for name, value in {**parts_of, "together": sum(parts_of.values())}.items()}


def _regularization(learner: Learner) -> list[str]:
    """One row for all tensors that differ only in the number of their block; penalties by number, named below."""
    labels = [repr(term) for term in (*learner.penalties, *getattr(learner.optimizer, "after", ()))]
    rows: dict[tuple[str, str, str, str, str], int] = {}
    for tensor in optim.table(learner.model, learner.optimizer, learner.penalties):
        names = ["*" if part.isdigit() else part for part in tensor.name.split(".") if part != "branch"]
        general = ".".join(part for part, before in zip(names, ["", *names], strict=False) if part != before)
        numbers = ",".join(str(labels.index(term) + 1) for term in (*tensor.penalties, *tensor.after)) or "-"
        shape = "x".join(map(str, tensor.shape))
        key = (
            general.removeprefix("members.*.").removeprefix("blocks."),
            shape,
            tensor.role,
            f"{tensor.decay:g}",
            numbers,
        )
        rows[key] = rows.get(key, 0) + 1
    found = [_row("tensor", "shape", "role", "decay", "terms", "count")]
    found += [_row(*key, str(count)) for key, count in rows.items()]
    return found + [f"penalty {number}: {label}"[:WIDTH] for number, label in enumerate(labels, 1)]


def _row(name: str, shape: str, role: str, decay: str, penalties: str, count: str) -> str:
    return f"{name:<33.33} {shape:>9} {role:<16.16} {decay:>5} {count:>5} {penalties}".rstrip()
