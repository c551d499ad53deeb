"""The named points of anybody's model at which it can be measured."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn

from .blocks import branches, stream
from .kinds import is_activation, is_attention, is_linear, is_norm


@dataclass(frozen=True)
class Tap:
    """A named point; `kind` is stream, branch, norm, attention, activation, linear or weight."""

    kind: str
    name: str
    shape: str = ""


@dataclass
class Taps:
    """What `find` found, and in `missing`, by kind, why there is nothing."""

    found: list[Tap] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)

    def names(self, kind: str) -> list[str]:
        """Return the names of one kind, in the order of the module tree."""
        return [tap.name for tap in self.found if tap.kind == kind]

    def __str__(self) -> str:
        """Return a line for each kind, at most 80 columns wide."""
        lines = []
        for kind in dict.fromkeys(tap.kind for tap in self.found):
            names = self.names(kind)
            said = names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}"
            lines.append(f"{kind:<11}{len(names):>5}  {said if len(said) <= 60 else said[:59] + '…'}")
        lines += [f"{kind:<11}    –  {why}"[:80] for kind, why in self.missing.items()]
        return "\n".join(lines)


def find(model: nn.Module, block: str | None = None) -> Taps:
    """Return the taps of `model`, from the types and the names in its module tree; nothing is run.

    The stream is what each of mainstem's `Residual` writes; in other models what each block returns, where blocks are
    modules with children of one class that stand side by side in a list, also where residuals of ours stand among or
    in them, or else in one module; without those, what each module with a weight matrix returns (a chain). A list that
    is itself a block is never called, and what it holds with matrices is taken. `block` is one that is known.

    Example:
        >>> find(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))).names("stream")
        ['0', '2']
    """
    taps = Taps()
    layers = stream(model) if block is None else [block]
    taps.found += [Tap("stream", name) for name in layers]
    modules = dict(model.named_modules())
    for name, module in modules.items():
        if name and (kind := _kind(name, module)) is not None:
            taps.found.append(Tap(kind, name))
    taps.found += [Tap("branch", name) for name in branches(model, layers)]
    taps.found += [Tap("weight", name, "x".join(map(str, parameter.shape)))
                   for name, parameter in model.named_parameters() if parameter.dim() >= 2]  # fmt: skip
    have = {tap.kind for tap in taps.found}
    for kind, why in _ABSENT.items():
        if kind not in have:
            taps.missing[kind] = why
    return taps


def _kind(name: str, module: nn.Module) -> str | None:
    if is_norm(module):
        return "norm"
    if is_attention(module):
        return "attention"
    if is_activation(module):
        return "activation"
    return "linear" if is_linear(module) else None


_ABSENT = {
    "stream": "no blocks side by side in a list, and no weight matrix",
    "branch": "no child of a block is called attention or feed-forward",
    "norm": "no class has norm in its name",
    "attention": "no class has attention in its name; it is seen when it runs",
    "activation": "no activation is a module; functions are seen when they run",
    "linear": "no linear layer: the gradient noise scale needs one",
    "weight": "no parameter has two axes",
}
