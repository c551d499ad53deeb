"""Optimizers by name: short compositions of the parts beside this file, which anybody could have typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .. import variants
from ..errors import BadInput
from .adam import Adam
from .after import After, Proximable, Proximal
from .around import Around
from .before import Before, Decay
from .direction import Direction
from .grouping import Groups
from .momentum import Momentum
from .muon import Orthogonal
from .optimizer import Update


def AdamW(
    groups: Groups,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    *,
    weight_decay: float = 0.0,
    before: Sequence[Before] = (Decay(),),
    proximal: Proximable | None = None,
    after: Sequence[After] = (),
    around: Around | None = None,
) -> Update:
    """Return AdamW over `groups`: ``Update(groups, {"adamw": Adam(lr, betas, eps)}, before=[Decay()], after=after)``.

    w <- (1 - lr*wd) w - lr * m/(sqrt(v) + eps). The decay is each group's `weight_decay`, or else the one that is given
    here (0, where torch has 0.01), which norms and biases have too; `optim.groups(model, decay=0.1)` decays matrices
    alone. `before` says how it is taken: by `Decay`, or by `Cautious`. `proximal` is a penalty that a proximal step
    applies, in the metric sqrt(v) + eps; `after` follows it. State and state dict are those of torch.optim.AdamW, and
    each loads the other's. On a CPU one pass of `ops.update` goes over all groups.

    Source:
        Loshchilov and Hutter, "Decoupled weight decay regularization" (arXiv 1711.05101), algorithm 2.

    Example:
        >>> import torch
        >>> layer = torch.nn.Linear(2, 2)
        >>> AdamW(layer.parameters(), lr=0.1).param_groups[0]["peak"]
        0.1
    """
    methods = {"adamw": _made("AdamW", Adam, {"lr": lr, "betas": betas, "eps": eps})}
    return Update(groups, methods, before, chain(proximal, after), around, weight_decay=weight_decay)


def SGD(
    groups: Groups,
    lr: float = 1e-3,
    momentum: float = 0.0,
    *,
    weight_decay: float = 0.0,
    before: Sequence[Before] = (Decay(),),
    proximal: Proximable | None = None,
    after: Sequence[After] = (),
    around: Around | None = None,
) -> Update:
    """Return SGD over `groups`: ``Update(groups, {"sgd": Momentum(lr, momentum)}, before=[Decay()], after=after)``.

    w <- (1 - lr*wd) w - lr b, b <- momentum * b + g. The decay is decoupled, `weight_decay` as in AdamW; torch's SGD
    adds it to the gradient, which is the same without momentum. `proximal` is a penalty that a proximal step applies
    (with L1 this is iterative soft thresholding); `after` follows it.

    Example:
        >>> import torch
        >>> from mainstem import penalty
        >>> w = torch.nn.Parameter(torch.tensor([[1.0, -0.3], [0.05, 2.0]]))
        >>> w.grad = torch.zeros(2, 2)
        >>> SGD([w], lr=0.1, proximal=penalty.L1(1.0)).step()
        >>> w.data
        tensor([[ 0.9000, -0.2000],
                [ 0.0000,  1.9000]])
    """
    methods = {"sgd": _made("SGD", Momentum, {"lr": lr, "momentum": momentum})}
    return Update(groups, methods, before, chain(proximal, after), around, weight_decay=weight_decay)


def Muon(
    groups: Groups,
    lr: float = 0.02,
    adamw_lr: float = 1e-3,
    momentum: float = 0.95,
    betas: tuple[float, float] = (0.9, 0.95),
    eps: float = 1e-8,
    scale: str = "original",
    roles: Sequence[str] = Orthogonal.roles,
    *,
    weight_decay: float = 0.0,
    before: Sequence[Before] = (Decay(),),
    proximal: Proximable | None = None,
    after: Sequence[After] = (),
    around: Around | None = None,
) -> Update:
    """Return Muon for matrices whose role is in `roles` and AdamW for all other parameters.

    ``Update(groups, {"muon": Orthogonal(...), "adamw": Adam(...)}, before=[Decay()], after=after)``. For a matrix:
    buf <- momentum*buf + (1-momentum)*g, u = (1-momentum)*g + momentum*buf, then
    w <- (1 - lr*wd) w - lr * scale(rows, columns) * orthogonalize(u). The decay takes the unadjusted lr, as in torch;
    a proximal step takes lr * scale, the length of the step, and is Euclid's. `groups` are those of `optim.groups`; of
    groups or parameters without a role every matrix is Muon's. Each group gets a `method` ("muon" or "adamw", which a
    group may also bring along), its `peak` learning rate and its `lr`: `lr` for matrices and `adamw_lr` for the rest,
    times its lr_scale.

    Raises:
        BadInput: for an unknown scale, where no parameter is left for Muon, and where one that is not 2-D is given to
            it.

    Source:
        Jordan et al., "Muon" (2024). Unlike torch.optim.Muon it computes in float32 where bfloat16 is slow, multiplies
        matrices of one shape together, and divides by |u| + 1e-7 rather than by max(|u|, 1e-7).

    Example:
        >>> import torch
        >>> net = torch.nn.Linear(4, 4)
        >>> [group["method"] for group in Muon(net.parameters()).param_groups]
        ['muon', 'adamw']
    """
    own = {"lr": lr, "momentum": momentum, "scale": scale, "roles": tuple(roles)}
    rest = {"lr": adamw_lr, "betas": betas, "eps": eps}
    methods = {"muon": _made("Muon", Orthogonal, own), "adamw": _made("Muon", Adam, rest, {"lr": "adamw_lr"})}
    made = Update(groups, methods, before, chain(proximal, after), around, weight_decay=weight_decay)
    if not any(group["method"] == "muon" and group["params"] for group in made.param_groups):
        found = sorted({str(group.get("role", "none")) for group in made.param_groups})
        raise BadInput(
            f"Muon was given no 2-D matrix of the roles {', '.join(roles)}, only {', '.join(found)}: "
            'name others, as roles=("linear",) for a foreign model, or use AdamW.'
        )
    return made


def chain(proximal: Proximable | None, after: Sequence[After]) -> list[After]:
    """Return `after` behind the proximal step of a penalty, where there is one."""
    return [*([] if proximal is None else [Proximal(proximal)]), *after]


def _made(
    preset: str, direction: type[Direction], values: Mapping[str, Any], called: Mapping[str, str] | None = None
) -> Direction:
    """Return a direction of `preset`, whose argument is what is refused; `called` has its name where it is another."""
    for name, value in values.items():
        variants.hold(direction, name, value, f"{(called or {}).get(name, name)} of {preset}")
    return direction(**values)
