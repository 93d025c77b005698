"""Does long work say how far it is, how fast, and how long it will still take?"""

from __future__ import annotations

import pytest

from crm_portfolio._pull import metering
from crm_portfolio.cli._print import speaking
from crm_portfolio.cli._progress import _Lines, counting, line_of, progress


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def told(clock: Clock, capsys, *steps: tuple[float, int, int | None]) -> list[str]:
    lines = _Lines(clock)
    for at, done, total in steps:
        clock.now = at
        lines("pull account", done, total)
    return capsys.readouterr().err.splitlines()


def test_a_log_gets_a_line_now_and_then_with_rate_and_remaining_time(
    clock: Clock, capsys
) -> None:
    steps = [(0.0, 0, 4_000), (4.0, 400, 4_000), (10.0, 1_000, 4_000)]
    steps += [(15.0, 1_500, 4_000), (20.0, 2_000, 4_000), (40.0, 4_000, 4_000)]
    assert told(clock, capsys, *steps) == [
        "pull account: 1,000 of 4,000, 100/s, 0:30 left",
        "pull account: 2,000 of 4,000, 100/s, 0:20 left",
        "pull account: 4,000 of 4,000, 100/s, 0:40",
    ]


def test_what_is_done_at_once_leaves_no_line(clock: Clock, capsys) -> None:
    assert told(clock, capsys, (0.0, 0, 60), (0.3, 60, 60)) == []


def test_of_steps_of_one_piece_a_log_names_those_that_take_long_and_what_follows(
    clock: Clock, capsys
) -> None:
    lines = _Lines(clock)
    for name, took in (("tiers", 1.0), ("risk", 41.0), ("focus", 2.0)):
        lines(name, 0, 1)
        clock.now += took
        lines(name, 1, 1)
    assert capsys.readouterr().err.splitlines() == [
        "risk: done, 0:41",
        "focus: under way, 0:00",
    ]


def test_each_step_is_told_to_whoever_wants_more(clock: Clock, capsys) -> None:
    lines = _Lines(clock, is_verbose=True)
    lines("pull account", 0, 60)
    clock.now = 0.5
    lines("pull account", 60, 60)
    said = capsys.readouterr().err
    assert said == "pull account: 60 of 60, 120/s, 0:00\n"


def test_who_wants_quiet_is_told_nothing(clock: Clock, capsys) -> None:
    with speaking("quiet"):
        assert told(clock, capsys, (0.0, 0, 60), (20.0, 30, 60)) == []
        with progress() as tell:
            assert tell is None


def test_where_the_end_is_unknown_no_end_is_promised() -> None:
    assert line_of("pull", 500, None, 0, 10.0) == "pull: 500, 50/s, 0:10"


def test_what_went_on_from_before_does_not_count_for_the_rate() -> None:
    assert line_of("apply", 900, 1_000, 800, 10.0) == (
        "apply: 900 of 1,000, 10/s, 0:10 left"
    )


def test_slow_work_is_counted_by_the_minute_and_long_work_by_the_hour() -> None:
    assert line_of("apply", 10, 1_000, 0, 60.0) == (
        "apply: 10 of 1,000, 10/min, 1:39:00 left"
    )


def test_a_pull_tells_how_many_of_its_calls_are_made() -> None:
    said: list[tuple[str, int, int | None]] = []

    class Crm:
        """As much of a metered source as is asked here."""

        calls = 0

        def forecast(self) -> None: ...

    crm = Crm()
    with metering(lambda *each: said.append(each), crm, 11) as tell:  # type: ignore[arg-type]
        assert tell is not None
        for crm.calls in (3, 12):
            tell("pull account", 60, None)
        assert [each for each in said if each[0] == "calls"] == [
            ("calls", 3, 11),
            ("calls", 11, 11),
        ]
    assert said[-1] == ("calls", 11, 11)


def test_of_many_single_steps_the_finished_ones_are_counted() -> None:
    said: list[tuple[str, int, int | None]] = []
    names = ("tiers", "risk")
    tell = counting(lambda *each: said.append(each), "analyses", names)
    assert tell is not None
    tell("pull account", 60, 60)
    for name in names:
        tell(name, 0, 1)
        tell(name, 1, 1)
    assert [each for each in said if each[0] == "analyses"] == [
        ("analyses", 0, 2),
        ("analyses", 1, 2),
        ("analyses", 1, 2),
        ("analyses", 2, 2),
    ]
    assert ("risk", 0, 1) in said
