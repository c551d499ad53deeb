"""What all noise has in common: a place with a name, and where its randomness comes from."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from .. import counter, names, ops
from ..counter import Draw, Scope
from ..errors import BadInput
from ..ops import Mask
from ..wording import several
from . import frames, order
from .rate import Rate


def in_backward() -> bool:
    # A compiled graph recomputes from tensors that were its inputs, so only eager code can go astray.
    return not torch.compiler.is_compiling() and torch._C._current_graph_task_id() != -1


class Noise(nn.Module):
    """A module that drops something at random in training. Abstract.

    Inside ``with noise.counter(...)`` its mask is a function of (seed, step, view, sample, site, position); outside
    it takes a seed from torch's generator once per forward, as `torch.nn.Dropout` does.
    """

    purpose: ClassVar[str] = "drop"
    threshold: Tensor

    def __init__(self, rate: float) -> None:
        nn.Module.__init__(self)  # not what a drop-in stands for, which would set a rate of its own
        self.site: str | None = None
        self.schedule: Rate | None = None
        self._scoped = False
        self.register_buffer("threshold", ops.threshold(self.drawn(rate)), persistent=False)
        self.rate = float(rate)
        self.silent = rate == 0

    def set_rate(self, rate: float) -> None:
        """Change the rate from the next forward on; a compiled model is not compiled again for it."""
        self.threshold.copy_(ops.threshold(self.drawn(rate)))
        self.rate = float(rate)
        self.silent = self.silent and rate == 0

    def drawn(self, rate: float) -> float:
        """Return the probability of one draw where something is to be dropped at `rate`: the same, but for spans."""
        return rate

    @property
    def dropping(self) -> bool:
        """Whether anything can be dropped now: in training, at a rate that is or was above 0."""
        return self.training and not self.silent

    def shared(self, name: str) -> str:
        """Return the name by which the site `name` draws: its own, but where several modules draw the same."""
        return name

    def mask(self, num_samples: int | None) -> Mask | None:
        """Return what this call draws from, as the ops take it, or None where nothing is dropped now.

        Without samples (None) it is one draw for the whole batch, which the ops see as one sample.
        """
        if not self.dropping:
            return None
        draw, site = self.draw(num_samples)
        return Mask(self.threshold, draw, site)

    def refuse_elsewhere(self, x: Tensor) -> None:
        """Refuse `x` where it has numbers and this module has none.

        Raises:
            BadInput: the module is on the meta device, and `x` is not.
        """
        if self.threshold.is_meta and not x.is_meta:
            raise BadInput(
                f"{self.site or type(self).__name__!r} is on meta, where tensors have no numbers, and x on {x.device}: "
                f"move the model there by to_empty(device={str(x.device)!r}), and load its weights."
            )

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Noise:
        # The threshold is the rate, not state: made anew it is right after `to_empty` too.
        super()._apply(fn, recurse)
        self.threshold = ops.threshold(self.drawn(self.rate)).to(self.threshold.device)
        return self

    def draw(self, num_samples: int | None) -> tuple[Draw, int]:
        """Return what this call draws from, and its site: `num_samples` rows where no scope names them; None: a whole.

        Raises:
            BadInput: in a scope, where the module has no site, or the scope names another number of samples.
        """
        scope = self._scope()
        if scope is None:
            return _drop_in(1 if num_samples is None else num_samples), counter.site_id(self.purpose, "")
        if self.site is None:
            raise BadInput(
                f"{type(self).__name__} has no name, so the counter cannot tell its site: "
                "call noise.bind(model) once, before training."
            )
        if num_samples is not None and (count := len(scope.draw.samples)) != num_samples:
            raise BadInput(
                f"{self.site!r}, {type(self).__name__}, was given {several(num_samples, 'sample')}, and "
                "noise.counter names "
                f"{count}: give it as many as the batch has, and this module batch_dim= their axis, or None where "
                "there is none, as in a mixture of experts."
            )
        self._scoped = True  # unasked, as a compiler would make a second graph for the answer
        call = scope.visit(self.site)[len(self.site) :]  # "", "@1", ..., by which further calls are told apart
        draw = scope.draw if num_samples is not None else Draw(scope.draw.key, torch.tensor([counter.WHOLE_BATCH]))
        return draw, counter.site_id(self.purpose, self.shared(self.site) + call)

    def _scope(self) -> Scope | None:
        """Return the scope to draw from: in backward that of the forward that is computed again."""
        scope, frame = counter.current(), frames.innermost()
        frames.keep(frame)
        if not in_backward() or (scope is not None and scope.replay):
            return scope
        kept = frames.kept(frame)
        if frame is not None and kept is not None:
            return None if kept.draw is None else kept.scope(frame.again)
        if scope is None and not self._scoped:
            return None
        raise RuntimeError(
            f"Noise at {self.site!r} is recomputed in backward without the counter of its forward, so its mask would "
            "be another one: call checkpoint with use_reentrant=False, or mainstem.checkpoint."
        )

    def extra_repr(self) -> str:
        return f"rate={self.rate:g}{self._said}"

    @property
    def _said(self) -> str:
        return "" if self.site is None else f", site={self.site!r}"


def _drop_in(num_samples: int) -> Draw:
    seed = torch.randint(0, 2**62, (1,), dtype=torch.int64)
    return Draw(torch.cat([seed, torch.zeros(2, dtype=torch.int64)]), torch.arange(num_samples))


def laid_out_as(x: Tensor, y: Tensor) -> Tensor:
    """Return `y`, whose elements lie in their order, as those of `x` of the same shape do: channels last, say."""
    return y if x.is_contiguous() else torch.empty_like(x, dtype=y.dtype).copy_(y)


def bind(model: nn.Module) -> nn.Module:
    """Give each noise module of `model` its qualified name as its site, and return the model.

    A wrapper of torch's (`torch.compile`, DistributedDataParallel, AveragedModel, ...) is no part of a name. Where a
    module of torch's has the sequence along the first axis, as an `nn.LSTM` without ``batch_first``, noise that is
    given as many positions as there are samples says by a warning which axis it takes for theirs.

    Raises:
        BadInput: where two sites would have one identity.

    Example:
        >>> from mainstem import noise
        >>> net = bind(nn.Sequential(nn.Linear(2, 2), noise.Dropout(0.5)))
        >>> net[1].site
        '1'
    """
    seen: dict[int, str] = {}
    for name, module in names.sites(model).items():
        if not isinstance(module, Noise):
            continue
        said = f"{module.purpose}:{module.shared(name)}"
        word = counter.site_id(module.purpose, module.shared(name))
        if seen.setdefault(word, said) != said:
            raise BadInput(
                f"The sites {seen[word]!r} and {said!r} have one identity ({word:#010x}), so "
                "they would draw the same masks: rename one of the modules."
            )
        module.site = name
    order.look(model, [part for part in model.modules() if isinstance(part, Noise)])
    return model
