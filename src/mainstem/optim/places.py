"""Tensors on several devices: numbers of them brought together, and those named that have no numbers."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ..errors import BadInput


def together(numbers: Sequence[Tensor]) -> list[Tensor]:
    """Return 0-d `numbers` on the device of the first of them.

    Example:
        >>> import torch
        >>> together([torch.tensor(1.0), torch.tensor(2.0)])
        [tensor(1.), tensor(2.)]
    """
    return [each if each.device == numbers[0].device else each.to(numbers[0].device) for each in numbers]


def refuse_meta(tensors: Sequence[Tensor], names: Sequence[str] | None = None) -> None:
    """Refuse `tensors` of which some lie on the meta device and others do not; without `names` they are counted.

    Raises:
        BadInput: they do.

    Example:
        >>> import torch
        >>> refuse_meta([torch.ones(2), torch.ones(3)])
        >>> refuse_meta([torch.ones(2), torch.ones(3, device="meta")], ["weight", "bias"])
        Traceback (most recent call last):
        mainstem.errors.BadInput: Of the parameters weight is on cpu, and bias on meta, where tensors have no numbers: \
load the weights of the whole model first (to_empty, then load_state_dict).
    """
    devices = {tensor.device for tensor in tensors}
    if len(devices) < 2 or not any(device.type == "meta" for device in devices):
        return
    empty = [tensor.is_meta for tensor in tensors]
    one, other = empty.index(False), empty.index(True)
    known = names or [f"number {n}, of shape {list(tensor.shape)}," for n, tensor in enumerate(tensors)]
    raise BadInput(
        f"Of the parameters {known[one]} is on {tensors[one].device}, and {known[other]} on meta, where tensors have "
        "no numbers: load the weights of the whole model first (to_empty, then load_state_dict)."
    )
