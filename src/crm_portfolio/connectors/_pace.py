"""How fast may we ask, and how much of the quota is ours?

Every call passes here first, repeats and log-ins included. What makes it wait is a window
of the vendor's or a free place, never a guess; what stops it is a ceiling.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Condition

import attrs

from crm_portfolio.connectors._retry import QuotaSpentError
from crm_portfolio.errors import SettingsError
from crm_portfolio.protocols import Quota

__all__ = ["Ceilings", "Pace", "Window"]


@attrs.frozen
class Ceilings:
    """How much of a CRM's quota we may use.

    Attributes:
        max_calls: Calls of one connector object, repeats and log-ins included; None: no
            limit of ours.
        min_quota_share: The part of a day's quota that is left for everyone else.
    """

    max_calls: int | None = None
    min_quota_share: float = 0.05

    def __attrs_post_init__(self) -> None:
        if self.max_calls is not None and self.max_calls < 1:
            raise SettingsError("ceilings: max_calls is at least 1, or left out")
        if not 0 <= self.min_quota_share < 1:
            raise SettingsError("ceilings: min_quota_share is from 0 to below 1")


@attrs.frozen
class Window:
    """One rolling limit of a vendor's: so many calls in so many seconds."""

    name: str
    calls: int
    seconds: float

    def __attrs_post_init__(self) -> None:
        if self.calls < 1 or self.seconds <= 0:
            raise SettingsError(f"window {self.name}: at least 1 call, above 0 seconds")


@attrs.define
class _Room:
    """What is used of one window.

    A call counts from its start until a window's length after its end: when between the
    two the vendor counted it is not known.
    """

    calls: int
    seconds: float
    under_way: int = 0
    ended: deque[float] = attrs.field(factory=deque)
    of_others: int = 0  # calls of other programs, by the vendor's own count
    others_until: float = 0.0
    held_until: float = 0.0

    def wait(self, now: float) -> float | None:
        """Seconds until there may be room; None: until a call that is under way ends."""
        self._forget(now)
        if now < self.held_until:
            return self.held_until - now
        if self.under_way + len(self.ended) + self.of_others < self.calls:
            return 0.0
        waits = [self.ended[0] + self.seconds - now] if self.ended else []
        if self.of_others:
            waits.append(self.others_until - now)
        return min(waits, default=None)

    def told(self, now: float, left: int) -> None:
        self._forget(now)
        used = self.calls - left
        self.of_others = max(0, used - self.under_way - len(self.ended))
        self.others_until = now + self.seconds

    def _forget(self, now: float) -> None:
        while self.ended and self.ended[0] + self.seconds <= now:
            self.ended.popleft()
        if now >= self.others_until:
            self.of_others = 0


class Pace:
    """The pace-maker of one connector object, shared by all its threads.

    Args:
        windows: The vendor's limits, as known before the vendor tells.
        at_once: Calls under way at the same time.
        source: Whose calls these are, for the error's message.
    """

    def __init__(
        self,
        windows: Sequence[Window],
        *,
        at_once: int,
        ceilings: Ceilings,
        source: str = "crm",
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rooms = {
            window.name: _Room(window.calls, window.seconds) for window in windows
        }
        self._at_once = self._free = at_once
        self._ceilings, self._source = ceilings, source
        self._clock, self._sleep = clock, sleep
        self._turn = Condition()
        self._calls = 0
        self._quota: Quota | None = None

    @property
    def calls(self) -> int:
        """Calls let through so far."""
        return self._calls

    @contextmanager
    def call(self, *windows: str) -> Iterator[None]:
        """Wait until there is room in those windows and a free place; then count.

        Raises:
            QuotaSpentError: The call would cross a ceiling; it was not made.
        """
        rooms = [self._rooms[name] for name in windows]
        self._admit(rooms)
        try:
            yield
        finally:
            with self._turn:
                self._free += 1
                for room in rooms:
                    room.under_way -= 1
                    room.ended.append(self._clock())
                self._turn.notify_all()

    def told(
        self,
        window: str,
        *,
        left: int,
        limit: int | None = None,
        seconds: float | None = None,
    ) -> None:
        """What the vendor says of a window: others may be using it as well."""
        with self._turn:
            room = self._rooms[window]
            room.calls = limit or room.calls
            room.seconds = seconds or room.seconds
            room.told(self._clock(), left)

    def hold(self, window: str, seconds: float) -> None:
        """The vendor says wait: everybody waits for that window."""
        with self._turn:
            room = self._rooms[window]
            room.held_until = max(room.held_until, self._clock() + seconds)

    def left_today(self, quota: Quota) -> None:
        """What the vendor says of the day, told within the call that brought the answer.

        Below the share of others there are no more calls.
        """
        with self._turn:
            # The vendor may not have counted the other calls that are under way.
            left = quota.remaining - max(self._at_once - self._free - 1, 0)
            ours = self._quota.remaining if self._quota is not None else left
            # Replies overtake one another: a few more than by our count is older news.
            left = ours if ours < left <= ours + self._at_once else left
            self._quota = Quota(left, quota.limit)

    def _admit(self, rooms: Sequence[_Room]) -> None:
        while True:
            with self._turn:
                self._stop_at_a_ceiling()
                waits = [room.wait(self._clock()) for room in rooms]
                known = [wait for wait in waits if wait is not None]
                if self._free and all(wait == 0 for wait in waits):
                    self._take(rooms)
                    return
                longest = max(known, default=0.0)
                if not longest:
                    self._turn.wait()  # for a place, or the end of a call under way
                    continue
            self._sleep(longest)

    def _take(self, rooms: Sequence[_Room]) -> None:
        self._free -= 1
        self._calls += 1
        if self._quota is not None:
            self._quota = Quota(self._quota.remaining - 1, self._quota.limit)
        for room in rooms:
            room.under_way += 1

    def _stop_at_a_ceiling(self) -> None:
        most, share = self._ceilings.max_calls, self._ceilings.min_quota_share
        if most is not None and self._calls >= most:
            raise QuotaSpentError(
                self._source,
                f"the ceiling of max_calls = {most} is reached; what was pulled is kept",
                "MAX_CALLS",
            )
        quota = self._quota
        if quota is not None and quota.remaining <= quota.limit * share:
            raise QuotaSpentError(
                self._source,
                f"{max(quota.remaining, 0)} of the day's {quota.limit} calls are left, "
                f"and min_quota_share keeps {share:.0%} for everyone else; run again "
                "when they are back",
                "MIN_QUOTA_SHARE",
            )
