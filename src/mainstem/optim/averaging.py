"""An average of the weights, beside the weights."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..config import Optim
from ..errors import BadInput
from . import sharded
from .ema import EMA, Rule
from .gate import Gate
from .places import refuse_meta
from .roles import named
from .soup import Soup
from .swa import SWA

_COUNT = "average.updates"
"""Under this name a saved average says how many updates it has had."""


class Average:
    """The average a <- d a + (1 - d) w of the parameters of a model, with the d of a rule; the first update copies.

    Tied parameters are averaged once, half-precision ones in float32, buffers not at all.

    Args:
        model: whose parameters are averaged.
        decay: the rule, `EMA(0.999)`, for which 0.999 stands too, or `SWA(begin=1000)`.

    Raises:
        BadInput: the number is not in [0, 1); in an update, some of the weights are on the meta device.

    Example:
        >>> net = nn.Linear(1, 1, bias=False)
        >>> average = Average(net, 0.75)
        >>> for value in (1.0, 5.0):
        ...     _ = net.weight.data.fill_(value)
        ...     average.update(net)
        >>> with average.swap(net):
        ...     round(net.weight.item(), 4)  # d is 2 / 11: 0.75 from the 26th update on
        4.2727
        >>> net.weight.item()
        5.0
    """

    def __init__(self, model: nn.Module, decay: Rule | float) -> None:
        self.rule = decay if isinstance(decay, Rule) else EMA(decay)
        self._shapes = {name: w.shape for name, w in named(model).items()}
        self._held: dict[str, Tensor] = {}
        self._count = 0
        self._swapped = False

    @property
    def coming(self) -> float:
        """The decay of the update that comes next."""
        return self.rule.decay(self._count)

    @torch.no_grad()
    def update(self, model: nn.Module, done: Collection[int] = ()) -> None:
        """Take the present weights into the average; parameters whose ids are in `done` are in it already."""
        if self._swapped:
            raise RuntimeError("The model holds its average now: update after the swap has ended.")
        weights = self._weights(model)
        self._follow_devices(weights)
        if not self._held:
            self._held = {name: sharded.wide(w.detach()).clone() for name, w in weights.items()}
        elif left := {
            name: sharded.local(sharded.wide(w.detach())) for name, w in weights.items() if id(w) not in done
        }:
            held = sharded.local_all(self._held[name] for name in left)
            torch._foreach_lerp_(held, list(left.values()), 1 - self.coming)
        self._count += 1

    def go_by(self, rule: Rule, updates: int) -> None:
        """Go by `rule` after so many `updates`, as it is known only now how many there will be.

        A mean of the last weights begins now where it should have begun before, and keeps what it has.
        """
        if isinstance(rule, SWA) and isinstance(self.rule, SWA) and rule != self.rule:
            had = max(0, self._count - self.rule.begin)
            self._count = rule.begin + had if updates > rule.begin else updates
        self.rule = rule

    def _follow_devices(self, weights: Mapping[str, Tensor]) -> None:
        """Bring the averages to where the weights are now.

        Raises:
            BadInput: some of the weights, or of the averages, are on the meta device.
        """
        refuse_meta(list(weights.values()), list(weights))
        for name, held in self._held.items():
            if held.device != weights[name].device:
                refuse_meta([held, weights[name]], [f"the average of {name}", name])
                self._held[name] = held.to(weights[name].device)

    def hold(self, gate: Gate) -> None:
        """Have the next update taken back where `gate` does not let it through."""
        count, held = self._count, self._held
        gate.hold(sharded.local_all(held.values()))

        def undo() -> None:
            self._count, self._held = count, held

        gate.undone_by(undo)

    def of(self, model: nn.Module) -> Follow:
        """Return what an optimizer does for this average after each step: ``Update(..., after=[average.of(model)])``.

        An average that follows an optimizer needs no `update`; parameters without a gradient are averaged all the same.
        """
        return Follow(self, model)

    def held(self, model: nn.Module) -> dict[int, Tensor]:
        """Return the averages themselves by the id of their parameter, for a pass that lets them follow.

        There is none before the first update, which copies.
        """
        if self._swapped:
            raise RuntimeError("The model holds its average now: update after the swap has ended.")
        return {id(w): self._held[name] for name, w in self._weights(model).items()} if self._held else {}

    @contextmanager
    def swap(self, model: nn.Module) -> Iterator[None]:
        """Let `model` hold the average inside a ``with``; its own weights come back to the bit, whatever happens there.

        Before the first update there is no average, and the weights stay.
        """
        weights = self._weights(model) if self._held else {}
        own = {name: w.detach().clone() for name, w in weights.items()}
        outermost, self._swapped = not self._swapped, True
        try:
            self._write(weights, self._held)
            yield
        finally:
            self._write(weights, own)
            self._swapped = not outermost

    def state(self) -> dict[str, Tensor]:
        """Return the average by qualified name and the number of its updates, nothing before the first of them.

        They are the tensors themselves, no copies.
        """
        return {**self._held, _COUNT: torch.tensor(self._count)} if self._held else {}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take what `state` returned, by copy; raises `BadInput` where names or shapes are not those of the model."""
        given = {name: value.shape for name, value in state.items()}
        unlike = _unlike(given, {**self._shapes, _COUNT: torch.Size()}) if state else []
        if unlike:
            raise BadInput(
                f"The saved average and the model differ in {', '.join(unlike[:3])}: "
                "go on with the model that it was made of."
            )
        self._held = {name: state[name].clone() for name in self._shapes if state}
        self._count = int(state[_COUNT]) if state else 0

    def _weights(self, model: nn.Module) -> dict[str, nn.Parameter]:
        weights = named(model)
        unlike = _unlike({name: w.shape for name, w in weights.items()}, self._shapes)
        if unlike:
            raise BadInput(f"This is not the model that is averaged, it differs in {', '.join(unlike[:3])}.")
        return weights

    @staticmethod
    @torch.no_grad()
    def _write(weights: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
        for name, w in weights.items():
            sharded.local(w).copy_(sharded.local(values[name]))


class Follow:
    """An average that follows a model at the end of each step; made by `Average.of`."""

    def __init__(self, average: Average, model: nn.Module) -> None:
        self.average = average
        self.model = model
        self._done: set[int] = set()

    @property
    def decay(self) -> float:
        """The decay of the update that comes next."""
        return self.average.coming

    def along(self, params: Sequence[Tensor]) -> list[Tensor] | None:
        """Return the averages of `params` for a pass that updates them there; None where it cannot update all."""
        held = self.average.held(self.model)
        found = [sharded.local(held[id(p)]) for p in params if id(p) in held]
        if len(found) != len(params) or any(a.dtype != torch.float32 for a in found):
            return None
        self._done.update(map(id, params))
        return found

    def __call__(self, gate: Gate | None = None) -> None:
        """Take in the weights that no pass has taken in; with a `gate`, where that lets them through."""
        done, self._done = self._done, set()
        if gate is not None:
            self.average.hold(gate)
        self.average.update(self.model, done)


def make(model: nn.Module, section: Optim, steps: int) -> Average | None:
    """Return the average that a configuration asks for in a run of `steps` updates, or None."""
    found = rule(section, steps)
    return None if found is None else Average(model, found)


def rule(section: Optim, steps: int) -> Rule | None:
    """Return the rule of that average, or None."""
    if section.soup:
        return _soup(steps, max(1, round(section.swa * steps)), section.soup)
    if section.swa:
        return SWA(begin=steps - max(1, round(section.swa * steps)))
    return EMA(section.average) if section.average else None


def _soup(steps: int, last: int, count: int) -> Soup:
    """Return the rule for `count` weights of the `last` of `steps`, the very last one among them.

    Example:
        >>> _soup(steps=100, last=50, count=5)
        Soup(begin=59, every=10)
    """
    every = max(1, last // count)
    return Soup(begin=max(0, steps - 1 - (count - 1) * every), every=every)


def _unlike(a: Mapping[str, torch.Size], b: Mapping[str, torch.Size]) -> list[str]:
    return sorted(name for name in {**a, **b} if a.get(name) != b.get(name))
