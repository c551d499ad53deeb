"""Warnings where a decay and a penalty draw the same weights to 0, and what a run refuses of proximal steps."""

import re

import pytest

from mainstem import config
from mainstem.config import PenaltyTerm
from mainstem.errors import BadInput
from mainstem.train import refuse


def run(penalty=(), proximal=(), **optim):
    terms = {"penalty": list(penalty), "optim": config.Optim(proximal=list(proximal), **optim)}
    return config.Run(model=config.Model(layers=1, width=16, heads=2, context=8), **terms)


@pytest.mark.parametrize("name", ["l1", "l2", "elastic_net", "spectral"])
@pytest.mark.parametrize("where", ["penalty", "proximal"])
def test_a_decay_on_what_a_penalty_shrinks_has_a_warning_that_names_both(name, where):
    if (name, where) == ("spectral", "proximal"):
        pytest.skip("it is no proximal step")
    term = PenaltyTerm(name=name, coef=1e-3)
    (said,) = refuse.doubts(run(**{where: [term]}, decay=0.3))
    assert re.match(r"weights are drawn to 0 twice, by weight decay 0\.3 and by .*coef=0\.001.*and \d+ more\)", said)


def test_without_both_on_one_tensor_there_is_none():
    term = PenaltyTerm(name="l1", coef=1e-3, on="attention")
    assert refuse.doubts(run()) == []
    assert refuse.doubts(run([term], decay=0.0)) == []
    assert refuse.doubts(run([term], decay_on="feedforward")) == []
    assert len(refuse.doubts(run([term], [PenaltyTerm(name="l2", coef=1e-3, on="embedding")]))) == 2
    for name in ("orthogonality", "l2_sp"):
        assert refuse.doubts(run([PenaltyTerm(name=name, coef=1e-3)])) == []


def test_a_number_that_means_another_kind_of_decay_has_a_warning():
    for kind, decay, said in (
        ("independent", 0.1, "after 10 steps: give about"),
        ("passes", 0.1, "after 0.1 passes over the text: give how many"),
    ):
        (found,) = refuse.doubts(run(decay_kind=kind, decay=decay))
        assert f"optim.decay 0.1 of kind {kind} leaves 1 / e of a weight {said}" in found
    for kind, decay in (("independent", 1e-3), ("passes", 4.0), ("decoupled", 0.1), ("cautious", 1.6)):
        assert refuse.doubts(run(decay_kind=kind, decay=decay)) == []


@pytest.mark.parametrize("average", [{"average": 0.9}, {"swa": 0.2}])
def test_an_average_beside_proximal_steps_has_a_warning(average):
    terms = [PenaltyTerm(name="l1", coef=1e-3)]
    (said,) = refuse.doubts(run(proximal=terms, decay=0.0, **average))
    assert "the average of them that is kept is not: give --optim.average 0" in said
    assert refuse.doubts(run(terms, decay=0.0, **average)) == []


@pytest.mark.parametrize(
    ("proximal", "said"),
    [
        ([("l1", "feedforward", {}), ("l2", "*.input.weight", {})], "is claimed by two proximal steps, .*L1.*L2"),
        ([("group_lasso", None, {"over": "hidden"}), ("l1", "feedforward", {})], "is claimed by two proximal steps"),
        ([("l1", "feedfoward", {})], "'feedfoward'.*feedforward"),
        ([("l2_sp", None, {})], "cannot be a proximal step, which does not know where training began"),
        ([("spectral", None, {"iterations": 5})], "cannot be a proximal step: add it to the loss"),
        ([("group_lasso", "attention.query", {"over": "heads"})], "No heads of this model lie whole"),
        ([("group_lasso", None, {"over": "neurons"})], r"optim\.proximal\.0\.over"),
    ],
)
def test_what_cannot_be_a_proximal_step_is_refused_before_the_text_is_read(proximal, said):
    terms = [PenaltyTerm(name=name, coef=1e-3, on=on, values=values) for name, on, values in proximal]
    with pytest.raises(BadInput, match=said):
        refuse.early(run(proximal=terms))
