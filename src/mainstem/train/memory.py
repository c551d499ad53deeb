"""How much memory a run needs at least, and how much there can be, so that sizes are refused before they are asked for.

Estimates are lower bounds: what is refused could not have been trained.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import NamedTuple

import msgspec
import torch

from .. import config, form, model, optim, variants
from ..errors import BadInput
from ..nn.unmade import unmade
from ..stream import Couple, State, sites
from .counted import count
from .device import Place

_BLOCK = 60_000
"""Bytes that Python and torch take for the objects of one block, whatever its width."""


class Sizes(NamedTuple):
    """What a run's memory follows from; `beside` are the rows of tables beside the tokens' own, `rows` the sequences
    computed at once, `members` the networks of these sizes."""

    layers: int
    width: int
    hidden: int
    context: int
    beside: int
    vocabulary: int
    rows: int
    members: int = 1


USUAL = Sizes(layers=48, width=2048, hidden=8192, context=2048, beside=1 << 18, vocabulary=1 << 16, rows=64)
"""Sizes beyond which a field may be what takes the memory."""

_FIELDS = {
    "layers": "model.layers", "width": "model.width", "context": "model.context", "beside": "model.embedding",
    "vocabulary": "data.tokenizer.vocabulary", "rows": "train.batch", "members": "model.members",
}  # fmt: skip


def refuse(run: config.Run, vocab: int, place: Place) -> None:
    """Raise `BadInput` where a resolved `run` with a vocabulary of `vocab` needs more memory than there can be."""
    sizes = sizes_of(run, vocab)
    needed = least(run, sizes, sharing(run, place))
    limit, owner = there(place)
    if needed <= limit:
        return
    raise BadInput(
        f"A training of this model needs at least {written(needed)} of memory, and {owner} {written(max(0, limit))}: "
        f"{_remedy(run, sizes, needed)}."
    )


def sizes_of(run: config.Run, vocab: int) -> Sizes:
    """Return the sizes of a resolved run."""
    section = run.model
    rows = min(run.train.batch, run.train.micro_batch or run.train.batch)
    beside = variants.resolve("embedding", section.embedding).num_rows(vocab)
    given = (section.layers, section.width, section.hidden, section.context, beside, vocab, rows, section.members)
    return Sizes(*(1 if size is None else size for size in given))


def sharing(run: config.Run, place: Place) -> int:
    """Return over how many devices with memory of their own the weights of `run` are spread: 1, where they are not."""
    apart = run.machine.shard and place.device.type == "cuda" and torch.distributed.is_available()
    return torch.distributed.get_world_size() if apart and torch.distributed.is_initialized() else 1


def least(run: config.Run, sizes: Sizes, sharing: int = 1) -> int:
    """Return the bytes that a training takes at the very least: weights, their gradients and moments, the stream.

    Counted are the weights of the blocks and of what the form brings along, embedding, n-grams and head, in float32:
    once each for weights, gradients, the best ones and each moment; and of the activations the stream and each block's
    input alone, unless backward computes that again. Of all but the activations a device has its part, where so many
    are `sharing` them.
    """
    width, section = sizes.width, run.model
    inside = count(_settings(run, sizes))
    tables = sizes.vocabulary * (1 if section.head == "tied" else 2)
    tables += sizes.beside
    tables += sizes.context if section.positions == "learned" else 0
    copies = 3 + optim.parse(run.optim).moments + (run.optim.average > 0 or run.optim.swa > 0)
    weights = 4 * copies * (inside.weights + tables * width) // sharing + sizes.layers * _BLOCK
    tokens = sizes.rows * sizes.context
    kept = sizes.layers * (2 if run.machine.dtype == "bfloat16" else 4)
    if run.machine.recompute == "blocks" or computes_back(form.parse(section.residual)):
        kept = 0
    return sizes.members * (weights + tokens * width * kept) + tokens * width * 2 * 4 * inside.streams


def _settings(run: config.Run, sizes: Sizes) -> model.Settings:
    """Return the settings of one network of a run, of other sizes."""
    section = msgspec.structs.replace(
        run.model, layers=sizes.layers, width=sizes.width, hidden=sizes.hidden, context=sizes.context, members=1,
        heads=run.model.heads or 1, head_width=run.model.head_width or max(1, sizes.width // (run.model.heads or 1)),
    )  # fmt: skip
    return model.settings(section, run.noise, sizes.vocabulary)


def computes_back(residual: form.Form) -> bool:
    """Return whether backward computes the activations of a form from what comes after them."""
    with unmade():
        try:
            connection, x = residual.connection(sites(("attention",), 1, 1)[0]), torch.zeros(0)
        except RuntimeError:  # sizes that not even the meta device counts, which the estimate refuses
            return False
        return isinstance(connection, Couple) and connection.undoes(State((x, x), {}))


def there(place: Place) -> tuple[int, str]:
    """Return the bytes that there can be at most for a training at `place`, and who has them, with the verb."""
    if place.device.type == "cuda":
        return torch.cuda.get_device_properties(place.device).total_memory, "the GPU has"
    limits = [(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") + _swap(), "this machine has")]
    group = _number(Path("/sys/fs/cgroup/memory.max"))
    if group is not None:
        limits.append((group, "its group of processes may have"))
    allowed, _ = resource.getrlimit(resource.RLIMIT_AS)
    pages = _number(Path("/proc/self/statm"))
    if limited() and pages is not None:
        limits.append((allowed - pages * os.sysconf("SC_PAGE_SIZE"), "its limit (`ulimit -v`) leaves"))
    return min(limits)


def written(count: float) -> str:
    """Return a number of bytes for people.

    Example:
        >>> written(1536), written(3 << 40), written(10**30)
        ('1.5 KiB', '3.0 TiB', '9.1e+17 TiB')
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB" if count < 1e6 else f"{count:.1e} TiB"


def limited() -> bool:
    """Return whether the process may have less memory than the machine has (`ulimit -v`)."""
    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY


def _remedy(run: config.Run, sizes: Sizes, needed: int) -> str:
    """Return what to give less of: the field that is furthest beyond what is usual, counted in memory."""
    gains = {name: needed - least(run, _usual(sizes, name)) for name in _FIELDS}
    name = max(gains, key=lambda name: gains[name])
    of_form = {said: needed - least(other, sizes) for said, other in _usual_forms(run)}
    said = max(of_form, key=lambda said: of_form[said], default=None)
    if said is not None and of_form[said] > max(0, gains[name]):
        return f"give a smaller {said}"
    if not gains[name]:
        return "give it more, or a smaller model.width, model.layers or train.batch"
    if name == "beside":
        spec = variants.resolve("embedding", run.model.embedding)
        return f"give a smaller model.embedding.{spec.largest} (it is {getattr(spec, str(spec.largest))})"
    if name != "rows":
        return f"give a smaller {_FIELDS[name]} (it is {getattr(sizes, name)})"
    if run.train.micro_batch is not None:
        return f"give a smaller train.micro_batch (it is {sizes.rows})"
    return f"give a smaller train.batch (it is {sizes.rows}), or give --train.micro-batch"


def _usual(sizes: Sizes, name: str) -> Sizes:
    names = ("width", "hidden") if name == "width" else (name,)  # the one follows from the other
    return sizes._replace(**{each: min(getattr(sizes, each), getattr(USUAL, each)) for each in names})


def _usual_forms(run: config.Run) -> Iterator[tuple[str, config.Run]]:
    """Yield each number of the run's form that is above its default, in words, and the run with that default."""
    parsed = form.parse(run.model.residual)
    several = parsed.forms if isinstance(parsed, form.Combined) else (parsed,)
    for place, each in enumerate(several):
        path = f"model.residual.{place}" if len(several) > 1 else "model.residual"
        for field in fields(each):
            value = getattr(each, field.name)
            if not (isinstance(value, int) and isinstance(field.default, int) and value > field.default):
                continue
            less = [replace(other, **{field.name: field.default}) if other is each else other for other in several]
            residual = form.Combined(tuple(less)) if len(less) > 1 else less[0]
            changed = msgspec.structs.replace(run.model, residual=residual)
            yield f"{path}.{field.name} (it is {value})", msgspec.structs.replace(run, model=changed)


def _swap() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("SwapTotal:"))


def _number(path: Path) -> int | None:
    """Return the first number that a file of the kernel's holds, or None."""
    try:
        word = path.read_text().split()[0]
    except (OSError, IndexError):
        return None
    return int(word) if word.isdigit() else None
