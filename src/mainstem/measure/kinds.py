"""What a module of anybody's model is, by its type and the name of its class."""

from __future__ import annotations

import re

from torch import nn

ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.GELU, nn.SiLU, nn.ELU, nn.Mish, nn.Hardswish)
Convolution = nn.modules.conv._ConvNd
ATTENTION = re.compile(r"attention|attn", re.IGNORECASE)
_NORM = re.compile(r"norm", re.IGNORECASE)
_ACTIVATION = re.compile(r"(?<!linear)activation$|[a-z]elu$|silu$|swish$|mish$", re.IGNORECASE)


def is_norm(module: nn.Module) -> bool:
    """Return whether `module` is a norm, by its class's name: LayerNorm, BatchNorm2d, LlamaRMSNorm.

    It may hold an activation, as timm's BatchNormAct2d. Those of `torch.nn.utils`, which a weight norm is made of, are
    given weights and no activations.
    """
    if type(module).__module__.startswith("torch.nn.utils."):
        return False
    return bool(_NORM.search(type(module).__name__)) and all(
        not any(True for _ in (*part.parameters(), *part.buffers())) for part in module.children()
    )


def is_attention(module: nn.Module) -> bool:
    """Return whether `module` is an attention, by its class's name."""
    return bool(ATTENTION.search(type(module).__name__))


def is_activation(module: nn.Module) -> bool:
    """Return whether `module` is an activation function: torch's, or by its class's name, as NewGELUActivation."""
    alone = not any(True for _ in module.children()) and not any(True for _ in module.parameters())
    return isinstance(module, ACTIVATIONS) or (alone and bool(_ACTIVATION.search(type(module).__name__)))


def is_linear(module: nn.Module) -> bool:
    """Return whether `module` is an nn.Linear, or GPT-2's Conv1D, which is one with its weight transposed."""
    if isinstance(module, nn.Linear):
        return True
    weight = module._parameters.get("weight")  # as an attribute a parametrized one is computed, which may change it
    return type(module).__name__ == "Conv1D" and weight is not None and weight.dim() == 2


def is_residual(module: nn.Module) -> bool:
    """Return whether `module` is a residual of this package."""
    from ..stream import Residual

    return isinstance(module, Residual)
