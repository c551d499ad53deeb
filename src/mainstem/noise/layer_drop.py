"""LayerDrop as a value: whole blocks are left out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from ..errors import BadInput
from .bernoulli import Bernoulli, How
from .depth import StochasticDepth
from .rate import Depth
from .site import Noise


class _Place(NamedTuple):
    """A block, as a rate over depth counts sublayers."""

    sublayer: int
    sublayers: int


@dataclass(frozen=True)
class LayerDrop(Bernoulli):
    """Leave out whole blocks, without computing them: all branches of a block by one draw.

    Formula:
        x + m F(x) for every branch F of a block, m ~ Bernoulli(1 - rate), one m for each sample and block

    Nothing is scaled, as in the paper, which leaves out blocks so that some can be removed from a trained model; with
    `how` "scale" kept branches are divided by 1 - rate. The paper draws once for all samples, which `over` "" does;
    with "B" every sample draws by itself. A branch that publishes values for later blocks is never left out. Over the
    depth a linear rate grows from block to block.

    Raises:
        BadInput: another point than "branch", axes other than "B" or "", or a `how` that leaves nothing out.

    Source:
        Fan et al. 2019 (1909.11556), section 3.1, with `LayerDropModuleList` of the authors' fairseq.
        Read: code of the authors.
        Differs: a draw for each sample; `over` "" has the paper's.

    Example:
        >>> LayerDrop(0.2).build()
        StochasticDepth(drop_prob=0.2, scale_by_keep=False, per='sample', whole_blocks=True)
    """

    over: str | None = "B"
    how: How = "keep"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.at != "branch":
            raise BadInput(f"LayerDrop leaves out whole blocks, and at {self.at} stands none: use at branch, or depth.")
        if not self.skips:
            raise BadInput(
                f"over {self.along!r} and how {self.how!r} leave out no whole block: use over 'B' or '', and how keep "
                "or scale."
            )

    def there(self, site: Depth) -> LayerDrop:
        return replace(self, rate=self.rates.there(_Place(site.block, site.blocks)))

    def make(self, rate: float, context: int | None) -> Noise:
        return StochasticDepth(rate, self.how == "scale", per="sample" if self.along else "batch", whole_blocks=True)
