"""What several penalties hold on to of the weights at the start, as the tensors of one file of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from .base import Penalty


def collect(terms: Sequence[Penalty]) -> dict[str, Tensor]:
    """Return the anchors of all `terms`, named "number/qualified name"."""
    held = enumerate(term.anchor() for term in terms)
    return {f"{number}/{name}": w for number, anchor in held for name, w in anchor.items()}


def resume(terms: Sequence[Penalty], model: nn.Module, tensors: Mapping[str, Tensor]) -> list[Penalty]:
    """Return `terms` as they hold on to what `collect` returned; raises `BadInput` where that is another model's."""
    found = []
    for number, term in enumerate(terms):
        own = f"{number}/"
        anchor = {name.removeprefix(own): w for name, w in tensors.items() if name.startswith(own)}
        found.append(term.begin(model, anchor))
    return found
