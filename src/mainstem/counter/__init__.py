"""Everything random is a function of a counter: its bits, and the scope that holds the counter in a forward pass."""

from .philox import WHOLE_BATCH as WHOLE_BATCH
from .philox import Draw as Draw
from .philox import constant as constant
from .philox import halves_at as halves_at
from .philox import key_words as key_words
from .philox import normals as normals
from .philox import philox as philox
from .philox import signed as signed
from .philox import site_id as site_id
from .philox import uniforms as uniforms
from .philox import words as words
from .philox import words_of as words_of
from .scope import MAX_STEP as MAX_STEP
from .scope import MAX_VIEW as MAX_VIEW
from .scope import Scope as Scope
from .scope import counter as counter
from .scope import current as current
from .scope import drawn as drawn
from .scope import enter as enter
from .scope import generators as generators
from .scope import other_view as other_view
