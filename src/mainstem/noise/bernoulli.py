"""Independent draws, each for one element or for many together: dropout, and most of its relatives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..errors import BadInput
from .depth import StochasticDepth
from .dropout import Dropout
from .masked import Masked
from .points import axes
from .site import Noise
from .spec import NoiseSpec

How = Literal["scale", "renormalise", "keep", "minus_inf"]
HOWS = ("scale", "renormalise", "keep", "minus_inf")


@dataclass(frozen=True)
class Bernoulli(NoiseSpec):
    """Drop what flows at a point, with independent draws of one probability; "branch" is the end of every branch.

    Formula:
        y = s m x, m ~ Bernoulli(1 - rate)

    Args:
        over: the axes along which draws differ, such as BH: one draw for each sample and head. Along all others of the
            point one draw is shared. All axes if left out, which is dropout. Without "B" all samples share.
        how: what becomes of the rest: scale, renormalise, keep or minus_inf. "scale": s = 1 / (1 - rate), so that the
            mean stays. "renormalise": s is the
            number of draws of a sample by the number of those that kept, so that the mean stays but for where nothing
            is kept, and the sum of m s is always the number. "keep": s = 1, and the mean shrinks. "minus_inf": minus
            infinity in place of 0, for logits of attention; a position's own is never dropped, so that no row is empty.

    Raises:
        BadInput: an unknown point, axes that the point does not have, "minus_inf" at another point than
            "attention.logits", or "renormalise" without draws that differ within a sample.

    Source:
        Srivastava et al. 2014 (dropout).
        Read: quoted in parts.
        Differs: what is kept is scaled in training, where the paper scales weights at test time.

    Example:
        >>> import torch
        >>> Bernoulli(0.5, at="attention.heads", over="BH").build().eval()(torch.ones(1, 2, 1, 1)).flatten()
        tensor([1., 1.])
    """

    at: str = "branch"
    over: str | None = None
    how: How = "scale"

    def __post_init__(self) -> None:
        super().__post_init__()
        known, over = axes(self.at), self.along
        if not set(over) <= set(known) or len(set(over)) < len(over):
            raise BadInput(f"over {over!r} names axes that {self.at} does not have: give some of {known}, each once.")
        if self.how not in HOWS:
            raise BadInput(f"how {self.how!r} is not known: use {', '.join(HOWS)}.")
        if self.how == "minus_inf" and self.at != "attention.logits":
            raise BadInput(f"how 'minus_inf' at {self.at} would make NaN: use it at attention.logits, or how scale.")
        if self.how == "renormalise" and not {"B"} < set(over):
            raise BadInput(f"over {over!r} has no draws that differ within a sample to renormalise: use how scale.")

    @property
    def along(self) -> str:
        """The axes along which draws differ, in the order of the point's."""
        known = axes(self.at)
        return known if self.over is None else "".join(sorted(self.over, key=f"{known}{self.over}".index))

    @property
    def skips(self) -> bool:
        return self.at.endswith("branch") and self.along in ("", "B") and self.how in ("scale", "keep")

    def make(self, rate: float, context: int | None) -> Noise:
        known = axes(self.at)
        if self.skips:
            per: Literal["sample", "batch"] = "sample" if self.along else "batch"
            return StochasticDepth(rate, self.how == "scale", per=per)
        # With heads between samples and positions, Dropout's masks would depend on how many positions there are.
        if self.along == known and self.how == "scale" and known != "BHTK" and self.at != "attention.logits":
            return Dropout(rate, context=context if "C" in known else None)
        return Masked(rate, known, self.along, self.how, context)
