"""One process is a world that gives back what it gets; two agree, add up, and take the step that one takes."""

from pathlib import Path

import pytest
import torch
from processes import two

from mainstem.errors import BadInput
from mainstem.train.world import ALONE, World, join, leave


def test_a_process_by_itself_is_a_world(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    world = join()
    assert world == ALONE == World(0, 1, 0)
    value = torch.ones(2)
    assert world.leads and world.agree(130) == 130 and world.total(value) is value and world.first("a") == "a"
    assert world.slots(7) == range(7)
    leave(world)


def test_slots_are_shared_without_a_rest() -> None:
    shares = [World(rank, 3, rank).slots(8) for rank in range(3)]
    assert [slot for share in shares for slot in share] == list(range(8))
    assert {len(share) for share in shares} == {2, 3}


@pytest.mark.parametrize("given", [("2", "2", "0"), ("", "2", "0"), ("x", "2", "0"), ("0", "two", "0")])
def test_what_makes_no_group_is_refused(given: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(("RANK", "WORLD_SIZE", "LOCAL_RANK"), given, strict=True):
        monkeypatch.setenv(name, value)
    with pytest.raises(BadInput, match=r"WORLD_SIZE='\w+', .* make no group of processes: start them by torchrun"):
        join()


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")
def test_two_processes_agree_add_up_and_take_the_steps_of_one(tmp_path: Path) -> None:
    said = two("world_ranks.py", str(tmp_path))
    for out, error in said:
        assert out.splitlines()[-1:] == ["equal"], error
