"""What flows through the depth of a network."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor


class State(NamedTuple):
    """What flows through the depth of a network: the stream itself, and named values that travel beside it.

    Both are plain trees of tensors (a tensor, or tuples of them; a dict), so that checkpointing, compilation and
    distribution can look inside. A state is never changed in place.

    Args:
        main: the stream as its family has it: a tensor [B, T, D], S streams in one, a pair, a tensor with a history.
        side: values by name, such as the first block's attention values.

    Example:
        >>> import torch
        >>> State(torch.zeros(1, 2, 4), {}).with_side({"x0": torch.ones(1, 2, 4)}).side["x0"].shape
        torch.Size([1, 2, 4])
    """

    main: Any
    side: dict[str, Tensor]

    def with_side(self, side: dict[str, Tensor]) -> State:
        """Return the state with the values of `side` beside it too."""
        return State(self.main, {**self.side, **side}) if side else self


def leaves(tree: Any) -> list[Tensor]:
    """Return the tensors of a tree in order.

    Example:
        >>> import torch
        >>> len(leaves((torch.ones(1), (torch.ones(1), torch.ones(1)))))
        3
    """
    if isinstance(tree, Tensor):
        return [tree]
    if isinstance(tree, dict):
        return [leaf for name in tree for leaf in leaves(tree[name])]
    return [leaf for part in tree for leaf in leaves(part)]
