"""Muon for the hidden matrices and AdamW for everything else, in one optimizer.

May import torch, `errors`, `ops` and this folder.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.adamw import adamw

from .. import ops
from ..errors import BadInput
from .adamw import Groups, can_fuse, listed_groups, set_peak, update_groups
from .along import Along, passes
from .light import Light
from .orthogonal import orthogonalize_all
from .roles import is_within

SCALES: dict[str, Callable[[int, int], float]] = {
    "original": lambda rows, columns: math.sqrt(max(1.0, rows / columns)),
    "match_rms_adamw": lambda rows, columns: 0.2 * math.sqrt(max(rows, columns)),
}
"""What the orthogonal step is multiplied by. With "match_rms_adamw" (arXiv 2502.16982) its elements are as large as
AdamW's, so that AdamW's learning rate and decay carry over."""


class Muon(Light):
    """Muon for matrices whose role is in `roles`, AdamW for all other parameters.

    For a matrix: buf <- momentum*buf + (1-momentum)*g, u = (1-momentum)*g + momentum*buf, then
    w <- (1 - lr*wd) w - lr * scale(rows, columns) * orthogonalize(u). The decay takes the unadjusted lr, as in torch.
    `groups` are those of `optim.groups`; of groups or parameters without a role every 2-D one is a matrix. Each group
    gets a `method` ("muon" or "adamw", which a group may also bring along), its `peak` learning rate and its `lr`:
    `lr` for matrices and `adamw_lr` for the rest, times its lr_scale.

    Raises `BadInput` for an unknown scale, where no parameter is left for Muon, and where one that is not 2-D is
    given to it.

    Source: Jordan et al., "Muon" (2024). Unlike torch.optim.Muon it computes in float32 where bfloat16 is slow,
    multiplies matrices of one shape together, and divides by |u| + 1e-7 rather than by max(|u|, 1e-7).

    >>> net = torch.nn.Linear(4, 4)
    >>> [group["method"] for group in Muon(net.parameters()).param_groups]
    ['muon', 'adamw']
    """

    _roles: tuple[str, ...] = ("attention", "feedforward")

    def __init__(
        self,
        groups: Groups,
        lr: float = 0.02,
        adamw_lr: float = 1e-3,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.95),
        eps: float = 1e-8,
        scale: str = "original",
        roles: Sequence[str] = _roles,
    ) -> None:
        if scale not in SCALES:
            raise BadInput(f"Muon has no scale {scale!r}: choose {' or '.join(SCALES)}")
        self._roles = tuple(roles)
        own = {"momentum": momentum, "scale": scale, "betas": betas, "eps": eps, "weight_decay": 0.0}
        listed = [part for group in listed_groups(groups) for part in self._split(group)]
        if not any(group["method"] == "muon" for group in listed):
            found = sorted({str(group.get("role", "none")) for group in listed})
            raise BadInput(
                f"Muon was given no 2-D matrix of the roles {', '.join(roles)}, only {', '.join(found)}: "
                'name others, as roles=("linear",) for a foreign model, or use AdamW'
            )
        for group in listed:
            set_peak(group, lr if group["method"] == "muon" else adamw_lr)
            group["fused"] = group["method"] == "adamw" and can_fuse(group["params"])
        super().__init__(listed, own | {"lr": lr, "lr_scale": 1.0})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Refuse groups that come later: who takes which matrix is decided once, by the constructor."""
        if "method" not in param_group:
            raise BadInput("Muon takes no parameter group once it is made: give all of them to its constructor")
        super().add_param_group(param_group)

    def _split(self, group: dict[str, Any]) -> list[dict[str, Any]]:
        params, names = group["params"], group.get("names")
        if group.get("method") == "muon" and any(p.ndim != 2 for p in params):
            raise BadInput(f"Muon takes matrices, and {names or 'one of the parameters'} has another shape: use AdamW")
        chosen = [group["method"] == "muon" if "method" in group else self._takes(group, p) for p in params]
        parts = []
        for method in ("muon", "adamw"):
            kept = [i for i, is_matrix in enumerate(chosen) if is_matrix == (method == "muon")]
            if kept:
                part = group | {"method": method, "params": [params[i] for i in kept]}
                parts.append(part if names is None else part | {"names": [names[i] for i in kept]})
        return parts

    def _takes(self, group: dict[str, Any], parameter: Tensor) -> bool:
        role = group.get("role")
        return parameter.ndim == 2 and (role is None or any(is_within(role, head) for head in self._roles))

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
        matrices = [group for group in self.param_groups if group["method"] == "muon"]
        others = [group for group in self.param_groups if group["method"] == "adamw"]
        if passes(self.param_groups):
            self._pass(matrices, along)
            update_groups(others, self.state, along)
            return loss
        along.clip(p for group in self.param_groups for p in group["params"])
        updates = [(p, u, group) for group in matrices for p, u in self._momentum(group)]
        steps = orthogonalize_all([u for _, u, _ in updates])
        for (p, _, group), step in zip(updates, steps, strict=True):
            p.mul_(1 - group["lr"] * group["weight_decay"])
            p.add_(step, alpha=-group["lr"] * SCALES[group["scale"]](*p.shape))
        for group in others:
            self._adamw(group)
        return loss

    def _pass(self, groups: list[dict[str, Any]], along: Along) -> None:
        """Update the matrices by two passes of `ops.update` and the products between them."""
        taken: list[tuple[Tensor, dict[str, Any]]] = []
        updates: list[Tensor] = []
        for momentum in dict.fromkeys(group["momentum"] for group in groups):
            alike = [(p, group) for group in groups if group["momentum"] == momentum for p in self._begun(group)]
            buffers = [self.state[p]["momentum_buffer"] for p, _ in alike]
            grads = [p.grad for p, _ in alike if p.grad is not None]
            updates += ops.update.momentum(buffers, grads, momentum=momentum, **along.clipping())
            taken += alike
        params = [p for p, _ in taken]
        ops.update.step(
            params,
            orthogonalize_all(updates),
            keeps=[1 - group["lr"] * group["weight_decay"] for _, group in taken],
            sizes=[group["lr"] * SCALES[group["scale"]](*p.shape) for p, group in taken],
            **along.follow(params),
        )

    def _begun(self, group: dict[str, Any]) -> list[Tensor]:
        """Return the parameters that have a gradient; each has a buffer then."""
        params = [p for p in group["params"] if p.grad is not None]
        for p in params:
            if not self.state[p]:
                self.state[p]["momentum_buffer"] = torch.zeros_like(p)
        return params

    def _momentum(self, group: dict[str, Any]) -> list[tuple[Tensor, Tensor]]:
        params = self._begun(group)
        if not params:
            return []
        grads = [p.grad for p in params if p.grad is not None]
        buffers = [self.state[p]["momentum_buffer"] for p in params]
        torch._foreach_lerp_(buffers, grads, 1 - group["momentum"])
        return list(zip(params, torch._foreach_lerp(grads, buffers, group["momentum"]), strict=True))

    def _adamw(self, group: dict[str, Any]) -> None:
        params = [p for p in group["params"] if p.grad is not None]
        if not params:
            return
        for p in params:
            if not self.state[p]:
                counted_on = p.device if group["fused"] else torch.device("cpu")
                self.state[p]["step"] = torch.zeros((), dtype=torch.float32, device=counted_on)
                self.state[p] |= {"exp_avg": torch.zeros_like(p), "exp_avg_sq": torch.zeros_like(p)}
        held = [self.state[p] for p in params]
        adamw(
            params,
            [p.grad for p in params],
            [state["exp_avg"] for state in held],
            [state["exp_avg_sq"] for state in held],
            [],
            [state["step"] for state in held],
            fused=group["fused"],
            amsgrad=False,
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )
