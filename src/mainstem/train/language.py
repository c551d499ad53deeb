"""The language model as a task: windows of text, cross-entropy in nats per token.

Passes in between take a fixed number of tokens, in windows that are evenly spread and always the same, so that they
can be compared with each other. The last one takes all of the held-out part where training was long enough for that.
Shapes: B sequences, T positions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from .. import choice, config, data, model
from ..data import check_length
from ..data.batches import Plan, fetch, num_windows
from ..measure.evaluate import context_of, evaluate
from ..runs import publish
from ..runs.score import BITS, NATS
from ..runs.state import Scores
from . import device, init_from, memory, own_tokenizer, prior, refuse
from .batch import Batch
from .device import Forward
from .gap import between
from .learner import Learner
from .shortage import shortage
from .task import Part, Shows, Stop, Task, Tell
from .text_shows import TextShows

FEWEST = 2
"""Windows without which there is no interval."""

_OF_HELD_OUT = 5
"""Held-out windows of the pass at the end for each one of the training text, which nothing but the gap needs: as many
would make its interval 0.45 times as wide, and take seconds from the steps of a run of 150 s."""


class Language(Task):
    """Predict the next token of a text: the loss is the cross-entropy of each token, given its window so far."""

    name = publish.LANGUAGE
    scores = (NATS, BITS)
    source = "text"
    counted = "tokens"
    guess = "a guess without knowledge costs 8 bits per byte"
    commands = (("let it write", "sample"), ("look inside", "probe"))
    reads_loss = True

    def prepare(self, run: config.Run, cache: Path, tell: Tell | None = None) -> data.Corpus:
        return data.prepare(run.data, cache, tell, init_from.tokenizer(run) or own_tokenizer.of(run))

    def build(self, run: config.Run, data: Any) -> model.Network:
        memory.refuse(config.resolve(run), data.tokenizer.vocab_size, device.choose(run.machine))
        prior.check(run, data.tokenizer.vocab_size)
        network = model.build(run.model, run.noise, data.tokenizer.vocab_size, run.seed)
        check_length(data, network.context)
        return network

    def size(self, data: Any) -> int:
        return len(data.train)

    def targets(self, model: nn.Module) -> int:
        return context_of(model)

    def batch(self, learner: Learner, step: int, slots: range) -> Batch:
        run, text = learner.run, learner.data.train
        plan = Plan(len(text), context_of(learner.model), run.train.batch, run.seed)
        x_BT, y_BT, documents_BT = fetch(text, plan, step, slots, run.data.documents == "mask")
        inputs = {"tokens_BT": x_BT} if documents_BT is None else {"tokens_BT": x_BT, "documents_BT": documents_BT}
        return Batch(inputs, y_BT, slots)

    def loss(self, forward: Forward, batch: Batch) -> Tensor:
        """Return the sum of the cross-entropies in nats; a weight by target makes each position's own first."""
        if batch.weight is None:
            return forward(**batch.inputs, targets_BT=batch.targets)
        return (forward(**batch.inputs, targets_BT=batch.targets, reduction="none") * batch.weight).sum()

    def corpus(self, data: Any) -> choice.Corpus | None:
        return choice.Corpus.of(data.facts)

    def refuse(self, run: config.Run, begins: bool) -> None:
        refuse.early(run, begins)

    def doubts(self, run: config.Run) -> Sequence[str]:
        return refuse.doubts(run)

    def check_start(self, run: config.Run, data: Any) -> None:
        init_from.check(run, data.tokenizer)

    def remarks(self, data: Any) -> tuple[str, Sequence[str]]:
        return data.left_out, data.doubts

    def guard(self, run: config.Run, data: Any) -> contextlib.AbstractContextManager[None]:
        return shortage(run, data.tokenizer.vocab_size)

    def settings(self, model: nn.Module) -> dict[str, Any]:
        found: dict[str, Any] = model.config()  # type: ignore[operator]
        return found

    def facts(self, data: Any) -> dict[str, Any]:
        held = data.held_out
        return {"corpus": data.facts, "bytes_per_token": held.num_bytes / max(1, len(held))}

    def store(self, data: Any, folder: Path) -> None:
        data.tokenizer.save(folder / "vocabulary.json")

    def shows(self, learner: Learner, cache: Path) -> Shows:
        return TextShows(learner, cache)

    def sample(self, learner: Learner) -> Part:
        """Return what a pass in between takes: `evaluate.tokens` of either side, or all that there are."""
        return _part(learner, *(2 * [_wanted(learner)]))

    def whole(self, learner: Learner, trained: int) -> Part | None:
        """Return what the pass at the end takes after `trained` tokens of training: all held-out windows, and a fifth
        as many of the training text, or as many as there is time for.

        None where it takes no more than a pass in between, or more than `evaluate.cap` tokens for each trained on. A
        token takes a quarter to a third of the time here that it takes in a step, so 0.3 is a tenth of the time of
        training; in tokens it is the same anywhere.
        """
        length, few = context_of(learner.model), _wanted(learner)
        every = num_windows(learner.data.held_out, length)
        room = int(learner.run.evaluate.cap * trained) // length - every
        if every <= few or room < 0:
            return None
        return _part(learner, every, max(few, min(every // _OF_HELD_OUT, room)))

    def evaluate(
        self, learner: Learner, part: Part, stop: Stop | None = None, tell: Callable[[int], None] | None = None
    ) -> Scores:
        how: dict[str, Any] = {
            "context": context_of(learner.model), "documents": learner.run.data.documents == "mask",
            "batch": learner.run.evaluate.batch, "autocast": learner.place.autocast, "stop": stop,
            "among": learner.world,
        }  # fmt: skip
        held = evaluate(learner.model, learner.data.held_out, windows=part.held_out, tell=tell, **how)
        learner.losses.nats, learner.losses.values = held.nats_per_token, held.losses_N
        behind = None if tell is None else lambda done: tell(held.tokens + done)
        seen = evaluate(learner.model, learner.data.train, windows=part.training, tell=behind, **how)
        return Scores(
            values={NATS.name: held.nats_per_token, BITS.name: held.bits_per_byte},
            tokens=held.tokens,
            error=held.error,
            gap=between(held, seen),
        )


def _wanted(learner: Learner) -> int:
    return max(FEWEST, -(-learner.run.evaluate.tokens // context_of(learner.model)))


def _part(learner: Learner, held: int, training: int) -> Part:
    length = context_of(learner.model)
    held = min(held, num_windows(learner.data.held_out, length))
    training = min(training, num_windows(learner.data.train, length))
    return Part(held, training, (held + training) * length)
