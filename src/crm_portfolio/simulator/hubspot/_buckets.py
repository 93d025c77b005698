"""How many calls are left: in ten seconds, in one second of searching, in the day?

vendor docs: the limits by tier, and the headers; searches have a bucket of their own, for
the whole account, and tell nothing in headers.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Final, Literal, get_args
from zoneinfo import ZoneInfo

import attrs

from crm_portfolio.simulator.hubspot._assumptions import Assumptions
from crm_portfolio.simulator.hubspot._refusal import Refusal
from crm_portfolio.simulator.hubspot._time import Clock

__all__ = ["Buckets", "LimitsBy", "Tier", "rate_refusal"]

Tier = Literal["free", "starter", "pro", "enterprise"]
LimitsBy = Literal["time", "clock", "nothing"]
Policy = Literal["TEN_SECONDLY_ROLLING", "SECONDLY", "DAILY"]

_BURST: Final[Mapping[Tier, int]] = {
    "free": 100, "starter": 100, "pro": 190, "enterprise": 190
}  # fmt: skip
_BURST_WITH_ADD_ON: Final = 250
_BURST_OAUTH: Final = 110
_DAILY: Final[Mapping[Tier, int]] = {
    "free": 250_000, "starter": 250_000, "enterprise": 1_000_000
}  # fmt: skip
_DAILY_ADD_ON: Final = 1_000_000
_SEARCHES: Final = 5
_WINDOW: Final = 10.0


class Rolling:
    """So many calls in so many seconds, wherever the seconds begin."""

    def __init__(self, most: int, seconds: float) -> None:
        self.most, self._seconds = most, seconds
        self._taken: deque[float] = deque()

    def take(self, now: float) -> float:
        """0 if there was room; otherwise the seconds until there is."""
        while self._taken and self._taken[0] <= now - self._seconds:
            self._taken.popleft()
        if len(self._taken) < self.most:
            self._taken.append(now)
            return 0.0
        return self._taken[0] + self._seconds - now

    @property
    def left(self) -> int:
        return max(0, self.most - len(self._taken))


@attrs.define
class Buckets:
    """The limits of one portal. By default the short ones run on real time.

    The day is that of the simulated clock in the portal's zone.
    """

    clock: Clock
    time_zone: str
    assumptions: Assumptions
    tier: Tier = attrs.field(
        default="pro", validator=attrs.validators.in_(get_args(Tier))
    )
    add_ons: int = attrs.field(default=0, validator=attrs.validators.in_((0, 1, 2)))
    limits_by: LimitsBy = attrs.field(
        default="time", validator=attrs.validators.in_(get_args(LimitsBy))
    )
    daily: int | None = None
    _burst: Rolling = attrs.field(init=False)
    _oauth: Rolling = attrs.field(init=False)
    _search: Rolling = attrs.field(init=False)
    _days: Counter[str] = attrs.field(init=False, factory=Counter)

    def __attrs_post_init__(self) -> None:
        burst = _BURST_WITH_ADD_ON if self.add_ons else _BURST[self.tier]
        self._burst = Rolling(burst, _WINDOW)
        self._oauth = Rolling(_BURST_OAUTH, _WINDOW)
        self._search = Rolling(_SEARCHES, 1.0)

    @property
    def daily_limit(self) -> int:
        if self.daily is not None:
            return self.daily
        own = _DAILY.get(self.tier, self.assumptions.daily_limit_pro)
        return own + self.add_ons * _DAILY_ADD_ON

    @property
    def used_today(self) -> int:
        return self._days[self._day]

    def take(self, *, is_search: bool, is_oauth: bool) -> Refusal | None:
        """Count a call; the refusal if a limit is reached. Refused calls count not."""
        if not is_oauth and self.used_today >= self.daily_limit:
            return rate_refusal("DAILY", self.assumptions, wait=self._until_midnight())
        bucket, policy = self._bucket(is_search=is_search, is_oauth=is_oauth)
        wait = 0.0 if self._now is None else bucket.take(self._now())
        if wait > 0:
            return rate_refusal(policy, self.assumptions, wait=wait)
        self._days[self._day] += not is_oauth  # vendor docs: OAuth is outside the day
        return None

    def headers(self, *, is_search: bool, is_oauth: bool) -> dict[str, str]:
        """What a reply tells about the limits."""
        left = max(0, self.daily_limit - self.used_today)
        day = {
            "x-hubspot-ratelimit-daily": str(self.daily_limit),
            "x-hubspot-ratelimit-daily-remaining": str(left),
        }
        if is_search:
            return day if self.assumptions.search_tells_day else {}
        day = {} if is_oauth else day  # vendor docs: OAuth is outside the day
        if self.limits_by == "nothing":  # so that nobody keeps to a limit there is not
            return day
        bucket, _ = self._bucket(is_search=False, is_oauth=is_oauth)
        return {
            **day,
            "x-hubspot-ratelimit-interval-milliseconds": str(int(_WINDOW * 1000)),
            "x-hubspot-ratelimit-max": str(bucket.most),
            "x-hubspot-ratelimit-remaining": str(bucket.left),
        }

    def _bucket(self, *, is_search: bool, is_oauth: bool) -> tuple[Rolling, Policy]:
        if is_search:
            return self._search, "SECONDLY"
        return self._oauth if is_oauth else self._burst, "TEN_SECONDLY_ROLLING"

    @property
    def _now(self) -> Callable[[], float] | None:
        if self.limits_by == "nothing":
            return None
        return time.monotonic if self.limits_by == "time" else self._simulated

    def _simulated(self) -> float:
        return self.clock.now.timestamp()

    @property
    def _day(self) -> str:
        return f"{self.clock.now.astimezone(ZoneInfo(self.time_zone)):%Y-%m-%d}"

    def _until_midnight(self) -> float:
        here = self.clock.now.astimezone(ZoneInfo(self.time_zone))
        return 86_400.0 - (here.hour * 3_600 + here.minute * 60 + here.second)


def rate_refusal(
    policy: str, assumptions: Assumptions, *, wait: float | None = None
) -> Refusal:
    """429, as documented or as recorded."""
    message = f"You have reached your {policy.lower()} limit."
    tells = wait is not None and assumptions.retry_after
    headers = {"retry-after": str(math.ceil(wait or 0))} if tells else {}
    if assumptions.rate_error == "category":
        # recorded: a search in 2022 said only so.
        return Refusal(message, category="RATE_LIMITS", status=429, headers=headers)
    more = {"errorType": "RATE_LIMIT", "policyName": policy}
    if policy == "TEN_SECONDLY_ROLLING":
        more["groupName"] = "publicapi:private-apps:api-calls:1234"
    return Refusal(message, category=None, status=429, more=more, headers=headers)
