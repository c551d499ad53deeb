"""Fields that contradict each other are refused together, by their names."""

# ruff: noqa: E501 - a table reads best with a row a line

import pytest

from mainstem import config
from mainstem.errors import BadInput

REFUSED = [
    ({"model.heads": 3}, "model.heads 3 does not divide model.width 128: give 2 or 4 heads."),
    ({"model.heads": 200}, "model.heads 200 does not divide model.width 128: give 128 heads."),
    ({"model.kv_heads": 3}, "model.kv_heads 3 does not divide model.heads 4: give 2 or 4."),
    ({"model.width": 12}, "model.width 12 over model.heads 4 is 3 numbers a head, and rotary positions turn pairs of them: "
     "make it even, or give --model.positions learned."),
    ({"model.head_width": 5}, "model.head_width is 5 numbers a head, and rotary positions turn pairs of them: "
     "make it even, or give --model.positions learned."),
    ({"model.rotary_base": 500, "model.positions": "learned"}, "model.rotary_base 500 is for rotary positions, and model.positions is learned: "
     "leave it out, or give --model.positions rotary."),
    ({"train.passes": 5, "train.steps": 3}, "train.passes 5 is how many passes a budget may hold, and there is none: "
     "give --train.budget, or --train.epochs 5 in its place."),
    ({"train.steps": 5, "train.epochs": 2}, "train.steps 5 and train.epochs 2.0 all say how long the run is: give one of them."),
    ({"train.micro_batch": 33}, "train.micro_batch 33 is more than train.batch 32: give that many or fewer."),
    ({"optim.average": 0.9, "optim.swa": 0.25}, "optim.average 0.9 and optim.swa 0.25 are two averages of the weights: give one of them."),
    ({"optim.schedule": "wsd", "optim.warmup": 0.8}, "optim.warmup 0.8 and optim.schedule.cooldown 0.3 are more than the whole training, "
     "so that wsd would fall before it has risen: give smaller ones."),
    ({"optim.schedule": {"name": "wsd_sqrt", "cooldown": 1.0}}, "optim.warmup 0.02 and optim.schedule.cooldown 1 are more than the whole training, "
     "so that wsd_sqrt would fall before it has risen: give smaller ones."),
    ({"optim.warmup": 1.0}, "optim.warmup 1 is the whole training, so that optim.schedule cosine would end before it begins: "
     "give a smaller share, or --optim.schedule constant."),
    ({"optim.decay": 0, "optim.decay_kind": "cautious"}, "optim.decay_kind cautious means nothing where optim.decay is 0: leave one of them out."),
    ({"optim.decay": 0, "optim.decay_course": "rising"}, "optim.decay_course rising means nothing where optim.decay is 0: leave one of them out."),
    ({"optim.decay": 0, "optim.decay_on": "head"}, "optim.decay_on head means nothing where optim.decay is 0: leave one of them out."),
]  # fmt: skip


@pytest.mark.parametrize(("flags", "said"), REFUSED)
def test_what_is_refused(flags: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput) as caught:
        config.load(flags)
    assert str(caught.value) == said


def test_an_odd_head_is_fine_without_rotary_positions() -> None:
    assert config.load({"model.width": 12, "model.positions": "learned"}).model.width == 12


def test_a_stored_run_is_checked_too() -> None:
    with pytest.raises(BadInput, match="does not divide"):
        config.parse("model: {heads: 3}")


def test_only_the_whole_is_checked(tmp_path: object) -> None:
    path = tmp_path / "wide.yaml"  # type: ignore[operator]
    path.write_text("train: {micro_batch: 64}")
    assert config.load({"train.batch": 64}, path).train.micro_batch == 64
