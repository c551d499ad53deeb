"""Parameters that no backward pass gives a gradient."""

from __future__ import annotations

from torch import nn

from .passes import Pass


class Unreached:
    """The parameters of a model that have had no gradient in any backward pass; `names` is None before the first.

    What one pass leaves out, as a layer by layer drop, another one may reach.
    """

    def __init__(self, model: nn.Module) -> None:
        self.names: list[str] | None = None
        self._model = model

    def look(self, record: Pass | None) -> None:
        """Note which ones have none, while there are gradients to see: after the pass `record`, before the next."""
        if self.names == [] or record is None or not record.backward:
            return
        named = [(name, p) for name, p in self._model.named_parameters() if p.requires_grad]
        if any(parameter.grad is not None for _, parameter in named):
            missed = [name for name, parameter in named if parameter.grad is None]
            before = missed if self.names is None else self.names
            still = set(missed)
            self.names = [name for name in before if name in still]
