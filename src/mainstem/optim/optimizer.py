"""An update as a chain: before, a direction, after; and the contract of torch's optimizers for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ..errors import BadInput
from . import fused, sharded
from .after import After
from .around import Around
from .averaging import Follow
from .before import Before
from .clip import Clip
from .direction import Direction, Moved
from .gate import Gate
from .grouping import BY_PARAMETER, Groups, at_least_zero, complete, listed, split, with_names
from .light import Light
from .owners import Among


class Update(Light):
    """w <- before(w); w <- w - lr * size * u; w <- after(w), where u is the direction of the parameter's method. Final.

    `groups` are parameters or parameter groups, as `optim.groups` makes them. `methods` are directions by name: a
    group says its `method`, or else the first that takes a parameter has it; one without a `weight_decay` has the one
    given here. `before` (`Decay`) and `after` (`Proximal`, `MaxNorm`, `Average.of(model)`) run in their order. AdamW,
    Muon and SGD are short compositions of it.
    `around` (`SAM`, `ASAM`) asks for the gradient at other weights: `step` then calls its closure twice, or `perturbed`
    comes first.

    It keeps torch's contract: `param_groups` are the truth at the time of a step (`lr` may be a tensor), closures,
    schedulers, `add_param_group`, `state_dict` and `load_state_dict`; `found_inf` and `grad_scale`, where somebody
    sets them, skip a step and unscale its gradients. A step with every rate 0 and no gradient other than 0 makes the
    states, as distributed checkpoints ask for before they load, and is remembered nowhere. With FSDP2 parameters may
    be spread over processes or not.

    Chains that a kernel computes exactly (Adam or Muon with `Decay`, then an average) are run by it; all others run
    tensor by tensor.

    Raises:
        BadInput: where there is no parameter, a group names an unknown method or has a number that this cannot take, or
            an `after` selects nothing.

    Example:
        >>> from mainstem.optim import Decay, Momentum
        >>> w = torch.nn.Parameter(torch.ones(2))
        >>> optimizer = Update([{"params": [w], "weight_decay": 1.0}], {"sgd": Momentum(lr=0.1)}, before=[Decay()])
        >>> w.grad = torch.ones(2)
        >>> optimizer.step()
        >>> w.data
        tensor([0.8000, 0.8000])
    """

    def __init__(
        self,
        groups: Groups,
        methods: Mapping[str, Direction],
        before: Sequence[Before] = (),
        after: Sequence[After | Follow] = (),
        around: Around | None = None,
        weight_decay: float = 0.0,
    ) -> None:
        at_least_zero("weight_decay", weight_decay)
        self.methods = dict(methods)
        self.before, self.around = tuple(before), around
        self._is_second = False
        self._gate: Gate | None = None
        self.after = tuple(each for each in after if isinstance(each, After))
        self.followers = tuple(each for each in after if isinstance(each, Follow))
        super().__init__(listed(groups), {"lr": next(iter(methods.values())).lr, "weight_decay": weight_decay})
        taken = {label for group in self.param_groups for label in group["after"]}
        for each in self.after:
            if repr(each) not in taken:
                raise BadInput(f"No parameter of the optimizer fits {each!r}: give a role or pattern that one has.")

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group as the constructor does: in two, where some of its parameters have another method or chain."""
        given = with_names(param_group)
        given.setdefault("weight_decay", self.defaults["weight_decay"])
        for part in split(given, self.methods, self.after):
            super().add_param_group(part)
        defaults = {key: value for key, value in self.param_groups[0].items() if key in ("betas", "momentum")}
        self.defaults.update(defaults)  # schedulers of momentum look here

    def __getstate__(self) -> dict[str, Any]:
        kept = ("methods", "before", "after", "followers", "around", "_is_second")
        self.settle()
        return {**super().__getstate__(), "_gate": None, **{key: self.__dict__[key] for key in kept}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load what `state_dict` returned, or torch.optim.AdamW's: what that does not know stays as it is here."""
        _refuse_unlike(self.param_groups, state_dict)
        self.settle()
        before = [{key: value for key, value in group.items() if key != "peak"} for group in self.param_groups]
        super().load_state_dict(state_dict)
        for group, own in zip(self.param_groups, before, strict=True):
            # This optimizer knows its own names and chain; the one that was saved may have had others.
            group.update({key: own[key] for key in (*BY_PARAMETER, "role", "method", "after") if key in own})
            group.setdefault("peak", float(group.get("initial_lr", group["lr"])))
            split(group, self.methods, self.after)  # raises for options that it cannot honour
            for key, value in complete({**own, **group}, self.methods).items():
                group.setdefault(key, value)

    @torch.no_grad()
    def step(
        self,
        closure: Callable[[], Any] | None = None,
        *,
        clip: Clip | None = None,
        follow: Sequence[Follow] = (),
        gate: Gate | None = None,
        among: Among | None = None,
    ) -> Any:
        """Update all parameters that have a gradient; a `closure` computes the loss first, which is returned.

        `clip` scales gradients, in the same pass where there is one; the averages in `follow` come last. With a `gate`
        nothing has changed where that says so, and the device alone knows it until `settle`, or the next step.
        Processes `among` which all take this step, with the same gradients, share what is worth sending: Muon's
        orthogonal matrices.
        """
        self.settle()
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
                if self.around is not None:
                    self._refuse_scaler()
                    with self.perturbed():
                        self.zero_grad()
                        closure()
        if self._overflowed():
            return loss
        moved = {name: self._gather(name, among) for name in self.methods}
        if gate is None and _idle(moved):
            return loss
        if self.around is not None:
            if not self._is_second:
                raise BadInput(
                    f"{self.around!r} needs a second gradient: give step() a closure that computes loss and gradient, "
                    "or take the gradient again inside `with optimizer.perturbed()`"
                )
            self._is_second = False
        followers = (*self.followers, *follow)
        for name, direction in self.methods.items():
            self._move(moved[name], direction, clip or Clip(), followers, gate)
        for each in followers:
            each(gate)
        if gate is not None:
            gate.close()
            self._gate = gate
        return loss

    def settle(self) -> None:
        """Take back what the CPU counts of the last step, where its gate has not let it through; waits for that step.

        `optim.state.flatten` asks for it.
        """
        if (gate := self._gate) is not None:  # torch 2.10 compiles no attribute of an optimizer that is set
            self._gate = None
            gate.settle()

    @contextmanager
    def perturbed(self) -> Iterator[None]:
        """Let the weights be w + e inside a ``with``, for the second gradient; w comes back to the bit, whatever
        happens there. e is what `around` makes of the present gradients."""
        assert self.around is not None
        self._refuse_scaler()
        self._is_second = False
        params = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        here = sharded.local_all(p.detach() for p in params)
        own = [w.clone() for w in here]
        with torch.no_grad():
            away = self.around.away(params, [sharded.placed_as(p.grad, p) for p in params]) if params else []
            if away:
                torch._foreach_add_(here, away)
        try:
            yield
        finally:
            if away:
                torch._foreach_copy_(here, own)
        self._is_second = True  # not where it was broken off: the gradients may be the first ones

    def _refuse_scaler(self) -> None:
        if getattr(self, "found_inf", None) is not None or getattr(self, "grad_scale", None) is not None:
            raise BadInput(
                f"{self.around!r} takes no gradients that a GradScaler has scaled: use bfloat16 without one."
            )

    def _move(
        self, moved: Moved, direction: Direction, clip: Clip, followers: Sequence[Follow], gate: Gate | None
    ) -> None:
        alone = followers[0] if len(followers) == 1 and not self.after and gate is None else None
        if gate is not None and (self.after or not fused.gates(moved, direction, self.before)):
            states = (tensor for state in moved.states for tensor in state.values())
            gate.hold(sharded.local_all([*moved.params, *states]))
        if moved.params and not fused.run(moved, direction, self.before, clip, alone, gate):
            clip.scale(sharded.local_all(moved.grads))
            updates = direction(moved)
            params = sharded.local_all(moved.params)
            for step in self.before:
                step(params, updates, moved.groups)
            along(params, updates, moved.rates(direction))
        for each in self.after:
            label = repr(each)
            each(moved.take([i for i, group in enumerate(moved.groups) if label in group["after"]]), direction)

    def _gather(self, method: str, among: Among | None) -> Moved:
        """Return the parameters with a gradient that `method` moves; each has a state then."""
        moved = Moved([], [], [], [], among)
        for group in self.param_groups:
            for p in group["params"]:
                if group["method"] != method or p.grad is None:
                    continue
                if p.grad.layout != torch.strided:
                    raise BadInput(f"A gradient of shape {list(p.shape)} is sparse: make its layer with sparse=False.")
                if not self.state[p]:
                    self.state[p].update(self.methods[method].begin(p))
                moved.add(p, sharded.placed_as(p.grad, p), self.state[p], group)
        return moved

    def _overflowed(self) -> bool:
        """Return whether a scaler found infinite gradients; undo the scale of finite ones where it has not."""
        if (found := getattr(self, "found_inf", None)) is not None and bool(found):
            return True
        if (scale := getattr(self, "grad_scale", None)) is not None:
            grads = [p.grad for group in self.param_groups for p in group["params"] if p.grad is not None]
            torch._foreach_div_(sharded.local_all(grads), float(scale))
        return False


def along(params: Sequence[Tensor], updates: Sequence[Tensor], rates: Sequence[float]) -> None:
    """Subtract rate * update from each parameter."""
    for rate in dict.fromkeys(rates):
        some = [i for i, own in enumerate(rates) if own == rate]
        torch._foreach_add_([params[i] for i in some], [updates[i] for i in some], alpha=-rate)


def _refuse_unlike(groups: Sequence[Mapping[str, Any]], state_dict: Mapping[str, Any]) -> None:
    """Refuse moments of another shape than their parameter's: torch's kernel reads as many numbers as that has."""
    params = [p for group in groups for p in group["params"]]
    saved = [number for group in state_dict["param_groups"] for number in group["params"]]
    for number, p in zip(saved, params, strict=False):  # torch counts them
        for entry, value in state_dict["state"].get(number, {}).items():
            if isinstance(value, Tensor) and value.ndim and value.shape != p.shape:
                raise BadInput(
                    f"The state has {entry} of shape {list(value.shape)} for a parameter of shape {list(p.shape)}: "
                    "load that of an optimizer of the same model."
                )


def _idle(moved: Mapping[str, Moved]) -> bool:
    rates = [float(group["lr"]) for each in moved.values() for group in each.groups]
    grads = [grad for each in moved.values() for grad in each.grads]
    return bool(rates) and not any(rates) and float(sharded.norm(grads)) == 0
