"""What every form declares, written out: its parameters, their roles, decay and rates, and what it refuses.

A role decides on decay, on Muon and on penalties, so that a wrong one is another model without a word.
"""

import pytest
from variants import RESIDUALS, small

from mainstem import catalogue, form, optim
from mainstem.errors import BadInput
from mainstem.optim.groups import Multipliers
from mainstem.optim.roles import roles


def alike(names, values):
    """Return the same values for each of `names`."""
    return dict.fromkeys(names, values)


HYPER = {
    **{f"connection.{name}": "mix" for name in ("read_S", "mix_SS", "write_S")},
    **{f"connection.dynamic.{name}": "mix.dynamic" for name in ("alpha", "beta")},
    **{f"connection.dynamic.{name}": "scale" for name in ("alpha_scale", "beta_scale")},
    "connection.dynamic.norm.gain": "norm",
}
MHC = {"connection.weight": "mix.dynamic", "connection.bias": "mix", "connection.scale": "scale",
       "connection.norm.gain": "norm"}  # fmt: skip
OVER_DEPTH = {f"{place}.attention.{name}": role for place in ("connection", "stream")
              for name, role in (("query", "mix"), ("norm.gain", "norm"))}  # fmt: skip
OVER_DELTAS = {name: role for name, role in OVER_DEPTH.items() if name.startswith("connection")}
VALUES = {"branch.attention.value_mix.first": "mix", "branch.attention.value_mix.own": "mix"}
REINJECTED = {"connection.keep": "reinjection.keep", "connection.inject": "reinjection.inject"}

OWN = {
    **alike(
        ("pre_norm", "layer_norm_scaling", "output_norm", "complete_p", "reversible", "midpoint", "bdia", "plain"), {}
    ),
    **alike(("post_norm", "mix_ln", "resi_dual", "deepnorm", "keel"), {"connection.norm.gain": "norm"}),
    "sandwich": {"branch.norm_2.gain": "norm"},
    "peri_ln": {"branch.norm_2.gain": "norm", "stream.first.gain": "norm"},
    "sub_ln": {"branch.attention.heads_norm.norm.gain": "norm", "branch.feedforward.hidden_norm.gain": "norm"},
    "hybrid_norm": {"branch.attention.value_norm.gain": "norm", "connection.norm.gain": "norm"},
    **alike(("rezero", "layer_scale"), {"branch.scale.factor": "scale"}),
    "fixup": {
        "branch.shift.bias": "bias",
        "branch.feedforward.preactivation_shift.bias": "bias",
        "branch.feedforward.hidden_shift.bias": "bias",
        "branch.scale.factor": "scale",
        "stream.shift.bias": "bias",
    },
    "mudd": {
        "connection.mixtures.down.weight": "linear",
        "connection.mixtures.up": "mix.dynamic",
        "connection.mixtures.static": "mix",
        **alike((f"branch.attention.{of}_input_norm.norm.gain" for of in ("key", "value")), "norm"),
    },
    "canon": {"branch.neighbours.weight": "scale"},
    "highway": {"connection.gate.weight": "linear", "connection.bias": "bias"},
    "laurel": {"connection.down.weight": "linear", "connection.up": "mix.dynamic", "connection.weight": "scale"},
    "deep_delta": {f"connection.{of}_{what}": "gate" for of in ("beta", "value") for what in ("weight", "bias")},
    **alike(("denseformer", "elc", "unet_skips"), {"connection.weight": "mix"}),
    "weighted_history": {"connection.weight": "mix", "stream.weight": "mix"},
    **alike(("attention_residuals", "attention_residuals grouped"), OVER_DEPTH),
    **alike(("delta_attention_residuals", "delta_attention_residuals grouped"), OVER_DELTAS),
    "reinjection": REINJECTED,
    "value_residual": VALUES,
    "lime": {f"branch.attention.{of}_router.weight": "mix" for of in ("key", "value")},
    "embedding_values": {"branch.attention.value_embedded.project.weight": "linear"},
    "hyper": HYPER,
    "hyper static": {name: role for name, role in HYPER.items() if "dynamic" not in name},
    **alike(("mhc", "mhc_lite", "identity_mixing"), MHC),
    "parallel": {
        "branch.sum.attention.norm.gain": "norm",
        "branch.sum.feedforward.norm.gain": "norm",
        **{f"branch.sum.attention.attention.{of}.weight": f"attention.{of}" for of in ("query", "key", "value")},
        "branch.sum.attention.attention.output.weight": "attention.out",
        **{f"branch.sum.attention.attention.{of}_norm.gain": "norm" for of in ("query", "key")},
        "branch.sum.feedforward.feedforward.input.weight": "feedforward.in",
        "branch.sum.feedforward.feedforward.output.weight": "feedforward.out",
    },
    "hyper | value_residual": {**HYPER, **VALUES},
    "sandwich | reinjection": {**REINJECTED, "branch.norm_2.gain": "norm"},
    "reversible | value_residual": VALUES,
}
"""The parameters that pre-norm does not have, by what follows the name of a residual, and their roles."""

DECAYED = ("embedding", "attention.query", "attention.key", "attention.value", "attention.out", "feedforward.in",
           "feedforward.out", "linear", "mix.dynamic")  # fmt: skip
"""The roles of a small model's matrices; gains, biases, scales, gates and static mixing weights are not among them."""

MATRICES = {"attention.query", "attention.key", "attention.value", "attention.out", "feedforward.in", "feedforward.out"}


def short(name):
    """Return what of a parameter's name follows that of its residual."""
    return name.split(".", 3)[3] if name.startswith("blocks.") else name


def rates(name, parameter, role):
    """Return the factors on learning rate, decay and eps that the paper of the form gives to a parameter."""
    if role == "reinjection.keep":
        return Multipliers(lr=0.01)  # it compounds over the blocks
    if name != "complete_p":
        return Multipliers()
    deep, wide, alpha = 3 / 2, 12 / 6, 0.75  # layers and width by those of the base
    eps = deep**-alpha / wide
    if not parameter.startswith("blocks."):
        return Multipliers(eps=eps)
    if role in MATRICES:
        return Multipliers(lr=deep ** (alpha - 1) / wide, decay=wide, eps=eps)
    return Multipliers(lr=deep ** (alpha - 1), eps=eps)


@pytest.mark.parametrize("name", RESIDUALS)
def test_its_parameters_have_these_roles(name):
    plain = roles(small("pre_norm"))
    found = roles(small(RESIDUALS[name]))
    assert {short(key): role for key, role in found.items() if key not in plain} == OWN.get(name, "a line of OWN")
    assert all(role == plain[key] for key, role in found.items() if key in plain)


@pytest.mark.parametrize("name", RESIDUALS)
def test_matrices_are_decayed_and_rates_are_those_of_its_paper(name):
    model = small(RESIDUALS[name])
    rows = optim.table(model, optim.AdamW(optim.groups(model, decay=0.5), lr=0.25, eps=0.125))
    assert len(rows) == len(list(model.parameters()))
    for row in rows:
        wanted = rates(name, row.name, row.role)
        assert row.lr == pytest.approx(0.25 * wanted.lr, rel=1e-12), row.name
        assert row.eps == pytest.approx(0.125 * wanted.eps, rel=1e-12), row.name
        assert row.decay == pytest.approx(0.5 * wanted.decay if row.role in DECAYED else 0.0, rel=1e-12), row.name


@pytest.mark.parametrize("name", RESIDUALS)
def test_muon_takes_the_matrices_of_its_sublayers_alone(name):
    model = small(RESIDUALS[name])
    made = optim.Muon(optim.groups(model))
    taken = {row.role for row in optim.table(model, made) if row.method == "muon"}
    assert taken == MATRICES


INIT = {
    **alike(("sandwich", "peri_ln", "output_norm"), {"zero": "gradient of 1/sqrt"}),
    "deepnorm": alike(("normal", "gpt2", "zero"), "deepnorm is defined by its initial weights"),
    "rezero": {"zero": "no gradient, ever"},
    "deep_delta": {"zero": "no direction"},
    "plain": {"zero": "a stream of zeros"},
}
"""The initial weights that a form refuses, and why."""


@pytest.mark.parametrize("name", catalogue.names("residual"))
def test_initial_weights_that_cannot_work_are_refused_for_their_reason(name):
    wrong = INIT.get(name, {})
    for init in catalogue.names("init"):
        if init in wrong:
            with pytest.raises(BadInput, match=rf"model\.init '{init}': .*{wrong[init]}.*: use "):
                small(name, init=init)
        elif init != "auto":
            small(name, init=init, layers=1)
    assert form.parse(name).init() not in wrong


@pytest.mark.parametrize(
    ("residual", "init", "said"),
    [
        ({"name": "layer_scale", "start": 0.0}, "zero", "use "),
        ("layer_scale | deepnorm", "gpt2", "deepnorm is defined by its initial weights"),
        ("pre_norm", "nothing", "'nothing' is not known: use "),
    ],
)
def test_so_are_those_that_a_value_or_one_of_two_forms_refuses(residual, init, said):
    with pytest.raises(BadInput, match=said):
        small(residual, init=init)


VALUES_REFUSED = [
    ("bdia", {"bits": 0}, "bits from 1 to 16, or none for no grid, not 0"),
    ("bdia", {"bits": 17}, "bits from 1 to 16, or none for no grid, not 17"),
    ("canon", {"count": 1}, "canon with count 1 reads no earlier position"),
    ("keel", {"alpha": 0.5}, "alpha of at least 1, or none for the number of sublayers, not 0.5"),
    ("keel", {"alpha": float("inf")}, "not inf"),
    ("keel", {"alpha": float("nan")}, "not nan"),
    ("hyper", {"streams": 0}, "streams from 1 to 1024, not 0"),
    ("mhc", {"streams": 0}, "streams from 1 to 1024, not 0"),
    ("mhc", {"iterations": 0}, "iterations from 1 to 1000, not 0"),
    ("mhc_lite", {"streams": 0}, "from 1 to 4, not 0"),
    ("mhc_lite", {"streams": 5}, "from 1 to 4, not 5"),
    ("identity_mixing", {"streams": 0}, "streams from 1 to 1024, not 0"),
    ("resi_dual", {"share": 0.0}, "a share above 0, not 0.0"),
    ("resi_dual", {"share": -1.0}, "a share above 0, not -1.0"),
    ("resi_dual", {"share": float("nan")}, "a share above 0, not nan"),
    ("mix_ln", {"share": -0.1}, "a share of the blocks from 0 to 1, not -0.1"),
    ("mix_ln", {"share": 1.5}, "a share of the blocks from 0 to 1, not 1.5"),
    ("mix_ln", {"share": float("nan")}, "not nan"),
    ("laurel", {"rank": 0}, "a rank of at least 1, not 0"),
    ("deep_delta", {"start": 0.0}, "a start between 0 and 2, not 0.0"),
    ("deep_delta", {"start": 2.0}, "a start between 0 and 2, not 2.0"),
    ("deep_delta", {"start": float("nan")}, "not nan"),
    ("attention_residuals", {"group": 0}, "a group of at least 1 sublayer, not 0"),
    ("delta_attention_residuals", {"group": 0}, "a group of at least 1 sublayer, not 0"),
    ("complete_p", {"base_layers": 0}, "base_layers 0"),
    ("complete_p", {"base_width": 0}, "base_width 0"),
    ("complete_p", {"alpha": 0.4}, "alpha from 0.5 .* to 1 .*, not 0.4"),
    ("complete_p", {"alpha": float("nan")}, "not nan"),
]


@pytest.mark.parametrize(("name", "values", "said"), VALUES_REFUSED)
def test_a_value_that_means_nothing_is_refused_with_one_that_does(name, values, said):
    with pytest.raises(BadInput, match=f"{said}"):
        form.parse({"name": name, **values})


def test_every_form_that_checks_its_values_is_among_these():
    checking = {
        name for name in catalogue.names("residual") if "__post_init__" in vars(catalogue.resolve("residual", name))
    }
    assert checking == {name for name, _, _ in VALUES_REFUSED}
