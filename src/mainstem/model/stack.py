"""Somebody's layers under any residual form.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .. import execute, noise
from ..errors import BadInput
from ..form import Form, Parts, parse
from ..form.alone import ROLES, SUBLAYERS
from ..nn import Context, NormSpec
from ..nn.unmade import unmade
from ..noise import NoiseSpec
from ..optim.groups import Multipliers
from ..optim.roles import roles
from ..stream import Residual, Site
from ..stream.calling import Uncallable, apart, elsewhere
from ..stream.given import refuse_untaken
from ..wording import several
from .block import block, places
from .foreign import Foreign, ForeignSpec, foreign

Layers = Iterable[nn.Module | Iterable[nn.Module]]


class Stack(nn.Module):
    """Layers of your own under a residual form: each is the F of a residual, and the stream runs through all of them.

    Formula:
        with the form pre_norm, x <- x + F_l(Norm_l(x)) for each layer l, then Norm(x)

    A layer is a module that is called with x and returns a tensor of x's shape, or several of which that is the first:
    what is added to x, without x itself. Norms, residual connections and factors are the form's, and begin on the
    device of the layers and in their dtype. The stack opens and closes the stream, once.

    Arguments by name beside x go to the layers that take them: a mask, positions, a second input.

    At the first call a warning names a layer of the first block that adds x itself, as a whole block of transformers or
    of timm does: it is asked with its matrices at 0.

    Shapes:
        x, y [B, T, D], or another one shape with samples first and one axis of width D, such as [B, D] or, with
        ``axis=1``, images [B, D, H, W]; the layers see it as it is, and the form sees every place as a position

    Args:
        form: a form of `mainstem.form`, or its name as a configuration says it.
        layers: the modules in order, each a block of its own; or lists of modules, each list a block. Every block has
            the same number, and at one place in it the same kind: attention, by the class's name, or another.
        width: D.
        norm: the norm of the form; RMSNorm if left out.
        noises: what is dropped at the branches, such as ``noise.Branches(noise.Rate(0.1, depth="linear"))``.
        axis: where in x the width is.

    Raises:
        BadInput: a layer is no module, has a residual of its own as `nn.TransformerEncoderLayer` does, has the sequence
            in front of the samples as `nn.LSTM` without ``batch_first``, or cannot be called with x and arguments by
            name; blocks are not alike; the form changes what a sublayer does inside, or the initial weights of its
            parts, which a layer of yours does not name by `roles()`; and in a forward, where x or what a layer returns
            is not of that shape, no layer takes an argument, a layer lacks one, the form mixes positions and x has no
            single axis of them, or x and weights lie on different devices.

    Example:
        >>> import torch
        >>> layers = [nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 8)) for _ in range(6)]
        >>> Stack("hyper", layers, width=8)(torch.randn(2, 5, 8)).shape
        torch.Size([2, 5, 8])
    """

    def __init__(
        self,
        form: Form | str | dict[str, Any],
        layers: Layers,
        width: int,
        norm: NormSpec | None = None,
        noises: Sequence[NoiseSpec] = (),
        *,
        axis: int = -1,
    ) -> None:
        super().__init__()
        form = form if isinstance(form, Form) else parse(form)
        _check(width, norm, noises)
        if axis == 0:
            raise BadInput("axis 0 is that of the samples: give the axis of the width, 1 for images [B, D, H, W].")
        blocks = _specs(layers, axis)
        self.form, self.width, self.axis = form, width, axis
        found = places(form, blocks[0], len(blocks), width, norm or NormSpec())
        step = len(blocks[0])
        _refuse(form, found)
        self.blocks = nn.ModuleList(
            block(form, found[at * step : (at + 1) * step], list(specs), noises) for at, specs in enumerate(blocks)
        )
        self.stream = form.stream(found)
        for residual in (part for part in self.blocks.modules() if isinstance(part, Residual)):
            for layer in residual.modules() if residual.connection.replaces else ():
                if isinstance(layer, Foreign):  # nobody adds its input a second time
                    layer.looked = True
        for part in (self.blocks, self.stream):
            _follow(part, [p for specs in blocks for spec in specs for p in spec.module.parameters()])
        self._site = found[0]
        scaled: set[int] = set()
        for site, spec in zip(found, (spec for specs in blocks for spec in specs), strict=True):
            _scale(form, site, spec, scaled)
        noise.bind(self)

    def multipliers(self) -> dict[str, Multipliers]:
        """Return the factors that the form puts on learning rates, decay and eps, by parameter."""
        form, site = self.form, self._site
        found = {name: form.multipliers(role, site, name.startswith("blocks.")) for name, role in roles(self).items()}
        return {name: Multipliers(lr=each.lr, decay=each.decay, eps=each.eps) for name, each in found.items()}

    def forward(self, x: Tensor, *args: Any, **given: Any) -> Tensor:
        """Return what is behind the last layer, of x's shape; `given` goes to the layers that take it."""
        if args:
            raise BadInput(
                f"The stack was given {several(len(args), 'argument')} beside x without a name: give them "
                "by name, so that it is "
                "known which layers take them."
            )
        rank = self.axis + 1 if self.axis > 0 else max(2, -self.axis)
        if x.dim() < rank or x.shape[self.axis] != self.width or not x.is_floating_point() or x.dim() < 2:
            where = "[B, T, {0}], or [B, ..., {0}]" if self.axis == -1 else "{0} along axis {1}"
            raise BadInput(
                f"x is {x.dtype} of shape {list(x.shape)}, and the stack takes floating point "
                f"{where.format(self.width, self.axis)}: give samples first, and the width as that axis."
            )
        if given:
            refuse_untaken([part.module for part in self.modules() if isinstance(part, Foreign)], given)
        if x.dim() == 3 and self.axis in (-1, 2):
            return self._run(x, Context(given=given))
        if self.form.along_positions():
            raise BadInput(
                f"{self.form} mixes positions, and x is of shape {list(x.shape)} without a single axis of them: give "
                f"[B, T, {self.width}], or take another form."
            )
        last = x.movedim(self.axis, -1)
        shape = tuple(last.shape[1:-1])
        flat_BTD = last.reshape(x.shape[0], math.prod(shape), self.width)
        y_BTD = self._run(flat_BTD, Context(given=given, shape=shape))
        return y_BTD.reshape(last.shape).movedim(-1, self.axis)

    def _run(self, x_BTD: Tensor, ctx: Context) -> Tensor:
        if torch.compiler.is_compiling():
            return execute.run(self.stream, self.blocks, x_BTD, ctx)
        try:
            return execute.run(self.stream, self.blocks, x_BTD, ctx)
        except Uncallable:
            raise
        except (RuntimeError, BadInput) as error:
            if (why := elsewhere(self, {"x": x_BTD, **ctx.given}) or apart(self, x_BTD, error)) is not None:
                raise Uncallable(f"The stack {why}") from error
            raise

    def extra_repr(self) -> str:
        return f"form={self.form}, width={self.width}"


def _check(width: Any, norm: Any, noises: Any) -> None:
    if not isinstance(width, int) or isinstance(width, bool) or width < 1:
        raise BadInput(f"width is {width!r}: give the number of elements that a position has.")
    if not (norm is None or isinstance(norm, NormSpec)):
        raise BadInput(
            f"norm is {norm!r}: give a value by which each norm is made, such as "
            "mainstem.nn.NormSpec(mainstem.nn.LayerNorm)."
        )
    if not isinstance(noises, (list, tuple)) or not all(isinstance(each, NoiseSpec) for each in noises):
        raise BadInput(
            f"noises is {noises!r}: give a list of noises as values, such as [mainstem.noise.Branches(0.1)]."
        )


def _specs(layers: Layers, axis: int) -> list[list[ForeignSpec]]:
    given = [[each] if isinstance(each, nn.Module) and not isinstance(each, nn.ModuleList) else each for each in layers]
    blocks = []
    for number, modules in enumerate(given):
        if not isinstance(modules, Iterable):
            raise BadInput(
                f"Layer {number} is of type {type(modules).__name__}: give a torch.nn.Module, or a list of them."
            )
        blocks.append([foreign(module, f"{number}.{place}", axis) for place, module in enumerate(modules)])
    if not blocks or not blocks[0]:
        raise BadInput("A stack was given no layers: give modules that are called with x, or lists of them.")
    first = [spec.kind for spec in blocks[0]]
    for number, specs in enumerate(blocks):
        if (kinds := [spec.kind for spec in specs]) != first:
            raise BadInput(
                f"Block {number} has the sublayers {', '.join(kinds)} and block 0 {', '.join(first)}, and a form needs "
                "blocks that are alike: give lists of equally many modules in one order."
            )
    return blocks


def _follow(part: nn.Module, weights: Sequence[Tensor]) -> None:
    """Move what of `part` is the form's to the device and the dtype of the layers' `weights`, where they have one."""
    if isinstance(part, Foreign):
        return
    if any(isinstance(inner, Foreign) for inner in part.modules()):
        for child in part.children():
            _follow(child, weights)
        return
    if len(devices := {weight.device for weight in weights}) == 1:
        part.to(device=next(iter(devices)))
    if len(dtypes := {weight.dtype for weight in weights if weight.is_floating_point()}) == 1:
        part.to(dtype=next(iter(dtypes)))


def _refuse(form: Form, found: Sequence[Site]) -> None:
    """Refuse a form that changes what a sublayer does inside: a layer of somebody's has no such places."""
    with unmade():
        for site in found:
            if form.branch(site, Parts((nn.Identity(),), SUBLAYERS[site.kind])).sublayer != SUBLAYERS[site.kind]:
                raise BadInput(
                    f"{type(form).__name__} changes what a sublayer does inside (its values, heads or hidden units), "
                    "which a layer of yours has no place for: take another form, or a mainstem.model.LanguageModel."
                )


def _scale(form: Form, site: Site, spec: ForeignSpec, scaled: set[int]) -> None:
    """Multiply initial weights as the form says, by the roles that the layer publishes, and add their ids to `scaled`.

    What is scaled already is shared with a layer before.
    """
    factors = {role: form.init_scale(site, role) for role in ROLES if role.startswith(site.kind)}
    if all(factor == 1 for factor in factors.values()):
        return
    said = {name: factors[role] for name, role in roles(spec.module).items() if role in factors}
    if not said:
        names = ", ".join(role for role, factor in factors.items() if factor != 1)
        raise BadInput(
            f"{type(form).__name__} scales the initial weights of {names}, and layer {spec.place}, "
            f"{type(spec.module).__name__}, does not say which those are: give it a method roles(), as "
            'optim.roles has it, or take a form such as "post_norm" or "pre_norm".'
        )
    with torch.no_grad():
        for name, factor in said.items():
            weight = spec.module.get_parameter(name)
            if id(weight) not in scaled:
                weight.mul_(factor)
            scaled.add(id(weight))
