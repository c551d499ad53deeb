"""A model without the hidden units and heads that a group lasso has made zero: the same function, in less work.

Shapes: B batch, T position.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..errors import BadInput, reason
from ..modes import evaluating
from ..nn import Attention, FeedForward
from ..optim.units import Units, units
from .language_model import LanguageModel
from .settings import Sizes

TOLERANCE = 1e-5
"""By how much logits of the smaller model may differ from those of the model, for each logit and for the largest."""


@dataclass(frozen=True)
class Pruned:
    """A smaller model, and what was taken out: of how many hidden units and heads how many; `apart` is the largest
    difference of logits on random tokens."""

    model: LanguageModel
    hidden: tuple[int, int]
    heads: tuple[int, int]
    apart: float


def prune(model: LanguageModel) -> Pruned:
    """Return `model` without the units that add nothing, in eval mode on its device.

    A hidden unit adds nothing where its row of one of the first matrices or its column of the last is zero, as every
    activation is 0 at 0; a head, or the heads that share keys and values, where its columns of the output or its values
    are. One of each stays in every block. Logits of both models are compared on random tokens.

    Raises:
        BadInput: nothing is zero as a whole; or the smaller model would not be the same function, as with a form that
            has norms inside, or that carries values of one block into others.

    Example:
        >>> from mainstem.model import Settings
        >>> model = LanguageModel(Settings(vocab=5, layers=1, width=8, heads=2, context=4)).eval()
        >>> _ = model.blocks[0].feedforward.branch.feedforward.output.weight.data[:, 3:].zero_()
        >>> prune(model).hidden
        (29, 32)
    """
    hidden = {each.name: _kept(each, _idle_units(model, each)) for each in units(model, "hidden")}
    heads = {each.name: _kept(each, _idle_heads(model, each)) for each in units(model, "heads")}
    gone = {kind: sum(int((~kept).sum()) for kept in every.values()) for kind, every in (("u", hidden), ("h", heads))}
    if not any(gone.values()):
        raise BadInput(
            "No hidden unit and no head of this model is zero as a whole: train with --optim.proximal.0.name "
            "group_lasso --optim.proximal.0.over hidden and a larger --optim.proximal.0.coef."
        )
    try:
        smaller = _smaller(model, hidden | heads)
        apart = _apart(model, smaller)
    except (RuntimeError, ValueError) as error:
        raise BadInput(f"{_REFUSED} ({reason(error)}).") from None
    if not apart <= TOLERANCE:
        raise BadInput(f"{_REFUSED} (logits differ by {apart:.2g}).")
    per_group = model.settings.heads // (model.settings.kv_heads or model.settings.heads)
    return Pruned(
        smaller,
        (gone["u"], sum(len(kept) for kept in hidden.values())),
        (gone["h"] * per_group, sum(len(kept) for kept in heads.values()) * per_group),
        apart,
    )


_REFUSED = (
    "Without its zeros this model would not be the same function, as where a form has norms inside sublayers or "
    "carries values from block to block: prune a model of another form"
)


def _idle_units(model: nn.Module, each: Units) -> Tensor:
    """Return which hidden units add nothing, bool [F]."""
    zero = [
        (p.movedim(axis, 0).reshape(each.count, -1) == 0).all(1) for p, axis in zip(each.params, each.axes, strict=True)
    ]
    return torch.stack(zero).any(0)


def _idle_heads(model: nn.Module, each: Units) -> Tensor:
    parts = zip(each.names, each.params, each.axes, strict=True)
    zero = [
        (p.movedim(axis, 0).reshape(each.count, -1) == 0).all(1)
        for name, p, axis in parts
        if name.endswith(("value.weight", "output.weight"))
    ]
    return torch.stack(zero).any(0)


def _kept(each: Units, idle: Tensor) -> Tensor:
    kept = ~idle
    if not kept.any():
        kept[0] = True  # a sublayer of nothing has no shape
    return kept


def _smaller(model: LanguageModel, kept: Mapping[str, Tensor]) -> LanguageModel:
    sizes, tensors = [], dict(model.state_dict())
    for number, block in enumerate(model.blocks):
        found = {"heads": 0, "kv_heads": 0, "hidden": 0}
        for path, part in block.named_modules():
            if isinstance(part, (Attention, FeedForward)):
                kind, (count, axes) = next(iter(part.units().items()))
                name = f"blocks.{number}.{path}"
                stays = kept[f"{name}.{kind}"]
                for own, axis in axes.items():
                    tensors[f"{name}.{own}"] = _taken(tensors[f"{name}.{own}"], axis, count, stays)
                left = int(stays.sum())
                if isinstance(part, Attention):
                    found |= {"heads": left * part.spec.heads // count, "kv_heads": left}
                else:
                    found["hidden"] = left
        sizes.append(Sizes(**found))
    old = model.settings
    settings = replace(old, head_width=old.head_width or old.width // old.heads, sizes=tuple(sizes))
    made = LanguageModel(settings, None).to(next(model.parameters()).device)
    made.load_state_dict(tensors)
    return made.eval()


def _taken(tensor: Tensor, axis: int, count: int, stays: Tensor) -> Tensor:
    """Return `tensor` with those of its `count` equal parts along `axis` that stay."""
    first = tensor.movedim(axis, 0)
    rows = first.reshape(count, -1, *first.shape[1:])[stays]
    return rows.flatten(0, 1).movedim(0, axis).contiguous()


@torch.no_grad()
def _apart(model: LanguageModel, smaller: LanguageModel) -> float:
    generator = torch.Generator().manual_seed(0)
    x_BT = torch.randint(0, model.settings.vocab, (4, model.context), generator=generator)
    x_BT = x_BT.to(next(model.parameters()).device)
    with evaluating(model):
        one, other = model(x_BT), smaller(x_BT)
    return float((one - other).abs().max() / one.abs().max().clamp(min=1.0))
