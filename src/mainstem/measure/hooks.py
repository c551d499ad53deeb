"""The hooks of one forward pass, and what they tell the quantities."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from . import residual_path
from .kinds import Convolution, is_linear
from .leaves import mapped, measurable
from .ops_seen import Ops
from .passes import INPUT, Pass
from .repeated import Repeated
from .sums import SUM, Sums
from .tree import Tree, image


class Hooks:
    """The hooks of one pass. `close` removes them from the modules; those on tensors go with the graph or `remove`."""

    def __init__(self, tree: Tree, record: Pass) -> None:
        self._record, self._tree = record, tree
        self._handles: list[Any] = []
        self._tensor_handles: list[Any] = []
        self._late: list[Any] = []
        self._nesting: list[Any] = []
        self._names: dict[str, int] = {}
        self._nodes: dict[int, list[tuple[Any, list[Tensor]]]] = {}
        self._first = True
        self._last_linear: tuple[str, nn.Module] | None = None
        self._last_product: nn.Module | None = None
        self._one_sample = False
        self._ops: Ops | None = None
        self._repeated = Repeated(tree.repeatable if record.wants("stream") or record.wants("gradient") else ())

    def close(self) -> None:
        """Remove what is on modules: the forward pass is over."""
        if self._ops is not None:
            self._ops.__exit__(None, None, None)
            self._record.dropped = self._ops.dropped
            self._record.wrong_axis = list(self._ops.wrong_axis)
            self._record.outside = list(self._ops.sums.outside)
            self._ops = None
        self._record.repeated = self._repeated.block()
        self._repeated.remove()
        for module in self._nesting:
            module.use_nested_tensor = True
        self._nesting.clear()
        hooks = self._tree.all[0][1]._forward_hooks
        for handle in self._handles:
            # After an exception torch walks through the model's own hooks, of which none may be taken away meanwhile.
            if handle.hooks_dict_ref() is hooks:
                self._late.append(handle)
            else:
                handle.remove()
        self._handles.clear()

    def settle(self) -> None:
        """Remove what `close` had to leave on the model."""
        for handle in self._late:
            handle.remove()
        self._late.clear()

    def keep(self, handles: list[Any]) -> None:
        """Keep hooks on tensors, to be removed with the others."""
        self._tensor_handles += handles

    def remove(self) -> None:
        """Remove every hook, those on tensors too."""
        self.close()
        self.settle()
        for handle in self._tensor_handles:
            handle.remove()
        self._tensor_handles.clear()

    def open(self) -> None:
        """Put the hooks on the modules: the forward pass begins."""
        keep, record, tree = self._handles.append, self._record, self._tree
        self._nesting += [module for module in tree.nesting if module.use_nested_tensor]
        for module in self._nesting:
            module.use_nested_tensor = False
        if record.wants("stream") or record.wants("gradient") or record.wants("branch"):
            for name, module in tree.stream:
                keep(module.register_forward_pre_hook(self._enter_layer(name), with_kwargs=True))
                keep(module.register_forward_hook(self._leave_layer(name)))
        if record.wants("branch"):
            for name, module, layer in tree.branch:
                keep(module.register_forward_hook(self._branch(name, layer)))
        if record.wants("linear"):
            for name, module in tree.linear:
                keep(module.register_forward_hook(self._linear(name)))
            for name, module in tree.positions_first:
                keep(module.register_forward_pre_hook(self._positions_first(name), with_kwargs=True))
        for name, weight in tree.weight:
            for quantity in record.wants("weight"):
                quantity.weight(name, weight)
        if record.wants("ops") or ((record.wants("branch") or record.wants("stream")) and tree.sums):
            self._watch_ops()

    def _watch_ops(self) -> None:
        keep, record = self._handles.append, self._record
        listeners = record.wants("ops")

        def logits(name: str, values: Tensor) -> None:
            if not values.numel():
                return
            name = self._once("logits", name)
            if values.shape[-2] == values.shape[-1] > 1:
                behind = torch.ones(values.shape[-2:], dtype=torch.bool, device=values.device).triu(1)
                record.ahead[name] = (behind & ~values.isinf()).any()
            for quantity in listeners:
                quantity.logits(name, values)

        def activation(name: str, values: Tensor) -> None:
            if not values.numel():
                return
            name, values = self._once("activation", name), self._units(values)
            for quantity in listeners:
                quantity.activation(name, values)

        told: set[str] = set()

        def function(name: str, values: Tensor) -> None:
            told.add(name)
            activation(name, values)

        def module_of_parts(name: str, output: Any) -> None:
            # What is written out, as x * sigmoid(1.702 x), has no function that could be seen.
            if name not in told and isinstance(output, Tensor):
                activation(name, output)

        def branch(name: str, stream: Tensor, output: Tensor) -> None:
            name = self._once("branch", name)
            for quantity in record.wants("branch"):
                quantity.branch(name, [stream], [output])

        ops = Ops(logits, function, Sums(branch, self._tree.blocks), self._tree.weighted, self._tree.storages())
        for name, module in self._tree.activation:
            keep(module.register_forward_hook(lambda _m, _a, output, n=name: module_of_parts(n, output)))
        for name, module, attention in self._tree.all:
            keep(module.register_forward_pre_hook(lambda _m, _a, n=name, t=attention: ops.enter(n, t)))
            keep(module.register_forward_hook(lambda _m, _a, output: ops.leave(output), always_call=True))
        for name, module in (*self._tree.linear, *self._tree.convolution):
            keep(module.register_forward_hook(lambda m, _a, y, n=name: self._ran(n, m, y)))
        for name, module in self._tree.norm:
            keep(module.register_forward_pre_hook(lambda _m, args, n=name: self._norm(n, args)))
            keep(
                module.register_forward_hook(
                    lambda _m, args, output: ops.sums.passed(args[0] if args else None, output)
                )
            )
        for name, part, module in self._tree.inside:
            keep(module.register_forward_pre_hook(lambda _m, args: ops.sums.enter(measurable(args)[:1])))
            keep(module.register_forward_hook(self._leave_part(ops.sums, name, part)))
        root, module, attention = self._tree.all[0]
        ops.enter(root or type(module).__name__, attention)
        ops.__enter__()
        self._ops = ops

    def _leave_part(self, sums: Sums, name: str, part: str) -> Any:
        def hook(_module: nn.Module, _args: Any, output: Any) -> None:
            adds = SUM in sums.leave(measurable(output)[:1], tell=False)
            self._record.inside.setdefault(name, {})[part] = adds

        return hook

    def _once(self, kind: str, name: str) -> str:
        """Return a tap's name, numbered from its second call in this pass on."""
        times = self._names[kind + name] = self._names.get(kind + name, 0) + 1
        return name if times == 1 else f"{name}#{times}"

    def _ran(self, name: str, module: nn.Module, output: Any) -> None:
        self._last_product = module
        if isinstance(module, Convolution) and isinstance(output, Tensor):
            self._one_sample = output.dim() == len(module.kernel_size) + 1
        if is_linear(module):
            self._last_linear = name, module

    def _units(self, values: Tensor) -> Tensor:
        """Return an activation with its units in the last axis, or as an image, by the layer that has just run.

        The units of a convolution are its channels, [B, C, ...], or of one sample [C, ...]; of a linear layer the last
        axis, also where tokens lie in a plane or a volume. Where it is neither, three axes are tokens, and more an
        image.
        """
        axes, layer = values.dim(), self._last_product
        if isinstance(layer, Convolution) and self._one_sample and axes == len(layer.kernel_size) + 1:
            values, axes = values[None], axes + 1
        if axes < 3:
            return values
        second, last = values.shape[1], values.shape[-1]
        if isinstance(layer, Convolution) and axes == len(layer.kernel_size) + 2:
            channels: int = layer.out_channels
            if channels in (second, 2 * second):  # half of them, where one half is a gate
                return image(values)
        if axes == 3:
            return values
        width = getattr(layer, "out_features", None)
        tokens = width in (last, 2 * last) and second not in (width, last)
        return values.flatten(0, -2) if tokens else image(values)

    def _norm(self, name: str, args: Any) -> None:
        if found := measurable(args):
            last = self._last_linear
            # Asked as an attribute, a parametrized weight is computed, by modules that may be norms themselves; and one
            # that lies in parts has no number here.
            weight = None if last is None else last[1]._parameters.get("weight")
            if last is not None and isinstance(weight, Tensor) and not hasattr(weight, "full_tensor"):
                zero = (weight.detach().count_nonzero() == 0).to(found[0].device)
                self._record.norms.append((name, last[0], zero & (found[0].detach().count_nonzero() == 0)))

    def _enter_layer(self, name: str) -> Any:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            key = None if args else next((name for name, value in kwargs.items() if measurable(value)), None)
            given = args[0] if args else kwargs.get(key) if key is not None else None
            if not measurable(given):
                return None
            first, self._first = self._first, False
            noted = self._gradients(self._once("stream", INPUT)) if first else None
            # Every layer is given a name of its own for what it reads, so that a way around it can be recognised.
            changed = mapped(given, lambda x: self._alias(x, noted))
            read = measurable(changed)
            if first:
                for quantity in self._record.wants("stream"):
                    quantity.stream(INPUT, [], self._tree.rows(name, read))
            # A stream may be several tensors of one shape, of which a layer writes one.
            nodes = [x.grad_fn for x in read if x.shape == read[0].shape and x.grad_fn is not None]
            self._nodes.setdefault(id(module), []).append((nodes, read))
            if self._ops is not None and name in self._tree.sums:
                self._ops.sums.enter(read)
            if args:
                return (changed, *args[1:]), kwargs
            return args, kwargs | {str(key): changed}

        return hook

    def _leave_layer(self, name: str) -> Any:
        def hook(module: nn.Module, _args: Any, output: Any) -> Any:
            self._record.calls[name] = self._record.calls.get(name, 0) + 1
            stack = self._nodes.get(id(module))
            nodes, read = stack.pop() if stack else ([], [])
            written = measurable(output)
            if read and self._ops is not None and name in self._tree.sums:
                self._record.streams[name] = self._ops.sums.leave(written)
                self._ops.sums.left(name, read, written)
            if not written:
                return None
            tap = self._once("stream", name or "model")
            same = bool(read) and read[0].shape == written[0].shape
            if same and tap not in self._record.paths and (way := residual_path.passes(nodes, written)) is not None:
                self._record.paths[tap] = way
            for quantity in self._record.wants("stream"):
                quantity.stream(tap, self._tree.rows(name, read), self._tree.rows(name, written))
            if not self._record.wants("gradient"):
                return None
            noted = self._gradients(tap)
            return mapped(output, lambda x: self._alias(x, noted))

        return hook

    def _gradients(self, tap: str) -> Any:
        listeners = self._record.wants("gradient")
        for quantity in listeners:
            quantity.expect(tap)

        def note(gradient: Tensor) -> None:
            self._record.backward = True
            for quantity in listeners:
                quantity.gradient(tap, gradient)

        return note if listeners else None

    def _alias(self, leaf: Tensor, note: Any) -> Tensor:
        if not (leaf.requires_grad and torch.is_grad_enabled()):
            return leaf
        # No view for autograd: what is changed in place behind a layer would take the hooks of a view away.
        leaf = torch.ops.aten._unsafe_view(leaf, leaf.shape)
        if note is not None:
            self._tensor_handles.append(leaf.register_hook(note))
        return leaf

    def _branch(self, name: str, layer: nn.Module) -> Any:
        def hook(_module: nn.Module, _args: Any, output: Any) -> None:
            stack = self._nodes.get(id(layer))
            written = measurable(output)
            if stack and stack[-1][1] and written:
                tap = self._once("branch", name)
                for quantity in self._record.wants("branch"):
                    quantity.branch(tap, stack[-1][1], written)

        return hook

    def _positions_first(self, name: str) -> Any:
        def hook(_module: nn.Module, args: Any, kwargs: dict[str, Any]) -> None:
            for x in measurable((*args, *kwargs.values())):
                self._record.samples.positions_first(name, x)

        return hook

    def _linear(self, name: str) -> Any:
        listeners, samples = self._record.wants("linear"), self._record.samples
        weight = self._tree.shared[name]

        def hook(_module: nn.Module, args: Any, output: Any) -> None:
            if not (isinstance(output, Tensor) and output.requires_grad and args and output.numel()):
                return
            x = args[0].detach()
            for quantity in listeners:
                quantity.expect(weight)

            def note(gradient: Tensor) -> None:
                axis = samples.axis(name, x)  # known when the whole pass has been seen
                for quantity in listeners:
                    if axis is None:
                        quantity.begin()
                    else:
                        quantity.linear(weight, x.movedim(axis, 0), gradient.movedim(axis, 0))

            self._tensor_handles.append(output.register_hook(note))

        return hook
