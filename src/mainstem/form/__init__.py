"""Published residual forms, one file each. A form is a value; forms combine with ``|``.

The catalogue lists them; `form.Hyper` is found there, so that a new form is its file and one line,
and one of the imports for type checkers.
"""

from typing import TYPE_CHECKING

from .. import catalogue
from .base import Form, Multipliers, Parts
from .combined import Combined
from .parse import parse, written

if TYPE_CHECKING:
    from .attention_residuals import AttentionResiduals as AttentionResiduals
    from .bdia import BDIA as BDIA
    from .canon import Canon as Canon
    from .complete_p import CompleteP as CompleteP
    from .deep_delta import DeepDelta as DeepDelta
    from .deepnorm import DeepNorm as DeepNorm
    from .delta_attention_residuals import DeltaAttentionResiduals as DeltaAttentionResiduals
    from .denseformer import DenseFormer as DenseFormer
    from .elc import ELC as ELC
    from .embedding_values import EmbeddingValues as EmbeddingValues
    from .fixup import Fixup as Fixup
    from .highway import Highway as Highway
    from .hybrid_norm import HybridNorm as HybridNorm
    from .hyper import Hyper as Hyper
    from .identity_mixing import IdentityMixing as IdentityMixing
    from .keel import Keel as Keel
    from .laurel import LAuReL as LAuReL
    from .layer_norm_scaling import LayerNormScaling as LayerNormScaling
    from .layer_scale import LayerScale as LayerScale
    from .lime import LIMe as LIMe
    from .mhc import MHC as MHC
    from .mhc_lite import MHCLite as MHCLite
    from .midpoint import Midpoint as Midpoint
    from .mix_ln import MixLN as MixLN
    from .mudd import MUDD as MUDD
    from .output_norm import OutputNorm as OutputNorm
    from .parallel import Parallel as Parallel
    from .peri_ln import PeriLN as PeriLN
    from .plain import Plain as Plain
    from .post_norm import PostNorm as PostNorm
    from .pre_norm import PreNorm as PreNorm
    from .reinjection import Reinjection as Reinjection
    from .resi_dual import ResiDual as ResiDual
    from .reversible import Reversible as Reversible
    from .rezero import ReZero as ReZero
    from .sandwich import Sandwich as Sandwich
    from .sub_ln import SubLN as SubLN
    from .unet_skips import UNetSkips as UNetSkips
    from .value_residual import ValueResidual as ValueResidual
    from .weighted_history import WeightedHistory as WeightedHistory

__all__ = ["Combined", "Form", "Multipliers", "Parts", "parse", "written"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = catalogue.attributes(__name__, "residual")
