"""Which forms combine, what each of the others is refused for, and what a combination builds."""

from itertools import combinations, permutations

import pytest
import torch
from variants import loss, small, tokens

from mainstem import catalogue, form
from mainstem.errors import BadInput
from mainstem.stream import sites

NAMES = catalogue.names("residual")
OWNERS = {
    "groups": ("parallel",),
    "stream": (
        "post_norm", "peri_ln", "resi_dual", "deepnorm", "rezero", "complete_p", "denseformer", "weighted_history",
        "elc", "attention_residuals", "delta_attention_residuals", "mudd", "fixup", "reinjection", "embedding_values",
        "hyper", "mhc", "mhc_lite", "identity_mixing", "reversible", "midpoint", "bdia", "plain",
    ),
    "connection": (
        "post_norm", "mix_ln", "hybrid_norm", "resi_dual", "deepnorm", "highway", "laurel", "deep_delta",
        "denseformer", "weighted_history", "elc", "attention_residuals", "delta_attention_residuals", "mudd", "keel",
        "unet_skips", "reinjection", "hyper", "mhc", "mhc_lite", "identity_mixing", "reversible", "midpoint", "bdia",
        "plain",
    ),
}  # fmt: skip
"""Methods that only one form of a combination may define, and the forms that define each; others are folded."""

BRANCH = {
    "sandwich | layer_scale": ["norm", "feedforward", "norm_2", "scale"],
    "sandwich | rezero": ["feedforward", "norm", "scale"],
    "sandwich | post_norm": ["feedforward", "norm"],
    "layer_scale | deepnorm": ["feedforward", "scale"],
    "pre_norm | layer_scale": ["norm", "feedforward", "scale"],
    "hyper | layer_scale": ["norm", "feedforward", "scale"],
}
"""What stands in the branch of a feed-forward, in either order of the forms."""


NO_NORM_IN_FRONT = "divides the norm in front of each sublayer, which the other one takes away"
ZEROS = "write zeros at first, which the other one brings to a size or a direction"
NORMS_ELSEWHERE = "does without norms, and the other one puts them elsewhere"
IN_FRONT = "do not pass what the other one puts, or leaves out, in front of attention"
TWO_NORMS_BEHIND = "both put a norm directly behind the sublayer"

BESIDE = {
    ("layer_norm_scaling", "post_norm"): NO_NORM_IN_FRONT,
    ("layer_norm_scaling", "mix_ln"): NO_NORM_IN_FRONT,
    ("layer_norm_scaling", "output_norm"): NO_NORM_IN_FRONT,
    ("layer_norm_scaling", "hybrid_norm"): NO_NORM_IN_FRONT,
    ("layer_norm_scaling", "resi_dual"): NO_NORM_IN_FRONT,
    ("layer_norm_scaling", "deepnorm"): NO_NORM_IN_FRONT,
    ("layer_norm_scaling", "rezero"): NO_NORM_IN_FRONT,
    ("output_norm", "sandwich"): TWO_NORMS_BEHIND,
    ("output_norm", "peri_ln"): TWO_NORMS_BEHIND,
    ("peri_ln", "sandwich"): TWO_NORMS_BEHIND,
    ("rezero", "layer_scale"): "both put a learned factor behind the sublayer",
    ("deep_delta", "rezero"): "on which a factor of all channels has no effect",
    **{("fixup", name): ZEROS for name in ("sandwich", "peri_ln", "output_norm", "deep_delta")},
    **{
        ("fixup", name): NORMS_ELSEWHERE
        for name in ("post_norm", "mix_ln", "hybrid_norm", "resi_dual", "deepnorm", "rezero")
    },
    ("fixup", "layer_scale"): "both put a learned factor behind the sublayer",
    ("layer_norm_scaling", "fixup"): NO_NORM_IN_FRONT,
    ("mudd", "parallel"): "inputs of its own, and the other one has sublayers share one",
    **{
        ("mudd", name): IN_FRONT
        for name in (
            "post_norm",
            "mix_ln",
            "layer_norm_scaling",
            "output_norm",
            "hybrid_norm",
            "resi_dual",
            "deepnorm",
            "rezero",
            "fixup",
            "canon",
        )
    },
    ("lime", "value_residual"): "both mix the values of earlier blocks into attention",
}
"""Pairs that are refused for what they do, and the reason."""

REASONS = {
    frozenset(pair): [f"both define the {piece} of the residual" for piece in OWNERS if {*pair} <= {*OWNERS[piece]}]
    + [reason for refused, reason in BESIDE.items() if {*refused} == {*pair}]
    for pair in combinations(NAMES, 2)
}
"""Every pair, and what stands against it: nothing of it is read from the forms."""


def refusal(names):
    """Return what is said about a combination of these names, or None where it is one."""
    try:
        form.parse(" | ".join(names))
    except BadInput as error:
        return str(error)
    return None


@pytest.mark.parametrize("names", list(combinations(NAMES, 2)), ids=" | ".join)
def test_a_pair_trains_or_is_refused_for_what_stands_against_it(names):
    against = REASONS[frozenset(names)]
    found = [refusal(pair) for pair in permutations(names)]
    if not against:
        assert found == [None, None], "a pair that is to be refused stands in OWNERS or BESIDE"
        trains(" | ".join(names))
        return
    assert all(sentence is not None and any(reason in sentence for reason in against) for sentence in found)
    assert all(type(form.parse(name)).__name__ in sentence for name in names for sentence in found)
    assert all(sentence.endswith("leave one of them out.") for sentence in found)


@pytest.mark.parametrize("names", BESIDE, ids=" | ".join)
def test_a_pair_that_would_say_nothing_together_is_refused_for_its_reason(names):
    one, other = (form.parse(name) for name in names)
    assert any(said is not None and BESIDE[names] in said for said in (one.beside(other), other.beside(one)))


def test_no_form_has_an_objection_that_is_not_in_the_table():
    given = {frozenset(pair) for pair in permutations(NAMES, 2) if form.parse(pair[0]).beside(form.parse(pair[1]))}
    assert given == {frozenset(pair) for pair in BESIDE}


@pytest.mark.parametrize("pair", ["post_norm | hyper", "plain | rezero", "reversible | denseformer"])
def test_two_ways_through_the_depth_are_refused(pair):
    assert "both define the stream" in refusal(pair.split(" | "))


def trains(residual):
    """Take two steps in float32; the loss is finite, and then every parameter has a gradient other than zero."""
    model = small(residual, layers=2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        value = loss(model, tokens(4, 8))
        assert torch.isfinite(value)
        value.backward()
        optimizer.step()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert not silent


@pytest.mark.parametrize("name", NAMES)
def test_a_form_is_not_combined_with_itself(name):
    assert "they are the same form" in refusal([name, name])


@pytest.mark.parametrize(
    "names", ["sandwich | layer_scale | value_residual | parallel", "hyper | sandwich | layer_scale"]
)
def test_more_than_two_train(names):
    trains(names)


def test_one_of_three_that_fits_none_is_named():
    with pytest.raises(BadInput, match=r"^ReZero and LayerScale cannot be combined"):
        form.Sandwich() | form.ReZero() | form.LayerScale()


@pytest.mark.parametrize("residual", BRANCH)
def test_the_branch_is_the_same_in_either_order(residual):
    for names in permutations(residual.split(" | ")):
        branch = small(" | ".join(names)).blocks[0].feedforward.branch
        assert [name for name, _ in branch.named_children()] == BRANCH[residual]


@pytest.mark.parametrize(
    "names", [pair for pair in combinations(NAMES, 2) if not REASONS[frozenset(pair)]], ids=" | ".join
)
def test_no_form_takes_away_what_the_other_has_put(names):
    found = [
        sorted(name for name, _ in small(" | ".join(each), layers=2).named_parameters()) for each in permutations(names)
    ]
    assert found[0] == found[1]


def test_a_norm_of_the_branch_stands_in_front_of_the_factor_in_either_order():
    one, other = (small(names, init="normal") for names in ("sandwich | layer_scale", "layer_scale | sandwich"))
    assert one.state_dict().keys() == other.state_dict().keys()
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(tokens()), other(tokens()))


@pytest.mark.parametrize("name", NAMES[1:])
def test_pre_norm_changes_nothing(name):
    assert torch.equal(loss(small(f"pre_norm | {name}"), tokens()), loss(small(name), tokens()))


@pytest.mark.parametrize(
    ("residual", "init"),
    [
        ("layer_scale | value_residual", "gpt2"),
        ("sandwich | layer_scale", "normal"),
        ("layer_scale | sandwich", "normal"),
        ("sandwich | rezero", "normal"),
        ("rezero | sandwich", "xavier"),
        ("sandwich | deepnorm", "xavier"),
    ],
)
def test_initial_weights_are_the_first_that_no_form_refuses(residual, init):
    assert form.parse(residual).init() == init
    auto, named = small(residual), small(residual, init=init)
    assert all(torch.equal(auto.state_dict()[name], value) for name, value in named.state_dict().items())


def test_init_scales_and_multipliers_of_combined_forms_multiply():
    site = sites(("attention", "feedforward"), 6, 8)[1]
    both = form.DeepNorm() | form.ValueResidual()
    assert both.init_scale(site, "feedforward.out") == form.DeepNorm().init_scale(site, "feedforward.out")
    three = form.Reinjection() | form.ValueResidual() | form.Sandwich()
    assert three.multipliers("reinjection.keep", site, hidden=True) == form.Multipliers(lr=0.01)
    assert three.multipliers("mix", site, hidden=True) == form.Multipliers()
    both = form.CompleteP(base_layers=3, base_width=4) | form.ValueResidual()
    assert both.multipliers("attention.query", site, hidden=True) == form.Multipliers(lr=0.5, decay=2.0, eps=0.25)
