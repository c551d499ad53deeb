from mainstem.train import phases


def test_time_goes_to_the_phase_that_has_just_ended() -> None:
    now = iter([0.0, 1.0, 3.0, 10.0, 10.5])
    timer = phases.Phases(lambda: next(now))
    timer.mark("data")
    timer.mark("forward")
    timer.skip()
    timer.mark("data")
    assert timer.take() == {"data": 1.5, "forward": 2.0}
    assert timer.take() == {}
