"""What a trained model predicts as a second target.

Shapes: B batch, T position, V tokens of the vocabulary.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ... import loaded, ops, runs, variants
from ...config.sections import Part, Positive, Text
from ...errors import BadInput
from ...model.seen import Seen
from ...ops import Taught
from ...wording import several
from ..device import Forward, Place
from .target_loss import TargetLoss


class Teacher(NamedTuple):
    """A trained model, and the hash of the file that its weights are from."""

    model: nn.Module
    sha256: str


@dataclass(frozen=True)
class Distillation(TargetLoss):
    """Knowledge distillation: a share of the loss is how far the predictions are from those of a trained model.

    Formula:
        (1 - d) l + d t^2 sum_v q_v ln(q_v / p_v), p = softmax(z / t), q = softmax(z' / t)
        l the loss of the next token with its terms, z the model's logits, z' those of the teacher

    The teacher is the best model of a run, or its ensemble, which has seen the same tokenizer and at least as long a
    context. Nothing of it is dropped, changed or stored in a checkpoint: its folder has to stay, and a run that goes on
    asks whether its weights are the same. A step costs a forward of the teacher more, and logits are whole.

    Args:
        teacher: the folder of its run.
        taught: d, the share of the loss.
        temperature: t, above 0.
        held: the teacher; `begin` fills it.

    Raises:
        BadInput: no teacher, or one that is not there, has another tokenizer or a shorter context.

    Source:
        Hinton, Vinyals and Dean 2015 (1503.02531), section 2, with its factor t^2; Kim et al. 2025 (2509.14786) distil
        an ensemble into one model on limited text.
        Read: paper of Kim et al.; nothing of Hinton et al.
        Differs: no.

    Example:
        >>> Distillation(teacher="runs/first", taught=0.25).taught
        0.25
    """

    teacher: Text | None = None
    taught: Part = 0.5
    temperature: Positive = 1.0
    held: Teacher | None = field(default=None, compare=False, repr=False)

    def refuse(self, model: nn.Module) -> None:
        if self.teacher is None:
            raise BadInput("loss.teacher is not given, and distillation learns from one: give the folder of a run.")
        with variants.said_of("loss.teacher"):
            loaded.look(self.teacher)  # which says what is wrong with it

    def begin(self, model: nn.Module, data: Any, place: Place) -> Distillation:
        held = self._loaded(data, place) if self.held is None else self.held
        context: int = model.context  # type: ignore[assignment]
        longest: int = held.model.context  # type: ignore[assignment]
        if longest < context:
            raise BadInput(
                f"loss.teacher {self.teacher!r} has a context of {several(longest, 'token')}, and model.context is "
                f"{context}: give that many or fewer."
            )
        return replace(self, held=held)

    def _loaded(self, data: Any, place: Place) -> Teacher:
        assert self.teacher is not None  # it has been refused
        found, tokenizer = loaded.load(self.teacher, prior=False), data.tokenizer
        if found.tokenizer.to_json() != tokenizer.to_json():
            raise BadInput(
                f"loss.teacher {self.teacher!r} has another tokenizer ({found.tokenizer.vocab_size} tokens, here "
                f"{tokenizer.vocab_size}), so that its predictions mean other tokens: give a run on the same text."
            )
        weights = (runs.find(self.teacher) / "model.safetensors").read_bytes()
        teacher = found.model.to(place.device).requires_grad_(False)
        return Teacher(teacher, hashlib.sha256(weights).hexdigest())

    @property
    def facts(self) -> dict[str, Any]:
        return {} if self.held is None else {"teacher": {"run": self.teacher, "sha256": self.held.sha256}}

    def around(self, forward: Forward, progress: float = 0.0) -> Forward:
        assert self.held is not None
        plain, model = self.with_terms(forward), self.held.model

        def taught(tokens_BT: Tensor, documents_BT: Tensor | None = None, **given: Any) -> Tensor:
            with torch.no_grad():
                logits_BTV = model(tokens_BT, documents_BT)
            from_teacher = functools.partial(by_teacher, taught=Taught(logits_BTV, self.taught, self.temperature))
            return plain(tokens_BT=tokens_BT, documents_BT=documents_BT, objective=from_teacher, **given)

        return taught


def by_teacher(seen: Seen, taught: Taught) -> Tensor:
    """Return the cross-entropy and how far the teacher's predictions are, in their shares."""
    found = seen.cross_entropy()
    return (1.0 - taught.share) * found + taught.share * seen.reduced(ops.apart(seen.logits(), taught))
