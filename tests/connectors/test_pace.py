"""Are the vendor's windows kept by all threads, and our own ceilings never crossed?"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from threading import Lock

import pytest

from crm_portfolio.connectors._pace import Ceilings, Pace, Window
from crm_portfolio.connectors._retry import QuotaSpentError
from crm_portfolio.errors import SettingsError
from crm_portfolio.protocols import Quota

BURST, SEARCH = Window("burst", 10, 10.0), Window("search", 3, 1.0)


class Time:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def paced(time: Time, *, at_once: int = 4, **ceilings: object) -> Pace:
    return Pace(
        (BURST, SEARCH),
        at_once=at_once,
        ceilings=Ceilings(**ceilings),
        source="hubspot",
        clock=time.clock,
        sleep=time.sleep,
    )


def made(pace: Pace, time: Time, count: int, *windows: str) -> list[float]:
    """When each call was let through, each taking a tenth of a second."""
    moments = []
    for _ in range(count):
        with pace.call(*windows):
            moments.append(time.now)
            time.now += 0.1
    return moments


@pytest.fixture
def clock() -> Time:
    return Time()


def test_no_span_of_a_window_s_length_holds_more_calls_than_it_allows(
    clock: Time,
) -> None:
    moments = made(paced(clock), clock, 60, "burst")
    for moment in moments:
        # A call may reach the vendor at any time between its start and its end.
        inside = [m for m in moments if moment - 0.1 <= m <= moment + BURST.seconds]
        assert len(inside) <= BURST.calls + 1
    assert moments[9] == pytest.approx(100.9)
    assert moments[10] == pytest.approx(110.1)


def test_a_call_in_two_windows_waits_for_the_slower(clock: Time) -> None:
    pace = paced(clock)
    searches = made(pace, clock, 12, "burst", "search")
    assert [s >= searches[at] + 1.0 for at, s in enumerate(searches[3:])] == [True] * 9
    assert searches[10] - searches[0] >= 10.0


def test_a_full_window_does_not_hold_up_another(clock: Time) -> None:
    pace = paced(clock)
    made(pace, clock, 3, "search")
    before = clock.now
    made(pace, clock, 1, "burst")
    assert clock.now == pytest.approx(before + 0.1)


def test_the_vendor_s_word_on_calls_of_others_counts(clock: Time) -> None:
    pace = paced(clock)
    made(pace, clock, 1, "burst")
    pace.told("burst", left=0, limit=10, seconds=10.0)
    told_at = clock.now
    (moment,) = made(pace, clock, 1, "burst")
    assert moment == pytest.approx(told_at + 10.0)


def test_the_vendor_s_limit_takes_the_place_of_ours(clock: Time) -> None:
    pace = paced(clock)
    pace.told("burst", left=100, limit=100, seconds=10.0)
    assert made(pace, clock, 99, "burst")[-1] == pytest.approx(109.8)
    assert not clock.slept


def test_our_own_calls_in_the_vendor_s_count_are_not_counted_twice(clock: Time) -> None:
    pace = paced(clock)
    for left in range(9, 4, -1):
        made(pace, clock, 1, "burst")
        pace.told("burst", left=left)
    made(pace, clock, 5, "burst")
    assert not clock.slept


def test_held_means_exactly_as_long_as_said(clock: Time) -> None:
    pace = paced(clock)
    pace.hold("search", 7.5)
    pace.hold("search", 2.0)  # a shorter word does not cut the longer
    (moment,) = made(pace, clock, 1, "search")
    assert moment == 107.5
    assert clock.slept == [7.5]


def test_all_threads_wait_for_a_held_window() -> None:
    pace = Pace((Window("burst", 100, 10.0),), at_once=8, ceilings=Ceilings())
    moments: list[float] = []
    start = time.monotonic()
    pace.hold("burst", 0.2)

    def call() -> None:
        with pace.call("burst"):
            moments.append(time.monotonic() - start)

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(moments) == 6
    assert min(moments) >= 0.2


def test_threads_never_have_more_calls_under_way_than_agreed() -> None:
    pace = Pace((Window("burst", 20, 0.3),), at_once=3, ceilings=Ceilings())
    lock, under_way, most = threading.Lock(), 0, 0
    moments: list[tuple[float, float]] = []

    def call() -> None:
        nonlocal under_way, most
        for _ in range(10):
            with pace.call("burst"):
                began = time.monotonic()
                with lock:
                    under_way += 1
                    most = max(most, under_way)
                time.sleep(0.001)
                with lock:
                    under_way -= 1
                    moments.append((began, time.monotonic()))

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pace.calls == len(moments) == 60
    assert most <= 3
    # Whenever in its time a call was counted, no window holds more than its calls.
    for _, ended in moments:
        inside = [m for m in moments if m[0] >= ended and m[1] <= ended + 0.3]
        assert len(inside) <= 20


def test_a_window_full_of_calls_under_way_waits_for_their_end() -> None:
    pace = Pace((Window("search", 1, 0.05),), at_once=4, ceilings=Ceilings())
    moments: list[float] = []

    def call() -> None:
        with pace.call("search"):
            moments.append(time.monotonic())
            time.sleep(0.05)

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    moments.sort()
    assert moments[1] - moments[0] >= 0.1
    assert moments[2] - moments[1] >= 0.1


def test_max_calls_stops_before_the_call_that_would_cross_it(clock: Time) -> None:
    pace = paced(clock, max_calls=3)
    made(pace, clock, 3, "burst")
    with pytest.raises(QuotaSpentError, match="max_calls = 3"), pace.call("burst"):
        pytest.fail("the call was made")
    assert pace.calls == 3


def test_max_calls_holds_with_many_threads() -> None:
    pace = Pace((), at_once=8, ceilings=Ceilings(max_calls=10))
    refused: list[Exception] = []

    def call() -> None:
        for _ in range(5):
            try:
                with pace.call():
                    time.sleep(0.001)
            except QuotaSpentError as error:
                refused.append(error)

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (pace.calls, len(refused)) == (10, 20)


def test_a_share_of_the_day_is_left_for_everyone_else(clock: Time) -> None:
    pace = paced(clock, min_quota_share=0.1)
    pace.left_today(Quota(12, 100))
    made(pace, clock, 2, "burst")
    with (
        pytest.raises(QuotaSpentError, match="10 of the day's 100"),
        pace.call("burst"),
    ):
        pytest.fail("the call was made")
    pace.left_today(Quota(100, 100))  # the day has ended
    made(pace, clock, 1, "burst")


def test_no_thread_crosses_the_share_of_others_while_answers_are_late() -> None:
    """The vendor counts when it answers, and answers overtake one another."""
    pace = Pace((BURST,), at_once=8, ceilings=Ceilings(min_quota_share=0.2))
    spent, telling = count(1), Lock()

    def call_until_it_stops(_: int) -> None:
        with suppress(QuotaSpentError):
            while True:
                with pace.call():
                    time.sleep(0.002)
                    with telling:
                        left = 100 - next(spent)
                    time.sleep(0.002)
                    pace.left_today(Quota(left, 100))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(call_until_it_stops, range(8)))
    assert 70 <= pace.calls <= 80


def test_a_failed_call_frees_its_place_and_counts(clock: Time) -> None:
    pace = paced(clock, at_once=1)
    for _ in range(2):
        with pytest.raises(ValueError, match="cut"), pace.call("burst"):
            raise ValueError("cut")
    assert pace.calls == 2


@pytest.mark.parametrize("wrong", [{"max_calls": 0}, {"min_quota_share": 1.0}])
def test_a_ceiling_that_is_none_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError):
        Ceilings(**wrong)
