"""One process is a world that gives back what it gets; two agree, add up, and take the step that one takes."""

import socket
from datetime import timedelta
from pathlib import Path

import pytest
import tiny_run
import torch
from processes import all_equal, two

from mainstem.errors import BadInput
from mainstem.train.device import Place
from mainstem.train.processes.joining import join, leave
from mainstem.train.world import ALONE, World


def test_a_process_by_itself_is_a_world(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    world = join()
    assert world == ALONE == World(0, 1, 0)
    value = torch.ones(2)
    assert world.leads and world.agree(130) == 130 and world.total(value) is value and world.first("a", str) == "a"
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


def _alone_of_two(monkeypatch: pytest.MonkeyPatch, port: int | str, address: str = "127.0.0.1") -> None:
    given = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": address, "MASTER_PORT": str(port)}
    for name, value in given.items():
        monkeypatch.setenv(name, value)


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")
def test_others_that_do_not_come_are_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    _alone_of_two(monkeypatch, port)
    with pytest.raises(BadInput, match=r"2 processes .* did not meet at '127.0.0.1:\d+' \(not all 2 came within 1 sec"):
        join(timedelta(seconds=1))


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")
@pytest.mark.parametrize(
    ("address", "port"),
    [("", ""), ("127.0.0.1", ""), ("", "29500"), ("a", "b"), ("a", "0"), ("a", "65536"), ("a", "-1")],
)
def test_where_no_place_is_given_nobody_is_said_not_to_have_come(
    address: str, port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _alone_of_two(monkeypatch, port, address)
    with pytest.raises(BadInput, match=f"^MASTER_ADDR='{address}' and MASTER_PORT='{port}' are no address and no port"):
        join()


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")
@pytest.mark.parametrize("rank", [0, 1])
def test_a_name_that_nobody_knows_is_said(rank: int, monkeypatch: pytest.MonkeyPatch) -> None:
    _alone_of_two(monkeypatch, 29500, "nowhere.invalid")
    monkeypatch.setenv("RANK", str(rank))
    with pytest.raises(
        BadInput, match=r"did not meet at 'nowhere.invalid:29500' \(no machine of that name is known here"
    ):
        join(timedelta(seconds=1))


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")
def test_a_port_that_is_taken_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET6) as taken:
        taken.bind(("::", 0))
        taken.listen()
        _alone_of_two(monkeypatch, taken.getsockname()[1])
        with pytest.raises(BadInput, match="another program listens there"):
            join(timedelta(seconds=2))


def test_each_process_has_a_sample_and_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    run = tiny_run.run("corpus.txt", "out", train={"batch": 3})
    World(2, 3, 2).check(run)
    with pytest.raises(BadInput, match=r"train.batch 3 is fewer sequences than the 4 processes that share them"):
        World(0, 4, 0).check(run)
    World(3, 4, 3).seat(Place(torch.device("cpu"), torch.float32))
    with pytest.raises(BadInput, match=r"machine.device 'mps' trains in one process, and 4 were started"):
        World(3, 4, 3).seat(Place(torch.device("mps"), torch.float32))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    taken: list[int] = []
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    World(3, 4, 1).seat(Place(torch.device("cuda"), torch.float32))
    assert taken == [1]
    with pytest.raises(BadInput, match="Process 2 of this machine has no GPU, as there are 2"):
        World(3, 4, 2).seat(Place(torch.device("cuda"), torch.float32))


def test_one_that_is_apart_computes_its_share_and_asks_nobody() -> None:
    apart = World(1, 2, 1).apart()
    assert apart.slots(5) == range(2, 5) and apart.alone
    assert apart.agree(3) == 3 and apart.total(2) == 2 and apart.first("a", str) == "a"


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")
def test_a_process_that_does_not_answer_is_noticed_in_time() -> None:
    assert len(all_equal("silent_ranks.py")) == 1


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no torch.distributed")
def test_two_processes_agree_add_up_and_take_the_steps_of_one(tmp_path: Path) -> None:
    said = two("world_ranks.py", str(tmp_path))
    for out, error in said:
        assert out.splitlines()[-1:] == ["equal"], error
