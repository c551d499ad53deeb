"""What the type of a module tells about its parameters. Imports torch alone.

Classes of other packages are known by name, as importing those takes seconds, and they may not be there.
"""

from __future__ import annotations

import re

from torch import Tensor, nn

_LINEAR = (nn.Linear, nn.Bilinear, nn.modules.conv._ConvNd, nn.MultiheadAttention, nn.RNNBase, nn.RNNCellBase)
_EMBEDDING = (nn.Embedding, nn.EmbeddingBag)
_NORM = (nn.LayerNorm, nn.RMSNorm, nn.GroupNorm, nn.modules.batchnorm._NormBase)

_FOREIGN = {"transformers", "timm"}
_MATRIX = re.compile(r"^(weight|[a-z0-9_]*proj|[wv][123])$")
"""What routers and mixtures of experts call the tensors that they multiply by."""

_USED = "_mainstem_roles"


def by_type(part: nn.Module, name: str, parameter: Tensor) -> str | None:
    """Return the role that the type of a module and the name of its parameter tell, or None.

    Example:
        >>> by_type(nn.Linear(2, 2), "weight", nn.Linear(2, 2).weight), by_type(nn.PReLU(), "weight", nn.PReLU().weight)
        ('linear', None)
    """
    if name == "bias" or name.endswith("_bias") or name.startswith("bias_"):
        return "bias"
    if isinstance(part, _LINEAR):
        return "linear"
    if isinstance(part, _EMBEDDING):
        return "embedding"
    # Of all bases, as a parametrization and FSDP2 put a class of their own in front.
    names = {each.__name__ for each in type(part).__mro__}
    homes = {each.__module__.partition(".")[0] for each in type(part).__mro__}
    if isinstance(part, _NORM) or any(each.endswith(("Norm", "Norm2d")) for each in names):
        return "norm"
    if parameter.dim() < 2 or min(parameter.shape[-2:]) < 2:
        return None
    is_gpt2s = "Conv1D" in names and parameter.dim() == 2 and name == "weight"
    return "linear" if is_gpt2s or (not homes.isdisjoint(_FOREIGN) and _MATRIX.match(name)) else None


def by_use(part: nn.Module, name: str) -> str | None:
    """Return the role that `roles_by_use` found for a module's own parameter, or None."""
    return part.__dict__.get(_USED, {}).get(name)


def note_use(part: nn.Module, name: str, role: str) -> None:
    """Let `by_use` return `role` from now on."""
    part.__dict__.setdefault(_USED, {})[name] = role
