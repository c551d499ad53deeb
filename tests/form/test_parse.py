"""From what a user writes to a form."""

import json

import pytest
from variants import RESIDUALS

from mainstem import form
from mainstem.errors import BadInput


def test_names_values_and_lists():
    assert form.parse("pre_norm") == form.PreNorm()
    assert form.parse({"name": "hyper", "streams": 2}) == form.Hyper(streams=2)
    given = ["sandwich", {"name": "reinjection", "inject": 0.2}]
    assert form.parse(given) == form.Sandwich() | form.Reinjection(inject=0.2)
    assert form.parse("sandwich|reinjection") == form.Sandwich() | form.Reinjection()


@pytest.mark.parametrize("name", RESIDUALS)
def test_a_form_is_written_as_what_is_parsed_to_it(name):
    made = form.parse(RESIDUALS[name])
    assert form.parse(json.loads(json.dumps(form.written(made)))) == made


def test_a_form_without_a_name_is_not_written():
    class Mine(form.Form):
        pass

    with pytest.raises(BadInput, match="Mine has no name in the catalogue"):
        form.written(Mine())


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("hypr", "hyper"),
        ({"name": "hyper", "strems": 4}, r"model\.residual\.strems is not a value of hyper: did you mean streams\?"),
        ({"name": "pre_norm", "strems": 4}, "takes no values at all: --model.residual hyper has streams"),
        ({"name": "rezero", "zzz": 4}, "takes start: leave it out"),
        ({"name": "hyper", "streams": "four"}, "'four'.*a whole number"),
        ({"name": "hyper", "weights": "some"}, "'some'.*static, dynamic"),
        ({"name": "rezero", "start": "none"}, "'none'.*a number"),
        ({"name": "hyper", "streams": 0}, "from 1 to 1024, not 0"),
        ({"streams": 4}, "name"),
        ({"name": "pre_norm", "alpha": 1}, "no values"),
        ([], "list"),
        ([["hyper"]], "list"),
        (7, "name"),
    ],
)
def test_what_is_wrong_is_said(value, said):
    with pytest.raises(BadInput, match=said):
        form.parse(value)
