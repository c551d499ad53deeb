"""What is counted without memory is what a model of any form has; and no more, where some blocks stand for many."""

import subprocess
import sys

import pytest
from variants import small

from mainstem import catalogue
from mainstem.model import LanguageModel, Settings
from mainstem.train import counted

NAMES = catalogue.names("residual")


def of(**given):
    return Settings(**{"vocab": 9, "layers": 3, "width": 16, "heads": 2, "context": 8, **given})


def held(settings):
    """Return the weights of the blocks and the stream of a model that is made."""
    made = LanguageModel(settings)
    return sum(p.numel() for part in (made.blocks, made.stream) for p in part.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_it_is_what_a_model_has(name):
    settings = of(residual=small(name, layers=3).settings.residual)
    assert counted.count(settings).weights == held(settings)


@pytest.mark.parametrize(
    "given",
    [
        {"kv_heads": 1}, {"head_width": 12}, {"hidden": 5, "feedforward": "swiglu"}, {"qk_norm": "none"},
        {"norm": "layer"}, {"residual": "canon | sandwich"}, {"residual": {"name": "laurel", "rank": 10**9}},
    ],
)  # fmt: skip
def test_sizes_of_sublayers_count(given):
    assert counted.count(of(**given)).weights == held(of(**given)) != held(of())


@pytest.mark.parametrize(
    ("name", "layers"), [*((name, 11) for name in NAMES), *((name, 20) for name in ("pre_norm", "lime", "mudd"))]
)
def test_of_many_blocks_it_is_no_more_than_there_is(name, layers, monkeypatch):
    """Some of them are looked at, and of 20 that are taken for 12, as 257 are for 256."""
    monkeypatch.setattr(counted, "_MOST", 12)
    settings = of(layers=layers, residual=small(name, layers=2).settings.residual)
    assert 0.5 * held(settings) < counted.count(settings).weights <= held(settings)


@pytest.mark.parametrize(
    ("residual", "streams"),
    [("pre_norm", 1), ("peri_ln", 1), ("denseformer", 1), ("bdia", 1), ("reversible", 1), ("resi_dual", 2)]
    + [({"name": name, "streams": 3}, 3) for name in ("hyper", "mhc", "mhc_lite", "identity_mixing")],
)
def test_streams_are_those_that_a_form_opens(residual, streams):
    assert counted.count(of(residual=residual)).streams == streams


def test_what_torch_cannot_count_is_endless():
    assert counted.count(of(width=2**40, hidden=2**40)).weights == counted.ENDLESS


def test_counting_loads_no_decompositions():
    """The first shape that torch finds by one takes 1.6 s, when a training begins and when a trained model is read."""
    code = f"""
import sys
from mainstem.model import Settings, network
from mainstem.nn.unmade import unmade
from mainstem.train import counted, memory
from mainstem import catalogue, config, form
SIZES = dict(vocab=9, layers=3, width=16, heads=2, context=8)
CHANGES = [dict(embedding=name) for name in catalogue.names("embedding")]
CHANGES += [dict(positions="learned"), dict(feedforward="swiglu"), dict(head="untied"), dict(members=2)]
for name in {list(NAMES)}:
    counted.count(Settings(**SIZES, residual=name))
    memory.computes_back(form.parse(name))
    CHANGES.append(dict(residual=name))
for changes in CHANGES:
    with unmade():
        network(Settings(**SIZES, **changes), seed=None)
    assert "sympy" not in sys.modules, changes
"""
    subprocess.run([sys.executable, "-c", code], check=True)
