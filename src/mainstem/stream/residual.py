"""The residual: a branch and how it meets the stream.

Shapes: B batch, T position, D width.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, overload

import torch
from torch import Tensor, nn

from .. import counter
from ..errors import BadInput
from ..nn import Context
from ..nn.built import absent
from ..noise import StochasticDepth
from ..ops.gradient import transformed
from .branch import Branch, Output, modules_of, returns_tensor, sequence_first
from .calling import Uncallable, called, elsewhere, left_behind
from .connection import Add, Connection, Connects
from .given import by_sample, named, taken, tensors
from .own_sum import adds_input, may_add
from .refusal import refuse, refuse_changed, version, words
from .site import Site
from .state import State
from .stream import Stream
from .subset import spread, take


class Residual(nn.Module):
    """A branch F around which the stream flows on. Final.

    Formula:
        y = F(x) + x with the default connection, F(x) + W(x) with a shortcut W; in general, what `connection` reads
        and writes

    Called with a plain tensor it opens and closes the stream of its connection, so that it fits into any model. Further
    arguments (a mask, positions, a second input) go to the modules of F that take them. Where a module returns a tuple,
    its first is F(x), and the residual returns (y, what else there was).

    At the first call a warning names a branch of somebody's that adds x itself, as a whole block of a Transformer does:
    it is asked with its matrices at 0.

    Shapes:
        x, y of any one shape [B, ...] with the default connection; those with weights of a width D take [..., D].
        Called with a `State` it returns one, without what F returns behind its first.

    Args:
        branch: F, a module, or modules called in order.
        connection: how the branch reads and writes; `Add()` by default. Of a form it is the form's connection, for
            which `site` or `width` are needed. Of a form with several streams (hyper, mhc, mhc_lite, identity_mixing)
            and `width` alone they begin as copies of x here and end as their mean: hyper's begins as F(x) + x. Streams
            that run on through all layers are those of `mainstem.Stack`.
        drop_path: stochastic depth, or its rate. It decides before the branch is computed for whom it is; where an
            argument has an axis of samples, or a batch norm takes means over them, the branch is computed for all.
        shortcut: W, a module that brings x to the shape of F(x), such as ``nn.Conv2d(64, 128, 1, stride=2)``.
        width: D, for a form whose connection is the same everywhere in the model, or has streams of its own.
        site: where in the model the sublayer stands, of `mainstem.stream.sites`, for any other form.

    Raises:
        BadInput: F returns what cannot be added to x, adds x itself as `nn.TransformerEncoderLayer` does, changes x in
            place, takes no argument of that name, lacks one, or lies on another device than x; a branch that has the
            sequence in front of the samples, as `nn.LSTM` without ``batch_first``, sends values along the stream, or
            returns tensors behind its first, is left out by `drop_path`; a connection that needs a stream through
            several sublayers is called with a plain tensor; a form says more than how to connect; x has another width.

    Source:
        He et al. 2016 (1512.03385), equation 1, and 2 for `shortcut`; Huang et al. 2016 (1603.09382) for `drop_path`.

    Example:
        >>> block = Residual([nn.LayerNorm(4), nn.Linear(4, 4)], drop_path=0.1)
        >>> block(torch.randn(2, 3, 4)).shape
        torch.Size([2, 3, 4])
        >>> narrower = Residual(nn.Conv2d(3, 8, 3, stride=2, padding=1), shortcut=nn.Conv2d(3, 8, 1, stride=2))
        >>> narrower(torch.randn(2, 3, 16, 16)).shape
        torch.Size([2, 8, 8, 8])
    """

    def __init__(
        self,
        branch: nn.Module | Iterable[nn.Module],
        connection: Connection | Connects | None = None,
        drop_path: StochasticDepth | nn.Identity | float | None = None,
        *,
        shortcut: nn.Module | None = None,
        width: int | None = None,
        site: Site | None = None,
    ) -> None:
        super().__init__()
        if connection is None:
            connection = Add()
        elif not isinstance(connection, Connection):
            connection = _of_form(connection, width, site)
        self.connection, self._width = connection, width
        self.branch = Branch(modules_of(branch))
        self.drop_path = _drop_path(drop_path)
        if shortcut is not None and not isinstance(shortcut, nn.Module):
            raise BadInput(
                f"shortcut is {type(shortcut).__name__}: give a torch.nn.Module that brings x to the branch's shape."
            )
        if shortcut is not None and connection.replaces:
            raise BadInput(
                f"A shortcut goes beside the branch, and {type(connection).__name__} keeps the branch alone: leave out "
                "one of the two."
            )
        self.shortcut = shortcut
        # Only somebody who tells samples apart has to know where they lie.
        drops = self.drop_path is not None and not self.drop_path.silent
        if drops and (wrong := [part for part in self.branch.parts() if sequence_first(part)]):
            raise BadInput(
                f"drop_path leaves out samples, along the first axis, where {type(wrong[0]).__name__} has the "
                "sequence: make it with batch_first=True, or leave drop_path out."
            )
        # What nobody adds to the stream may add to x what it likes.
        self._looked = connection.replaces or not any(may_add(part) for part in self.branch.parts())

    @overload
    def forward(self, state: State, ctx: Any = None, *args: Any, **given: Any) -> State: ...
    @overload
    def forward(self, state: Tensor, ctx: Any = None, *args: Any, **given: Any) -> Any: ...
    def forward(self, state: Any, ctx: Any = None, *args: Any, **given: Any) -> Any:
        """Return y, or (y, what else the branch returned); of a `State`, the state behind the sublayer.

        The second is a `Context`, or the branch's own second argument.
        """
        if args or not (ctx is None or isinstance(ctx, Context)):
            args, ctx = (args, ctx) if isinstance(ctx, Context) else ((ctx, *args), None)
        ctx = Context() if ctx is None else ctx
        if args or given:
            found = named(self.branch.parts(), args, given)
            ctx = replace(ctx, given={**ctx.given, **found})
        alone = None if isinstance(state, State) else self._alone(state)
        before = state if alone is None else alone.open(state)
        x, carry = self.connection.read(before)
        output = self.output(x, ctx.with_side(before.side))
        if self.shortcut is not None:
            before = State(self._shortened(x, carry, before.main, output.y), before.side)
        after = self.connection.write(before, output.y, carry).with_side(output.side)
        if alone is None:
            return after
        y = alone.close(after)
        return (y, *output.extra) if output.tuples else y

    def _alone(self, given: Any) -> Stream:
        """Return the stream of this residual alone, for the tensor `given`."""
        if not isinstance(given, Tensor):
            raise BadInput(f"A residual was called with {type(given).__name__}: give a tensor, or a State.")
        if self._width is not None and given.shape[-1:] != (self._width,):
            raise BadInput(
                f"x is of shape {list(given.shape)}, and the residual was made with width={self._width}: give "
                f"[..., {self._width}], or that width."
            )
        # A model says itself where its parts lie. A number without axes may lie elsewhere.
        if not torch.compiler.is_compiling() and (where := left_behind(self.connection, given)) is not None:
            where = elsewhere(self.connection, {"x": given}) or where
            raise Uncallable(f"The residual's {type(self.connection).__name__} {where}")
        alone = self.connection.stream()
        if alone.stands_alone:
            return alone
        own = ", or width= in the place of site= for streams of its own" if self.connection.around_one() else ""
        raise BadInput(
            f"A residual with {type(self.connection).__name__} is part of a stream that runs through several "
            "sublayers, and was called with a tensor: put the layers into mainstem.Stack(form, layers, width), or give "
            f"it a state{own}."
        )

    def output(self, x_BTD: Tensor, ctx: Context) -> Output:
        """Return what the branch writes, and the values that it sends along."""
        drop_path = self.drop_path
        # Without numbers there is nobody to leave out.
        decision = None if drop_path is None or absent(drop_path) or x_BTD.is_meta else drop_path.keep(x_BTD.shape[0])
        if decision is None:
            return self._called(x_BTD, ctx)
        kept_B, scale = (part.to(x_BTD.device) for part in decision)
        # Graphs have one shape, rows of an argument may be samples or not, and a batch norm takes its means over all of
        # them: then all samples are computed, and the masked ones thrown away. So they are behind a shortcut, where
        # nobody else knows the shape of a branch.
        whole = self.shortcut is not None or by_sample(ctx.given, x_BTD.shape[0]) or _mixes_samples(self.branch)
        if whole or torch.compiler.is_compiling() or transformed():
            if ctx.tally is not None:
                ctx = replace(ctx, tally=ctx.tally.of_kept(kept_B))
            output = self._called(x_BTD, ctx)
            kept = kept_B.view(-1, *[1] * (output.y.dim() - 1))
            zero = torch.zeros((), dtype=output.y.dtype, device=output.y.device)
            output = output._replace(y=torch.where(kept, output.y * scale.to(output.y.dtype), zero))
        else:
            output = self._subset(x_BTD, ctx, kept_B.nonzero().squeeze(1), scale)
            if any(True for _ in tensors(output.extra)) and not output.side:
                raise BadInput(
                    f"{words(self.branch)} returns a tensor behind its first, of which nothing is there for samples "
                    "that leave it out: give no drop_path= there, or a module that returns one tensor."
                )
        if output.side:
            raise BadInput(
                f"A branch that sends {sorted(output.side)} along the stream cannot be left out, as later layers need "
                "it: give no drop_path= there."
            )
        return output

    def _called(self, x_BTD: Tensor, ctx: Context) -> Output:
        before = version(x_BTD)
        output = Output(*self.branch(x_BTD, ctx))
        if not (torch.compiler.is_compiling() or self._looked):
            self._looked = True
            self._look(x_BTD, ctx, output)
        if not self.connection.replaces:
            refuse_changed(self.branch, x_BTD, before)
            if self.shortcut is None:
                refuse(self.branch, output.y, x_BTD)
        return output

    def _look(self, x: Tensor, ctx: Context, output: Output) -> None:
        """Warn where somebody's module adds what it is given, which is what the modules before it make of x."""
        parts = self.branch.parts()
        place = next(number for number, part in enumerate(parts) if may_add(part))
        with torch.no_grad():
            given = Branch.run(parts[:place], x, ctx).y if place else x
        if adds_input(parts[place], output.y, [given], taken(parts[place], ctx.given)):
            warnings.warn(
                f"The branch's {type(parts[place]).__name__} adds its input to its output itself, and the residual "
                "adds it once more: call it without a residual, or give what it adds",
                stacklevel=2,
            )

    def _shortened(self, x: Tensor, carry: Any, main: Any, y: Tensor) -> Tensor:
        """Return what the branch is added to behind a shortcut."""
        assert self.shortcut is not None
        if carry is not None or x is not main:
            raise BadInput(
                f"A shortcut takes the place of x in F(x) + x, and {type(self.connection).__name__} has no such x: "
                "give shortcut= with the plain sum or post_norm's connection only."
            )
        into = called(self.shortcut, "The shortcut", x)
        if not isinstance(into, Tensor):
            raise BadInput(
                f"The shortcut {type(self.shortcut).__name__} returned {type(into).__name__}: give a module that "
                "returns a tensor."
            )
        refuse(self.branch, y, into)
        return into

    def _subset(self, x_BTD: Tensor, ctx: Context, index: Tensor, scale: Tensor) -> Output:
        if len(index) == x_BTD.shape[0]:
            output = self._called(x_BTD, ctx)
            return output._replace(y=output.y * scale.to(output.y.dtype))
        known = not self.connection.replaces and all(returns_tensor(part) for part in self.branch.parts())
        if len(index) == 0 and not known:
            # How many values it returns, and of which shape, its call tells: with one sample, of which none is kept.
            index, scale = index.new_zeros(1), torch.zeros_like(scale)
        if len(index) == 0:
            parameters = [p for p in self.branch.parameters() if p.requires_grad]
            return Output(_Nothing.apply(x_BTD, *parameters), {})
        scope = counter.current()
        rows_BTD = take(x_BTD, index)
        with counter.enter(None if scope is None else scope.rows(index.to(scope.draw.samples.device))):
            output = self._called(rows_BTD, ctx.rows(index, x_BTD.shape[0]))
        y = output.y
        return output._replace(y=spread(y * scale.to(y.dtype), index, x_BTD.shape[0]))


def _mixes_samples(module: nn.Module) -> bool:
    """Return whether a batch norm in `module` takes its means over the samples now."""
    if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.training:
        return True
    return any(_mixes_samples(part) for part in module._modules.values() if part is not None)


def _drop_path(given: Any) -> StochasticDepth | None:
    if given is None or isinstance(given, StochasticDepth):
        return given
    if isinstance(given, nn.Identity):
        return None
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        return StochasticDepth(float(given))
    raise BadInput(
        f"drop_path is {given!r}: give a rate such as 0.1, or mainstem.noise.StochasticDepth(rate), which decides "
        "before the branch is computed."
    )


def _of_form(form: Any, width: int | None, site: Site | None) -> Connection:
    if not isinstance(form, Connects):
        raise BadInput(
            f"connection is {form!r}: give a mainstem.stream.Connection such as Add(), or a form such as "
            "mainstem.form.Highway() with width=."
        )
    return form.connected(width, site)


class _Nothing(torch.autograd.Function):
    """Zeros in place of a branch. Its parameters, and what it was read by, get zero gradients, not none: so a skipped
    step still decays them and moves their momentum on as any other, and all ranks of a distributed run reduce the same
    tensors."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *parameters: Tensor) -> Tensor:
        ctx.save_for_backward(*parameters)
        return torch.zeros_like(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        # What comes back to zeros_like(x) has the shape of x.
        back = None if grads[0] is None else torch.zeros_like(grads[0])
        return back, *(torch.zeros_like(p) for p in ctx.saved_tensors)
