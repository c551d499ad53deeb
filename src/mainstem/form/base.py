"""What a published residual form says: a frozen value that builds streams, connections and branches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from torch import nn

from .. import variants
from ..nn import AttentionSpec, FeedForwardSpec, LayerNorm, RMSNorm, Spec
from ..nn.unmade import unmade
from ..stream import Add, Connection, Single, Site, Stream, sites

if TYPE_CHECKING:
    from .combined import Combined


class Parts(NamedTuple):
    """A branch before it is built: modules in front of a sublayer, the sublayer's spec, and modules behind it.

    Args:
        before: modules that are called before the sublayer, such as the norm of pre-norm.
        sublayer: the spec of attention or of the feed-forward sublayer.
        behind: modules that are called after it, such as a second norm or a scale.

    Example:
        >>> from torch import nn
        >>> from mainstem.nn import FeedForwardSpec
        >>> parts = Parts((nn.Identity(),), FeedForwardSpec(4, 8), (nn.Identity(),))
        >>> [type(module).__name__ for module in parts.build()]
        ['Identity', 'FeedForward', 'Identity']
    """

    before: tuple[nn.Module, ...]
    sublayer: Spec
    behind: tuple[nn.Module, ...] = ()

    def build(self) -> list[nn.Module]:
        """Return the modules of the branch in order, the sublayer built."""
        return [*self.before, self.sublayer.build(), *self.behind]


class Multipliers(NamedTuple):
    """Factors on what the optimizer does to the parameters of one role.

    Args:
        lr: the factor on the learning rate.
        decay: on the weight decay.
        eps: on what Adam adds to the root of its second moment.

    Example:
        >>> Multipliers(lr=0.5).times(Multipliers(lr=0.5, eps=2.0))
        Multipliers(lr=0.25, decay=1.0, eps=2.0)
    """

    lr: float = 1.0
    decay: float = 1.0
    eps: float = 1.0

    def times(self, other: Multipliers) -> Multipliers:
        """Return both at once."""
        return Multipliers(self.lr * other.lr, self.decay * other.decay, self.eps * other.eps)


@dataclass(frozen=True)
class Form:
    """A residual form: what a published method says about streams, connections and branches. The base is pre-norm.

    A form is a frozen dataclass whose fields are its configuration. It overrides the methods in which it differs from
    pre-norm, and nothing else. Forms combine with ``|``: each changes the branch that the one before it leaves, factors
    multiply, and two that define the same one of `groups`, `stream` and `connection` are refused by name.

    Raises:
        BadInput: a field is not of its type, or not finite.

    Example:
        >>> from mainstem import form
        >>> form.Sandwich() | form.ValueResidual(first=0.25)
        Combined(forms=(Sandwich(), ValueResidual(first=0.25, own=0.5)))
    """

    def __post_init__(self) -> None:
        variants.within(self)

    def groups(self, kinds: tuple[str, ...]) -> list[tuple[str, ...]]:
        """Return which sublayers of a block share one residual; by default each has its own.

        A second sublayer of a kind comes as `feedforward_2`.
        """
        return [(kind,) for kind in kinds]

    def stream(self, sites: Sequence[Site]) -> Stream:
        """Return what opens and closes the stream, once per model; it owns the final norm, if there is one."""
        return Single(sites[0].norm.build(sites[0].width))

    def connection(self, site: Site) -> Connection:
        """Return how the sublayer at `site` reads and writes; it may own weights."""
        return Add()

    def branch(self, site: Site, parts: Parts) -> Parts:
        """Return `parts` as the form changes them; the first form is given pre-norm's, a norm and the sublayer.

        A norm that belongs to the sublayer goes directly behind it, a factor to the end, so that forms may come in
        any order. The block adds dropout behind them.
        """
        return parts

    def init(self) -> str:
        """Return the name of the initial weights that the form was published with."""
        return "gpt2"

    def init_scale(self, site: Site, role: str) -> float:
        """Return the factor on the initial standard deviation of the matrix `role` at `site`."""
        return 1.0

    def multipliers(self, role: str, site: Site, hidden: bool) -> Multipliers:
        """Return the factors on rates of the parameters of this role, inside blocks (`hidden`) or outside.

        `site` is one of the model, for its sizes.
        """
        return Multipliers()

    def refuses(self, init: str) -> str | None:
        """Return why these initial weights cannot work with the form and what to do, or None."""
        return None

    def beside(self, other: Form) -> str | None:
        """Return why the form cannot be combined with `other`, beyond claims on the same piece, or None."""
        return None

    def along_positions(self) -> bool:
        """Return whether it mixes positions, so that it needs a stream [B, T, D] of which T is an order."""
        return False

    def connected(self, width: int | None, site: Site | None = None) -> Connection:
        """Return the connection for one `Residual` around somebody's modules: of `site`, or of any place.

        Raises:
            BadInput: neither is given; without a site, the connection depends on it; the form says more about the
                sublayer than how it is connected.
        """
        from .alone import connection

        return connection(self, width, site)

    def __or__(self, other: Form) -> Combined:
        from .combined import Combined

        return Combined((self, other))


def unnormed(parts: Parts) -> Parts:
    """Return `parts` without the norm in front of the sublayer, which stands elsewhere or nowhere.

    What another form has put there stays, so that their order does not matter.

    Example:
        >>> from mainstem.nn import FeedForwardSpec
        >>> unnormed(Parts((RMSNorm(4), nn.Identity()), FeedForwardSpec(4, 8))).before
        ()
    """
    return parts._replace(before=tuple(each for each in parts.before if not isinstance(each, _NORMS)))


_NORMS = (LayerNorm, RMSNorm, nn.Identity)
"""Norms, and what stands for one where a form is tried."""


def defines(form: Form, piece: str) -> bool:
    """Return whether `form` says anything of its own about `piece`, the name of a method of `Form`."""
    return getattr(type(form), piece) is not getattr(Form, piece)


def reads_normed(form: Form) -> bool:
    """Return whether every sublayer of `form` has pre-norm's norm in front of it.

    Example:
        >>> from mainstem import form
        >>> reads_normed(form.Sandwich()), reads_normed(form.PostNorm())
        (True, False)
    """
    return all(any(isinstance(each, nn.Identity) for each in parts.before) for parts in _tried(form))


def reads_as_pre_norm(form: Form) -> bool:
    """Return whether pre-norm's norm, and nothing else, stands in front of every sublayer of `form`.

    Example:
        >>> from mainstem import form
        >>> reads_as_pre_norm(form.Sandwich()), reads_as_pre_norm(form.Canon())
        (True, False)
    """
    return all([type(each) for each in parts.before] == [nn.Identity] for parts in _tried(form))


def norms_output(form: Form) -> bool:
    """Return whether `form` puts a norm directly behind some sublayer.

    Example:
        >>> from mainstem import form
        >>> norms_output(form.Sandwich()), norms_output(form.LayerScale())
        (True, False)
    """
    return any(isinstance(part, (LayerNorm, RMSNorm)) for parts in _tried(form) for part in parts.behind[:1])


def zero_under_norm(init: str, name: str, usual: str) -> str | None:
    """Return why a norm directly behind a sublayer cannot begin with projections of zero, or None for others.

    Args:
        init: the initial weights that are asked for.
        name: of the form in the catalogue.
        usual: the initial weights that the form has by itself.

    Example:
        >>> zero_under_norm("gpt2", "sandwich", "normal") is None
        True
    """
    if init != "zero":
        return None
    return (
        "zero-initialised projections under an output norm have a gradient of 1/sqrt(eps), a thousandfold, "
        f"at the first step: use model.init {usual} with the {name} form"
    )


def _tried(form: Form) -> list[Parts]:
    """Return what `form` makes of the branches of a small model, without memory."""
    specs: dict[str, Spec] = {"attention": AttentionSpec(4, 2), "feedforward": FeedForwardSpec(4, 4)}
    with unmade():
        return [form.branch(site, Parts((nn.Identity(),), specs[site.kind])) for site in sites(tuple(specs), 4, 4)]
