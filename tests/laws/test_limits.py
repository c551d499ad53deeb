"""A whole number that makes a loop or a tensor longer has a largest value, and each number of an update's parts has
limits: the constructor names them."""

from __future__ import annotations

import dataclasses
import math
import re
from typing import Annotated, Any, get_args, get_origin

import pytest
import torch

from mainstem import catalogue, form, noise, optim, penalty, variants
from mainstem.errors import BadInput
from mainstem.form.mhc import sinkhorn
from mainstem.model import LanguageModel, Settings
from mainstem.train.losses.cross_entropy import CrossEntropy
from mainstem.train.losses.multi_token import MultiToken

KINDS = ("residual", "noise", "penalty", "loss", "optimizer", "decay", "around", "after", "average", "skip", "schedule",
         "course", "tokenizer", "embedding")  # fmt: skip
UPDATE = ("optimizer", "decay", "around", "after", "average", "skip", "schedule", "course")

FREE = {
    ("laurel", "rank"): "a rank above the width is the width",
    ("attention_residuals", "group"): "a group larger than the model is the model",
    ("delta_attention_residuals", "group"): "a group larger than the model is the model",
    ("swa", "begin"): "compared with a number of updates, as the next two",
    ("soup", "begin"): "",
    ("soup", "every"): "",
}
"""Those that make nothing longer, and why."""


def integers() -> list[tuple[str, str, str]]:
    """Return kind, name and field of each whole number that a variant of the catalogue has."""
    found = []
    for kind in KINDS:
        for spec in catalogue.specs(kind):
            made: Any = spec.load()
            if isinstance(made, type) and dataclasses.is_dataclass(made):
                hints = variants.types(made)
                found += [(kind, spec.name, name) for name, hint in hints.items() if re.search(r"\bint\b", str(hint))]
    return found


def floats() -> list[tuple[str, str, str, float]]:
    """Return kind, name and field of each number of an update's parts, and values just beyond its limits."""
    found = []
    for kind in UPDATE:
        for spec in catalogue.specs(kind):
            made: Any = spec.load()
            for name, hint in variants.types(made).items() if dataclasses.is_dataclass(made) else ():
                one = get_args(hint)[0] if get_origin(hint) is tuple else hint
                if one is float or (get_origin(one) is Annotated and get_args(one)[0] is float):
                    found += [(kind, spec.name, name, value) for value in beyond(get_args(one)[1:])]
    return found


def beyond(metas: Any) -> list[float]:
    """Return numbers that no limit of these allows: those next to it, and those that are none or below 0."""
    found = [-1.0, math.nan, math.inf, -math.inf]
    for meta in metas:
        found += [value for value in (meta.gt, meta.lt) if value is not None]
        found += [math.nextafter(meta.ge, -math.inf)] if meta.ge is not None else []
        found += [math.nextafter(meta.le, math.inf)] if meta.le is not None else []
    return [float(value) for value in found]


def needed(made: Any) -> dict[str, Any]:
    """Return values of the fields that have no default."""
    return {field.name: 0.1 for field in dataclasses.fields(made)
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING}  # fmt: skip


@pytest.mark.parametrize(("kind", "name", "field"), integers())
def test_a_number_beyond_any_sense_is_refused_with_its_value_and_the_remedy(kind: str, name: str, field: str) -> None:
    made: Any = catalogue.resolve(kind, name)
    for value in (10**9, 10**400):
        if (name, field) in FREE:
            made(**{**needed(made), field: value})
            continue
        with pytest.raises(BadInput, match=str(value)) as caught:
            made(**{**needed(made), field: value})
        assert re.search(r"give|choice|use |paper's", str(caught.value))


@pytest.mark.parametrize(("kind", "name", "field", "value"), floats())
def test_a_number_beyond_its_limits_is_refused_in_python_too(kind: str, name: str, field: str, value: float) -> None:
    made: Any = catalogue.resolve(kind, name)
    given = needed(made)
    usual = {each.name: each.default for each in dataclasses.fields(made)}[field]
    for wrong in [value] if not isinstance(usual, tuple) else [(value, *usual[1:]), (*usual[:-1], value)]:
        with pytest.raises(BadInput) as caught:
            made(**{**given, field: wrong})
        assert str(value) in str(caught.value) and "give" in str(caught.value)


def of_forms() -> list[tuple[str, str, Any]]:
    """Return name and field of each number and each choice of a form, and what none of them can be."""
    found: list[tuple[str, str, Any]] = []
    for spec in catalogue.specs("residual"):
        for name, hint in variants.types(spec.load()).items():
            if "float" in str(hint):
                found += [(spec.name, name, value) for value in (math.nan, math.inf, -math.inf)]
            elif "Literal" in str(hint):
                found.append((spec.name, name, "none such"))
    return found


@pytest.mark.parametrize(("name", "field", "value"), of_forms())
def test_a_form_takes_no_number_that_is_none_and_no_other_word(name: str, field: str, value: Any) -> None:
    """A configuration refuses them; in Python they made a model of NaN, and `weights` static where it was misspelt."""
    with pytest.raises(BadInput) as caught:
        catalogue.resolve("residual", name)(**{field: value})
    assert str(value) in str(caught.value)


def test_those_that_are_free_are_fields() -> None:
    assert set(FREE) <= {(name, field) for _, name, field in integers()}


@pytest.mark.parametrize(
    "made",
    [
        form.MHC(streams=1024, iterations=1000), form.Hyper(streams=1024), form.IdentityMixing(streams=1024),
        form.Canon(count=4096), form.CompleteP(base_layers=2**24, base_width=2**24), form.LAuReL(rank=10**9),
        penalty.Spectral(0.1, iterations=10000), noise.SpanMasking(0.1, length=2**16), optim.Percentile(last=2**24),
        MultiToken(tokens=16),
    ],
)  # fmt: skip
def test_the_largest_is_taken(made: Any) -> None:
    assert dataclasses.replace(made) == made


def test_a_model_has_the_largest_kernel() -> None:
    model = LanguageModel(Settings(vocab=5, layers=1, width=4, heads=1, context=8, residual=form.Canon(count=4096)))
    assert model(torch.ones(1, 8, dtype=torch.int64)).isfinite().all()


def test_more_iterations_than_the_most_change_nothing_that_counts() -> None:
    torch.manual_seed(0)
    logits = torch.randn(500, 4, 4, dtype=torch.float64)
    assert torch.equal(sinkhorn(logits, 1000), sinkhorn(logits, 999)) or torch.allclose(
        sinkhorn(logits, 1000), sinkhorn(logits, 200), rtol=0, atol=1e-15
    )
    moved = (sinkhorn(16 * logits, 1001) - sinkhorn(16 * logits, 1000)).abs().max().item()
    assert 0 < moved < 1e-5
    left, right = (torch.linalg.qr(torch.randn(16, 16, dtype=torch.float64))[0] for _ in range(2))
    values = torch.linspace(0.1, 0.9, 16, dtype=torch.float64)
    values[-2:] = torch.tensor([0.999, 1.0])
    w = left @ torch.diag(values) @ right
    assert abs(1 - penalty.Spectral(1.0, iterations=10000).of(w).item()) < 1e-14
    assert abs(1 - penalty.Spectral(1.0, iterations=1000).of(w).item()) > 1e-6


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: MultiToken(tokens=17), "tokens of MultiToken is 17: give a whole number from 2 to 16."),
        (lambda: CrossEntropy(z_loss=-1.0), "z_loss of CrossEntropy is -1.0: give a number of at least 0.0."),
        (lambda: optim.Percentile(below=1.5), "below of Percentile is 1.5: give a number above 0 and of at most 1."),
    ],
)
def test_python_is_held_to_the_limits_of_a_configuration(make: Any, said: str) -> None:
    with pytest.raises(BadInput, match=f"^{re.escape(said)}$".replace("0\\.0", "0(\\.0)?")):
        make()
