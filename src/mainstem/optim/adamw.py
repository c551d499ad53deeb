"""AdamW as torch has it, made from groups that carry a learning-rate scale.

May import torch and `errors`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from ..errors import BadInput

Groups = Iterable[Tensor] | Iterable[Mapping[str, Any]]
"""Parameters, or parameter groups as `groups` and torch have them."""

_FUSED = frozenset({"cpu", "cuda", "mps", "xpu"})


def AdamW(
    groups: Groups, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
) -> torch.optim.AdamW:
    """Return torch's AdamW over `groups`, whose every group has its `peak` learning rate, lr times its lr_scale.

    w <- (1 - lr*wd) w - lr * m/(sqrt(v) + eps), with the moments m and v corrected for their start at 0. The decay is
    each group's `weight_decay`, 0 where it has none (torch's own default is 0.01). It runs fused where the device
    can: on a CPU four times as fast as the other implementations.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization" (arXiv 1711.05101), algorithm 2.

    >>> layer = torch.nn.Linear(2, 2)
    >>> AdamW(layer.parameters(), lr=0.1).param_groups[0]["peak"]
    0.1
    """
    listed = listed_groups(groups)
    for group in listed:
        set_peak(group, lr)
    return torch.optim.AdamW(
        listed, lr=lr, betas=betas, eps=eps, weight_decay=0.0, fused=can_fuse(p for g in listed for p in g["params"])
    )


def listed_groups(groups: Groups) -> list[dict[str, Any]]:
    """Return copies of `groups` with their parameters as lists; bare parameters become one group.

    Raises `BadInput` where there is no parameter at all.
    """
    given: list[Any] = list(groups)
    bare = [part for part in given if isinstance(part, Tensor)]
    listed: list[dict[str, Any]] = [{"params": bare}] if bare else []
    for part in given:
        if not isinstance(part, Tensor):
            params = part["params"]
            listed.append({**part, "params": [params] if isinstance(params, Tensor) else list(params)})
    if not any(group["params"] for group in listed):
        raise BadInput("the optimizer was given no parameter: a model with trainable parameters is needed")
    return listed


def set_peak(group: dict[str, Any], lr: float) -> None:
    """Set the group's `peak` and `lr` to its own lr, or else to `lr`, times its `lr_scale`."""
    group["peak"] = group["lr"] = group.get("lr", lr) * group.get("lr_scale", 1.0)


def can_fuse(parameters: Iterable[Tensor]) -> bool:
    """Return whether torch's fused AdamW can take these parameters."""
    return all(p.device.type in _FUSED and p.is_floating_point() for p in parameters)
