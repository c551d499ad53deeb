"""AdamW as torch has it, made from groups that carry a learning-rate scale.

May import torch, `errors`, `ops`, `along` and `light`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from .. import ops
from ..errors import BadInput
from .along import Along, passes
from .light import Light

Groups = Iterable[Tensor] | Iterable[Mapping[str, Any]]
"""Parameters, or parameter groups as `groups` and torch have them."""

_FUSED = frozenset({"cpu", "cuda", "mps", "xpu"})


class AdamW(Light, torch.optim.AdamW):
    """torch's AdamW over `groups`, whose every group has its `peak` learning rate, lr times its lr_scale.

    w <- (1 - lr*wd) w - lr * m/(sqrt(v) + eps), with the moments m and v corrected for their start at 0. The decay is
    each group's `weight_decay`, 0 where it has none (torch's own default is 0.01). On a CPU one pass of `ops.update`
    goes over all groups, elsewhere torch's fused step runs; state and state dict are torch's.

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization" (arXiv 1711.05101), algorithm 2.

    >>> layer = torch.nn.Linear(2, 2)
    >>> AdamW(layer.parameters(), lr=0.1).param_groups[0]["peak"]
    0.1
    """

    def __init__(
        self, groups: Groups, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ) -> None:
        listed = listed_groups(groups)
        for group in listed:
            set_peak(group, lr)
        fused = can_fuse(p for g in listed for p in g["params"])
        super().__init__(listed, lr=lr, betas=betas, eps=eps, weight_decay=0.0, fused=fused)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None, along: Along | None = None) -> Any:
        """Update all parameters that have a gradient; a `closure` computes the loss first, which is returned.

        `along` says what is done in the same pass.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        along = Along() if along is None else along
        if passes(self.param_groups):
            update_groups(self.param_groups, self.state, along)
        else:
            along.clip(p for group in self.param_groups for p in group["params"])
            super().step()
        return loss


def update_groups(groups: Iterable[Mapping[str, Any]], state: Mapping[Tensor, dict[str, Any]], along: Along) -> None:
    """Update all groups of AdamW in one pass, or in one for each pair of betas and eps."""
    alike: dict[tuple[Any, ...], list[tuple[Tensor, float, float]]] = {}
    for group in groups:
        entries = alike.setdefault((tuple(group["betas"]), group["eps"]), [])
        entries += [(p, group["lr"], group["weight_decay"]) for p in group["params"] if p.grad is not None]
    for (betas, eps), entries in alike.items():
        params = [p for p, _, _ in entries]
        held = [state[p] for p in params]
        for p, own in zip(params, held, strict=True):
            if not own:
                own["step"] = torch.zeros((), dtype=torch.float32)
                own["exp_avg"], own["exp_avg_sq"] = torch.zeros_like(p), torch.zeros_like(p)
        ops.update.adamw(
            params,
            [p.grad for p in params if p.grad is not None],
            [own["exp_avg"] for own in held],
            [own["exp_avg_sq"] for own in held],
            [own["step"] for own in held],
            rates=[rate for _, rate, _ in entries],
            decays=[decay for _, _, decay in entries],
            betas=betas,
            eps=eps,
            **along.clipping(),
            **along.follow(params),
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
