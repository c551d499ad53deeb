"""How much memory a run needs at least, and how much there can be, so that sizes are refused before they are asked for.

May import `config`, `form`, `optim`, `variants` and its siblings. Estimates are lower bounds: what is refused could
not have been trained.
"""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import NamedTuple

import torch

from .. import catalogue, config, form, optim, variants
from ..errors import BadInput
from ..stream import Couple, State, sites
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
    streams: int
    beside: int
    vocabulary: int
    rows: int
    members: int = 1


USUAL = Sizes(layers=48, width=2048, hidden=8192, context=2048, streams=4, beside=1 << 18, vocabulary=1 << 16, rows=64)
"""Sizes beyond which a field may be what takes the memory."""

_FIELDS = {
    "layers": "model.layers", "width": "model.width", "context": "model.context", "streams": "model.residual.streams",
    "beside": "model.embedding", "vocabulary": "data.tokenizer.vocabulary", "rows": "train.batch",
    "members": "model.members",
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
    model, parsed = run.model, form.parse(run.model.residual)
    several = parsed.forms if isinstance(parsed, form.Combined) else (parsed,)
    streams = max(getattr(each, "streams", 1) for each in several)
    rows = min(run.train.batch, run.train.micro_batch or run.train.batch)
    beside = variants.resolve("embedding", model.embedding).num_rows(vocab)
    given = (model.layers, model.width, model.hidden, model.context, streams, beside, vocab, rows, model.members)
    return Sizes(*(1 if size is None else size for size in given))


def sharing(run: config.Run, place: Place) -> int:
    """Return over how many devices with memory of their own the weights of `run` are spread: 1, where they are not."""
    apart = run.machine.shard and place.device.type == "cuda" and torch.distributed.is_available()
    return torch.distributed.get_world_size() if apart and torch.distributed.is_initialized() else 1


def least(run: config.Run, sizes: Sizes, sharing: int = 1) -> int:
    """Return the bytes that a training takes at the very least: weights, their gradients and moments, the stream.

    Counted are the matrices of plain blocks, hyper-connections' weights, embedding, n-grams and head, in float32: once
    each for weights, gradients, the best ones and each moment; and of the activations the stream and each block's
    input alone, unless backward computes that again. Of all but the activations a device has its part, where so many
    are `sharing` them.
    """
    layers, width, streams, vocab = sizes.layers, sizes.width, sizes.streams, sizes.vocabulary
    model = run.model
    heads, kv_heads = model.heads or 1, model.kv_heads or 1
    matrices = 3 if "gated" in catalogue.find("feedforward", model.feedforward).traits else 2
    head_width = model.head_width or width // heads
    block = 2 * width * head_width * (heads + kv_heads) + matrices * width * sizes.hidden
    block += 2 * streams * (streams + 2) if streams > 1 else 0
    tables = vocab * (1 if model.head == "tied" else 2)
    tables += sizes.beside
    tables += sizes.context if model.positions == "learned" else 0
    copies = 3 + optim.parse(run.optim).moments + (run.optim.average > 0 or run.optim.swa > 0)
    weights = 4 * copies * (layers * block + tables * width) // sharing + layers * _BLOCK
    tokens = sizes.rows * sizes.context
    kept = layers * (2 if run.machine.dtype == "bfloat16" else 4)
    if run.machine.recompute == "blocks" or computes_back(form.parse(model.residual)):
        kept = 0
    return sizes.members * (weights + tokens * width * kept) + tokens * width * 2 * 4 * streams


def computes_back(residual: form.Form) -> bool:
    """Return whether backward computes the activations of a form from what comes after them."""
    with torch.device("meta"):
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
