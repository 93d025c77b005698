"""Try, wait, ask first, stop, or leave in peace: which rule says so, in which order?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._persistence import paying
from crm_portfolio._methods._pursuit_value import (
    break_even_hour_value,
    break_even_hours,
    break_even_odds,
    expected_value,
)
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._again._candidates import Candidates
from crm_portfolio.analysis._again._days import NEVER, Days
from crm_portfolio.analysis._again._odds import Odds
from crm_portfolio.analysis._again._settings import WinBackSettings
from crm_portfolio.analysis._again._worth import Worth

__all__ = ["MISSING", "RECOMMENDATIONS", "RULES", "SIGNS", "Verdict"]

Codes = npt.NDArray[np.int8]

RECOMMENDATIONS: Final = (
    *("try", "wait", "ask_first", "unknown", "stop", "leave_in_peace"),
)
"""In the order of the frame."""
RULES: Final = {
    "opted_out": "leave_in_peace",
    "refused": "leave_in_peace",
    "attempts_spent": "stop",
    "history_unknown": "unknown",
    "worthless": "stop",
    "not_worth_it": "stop",
    "next_does_not_pay": "stop",
    "inputs_unknown": "unknown",
    "refused_elsewhere": "ask_first",
    "pressed": "wait",
    "cooling": "wait",
    "no_news": "wait",
    "worth_it": "try",
}
"""The first that holds decides, and says what is recommended."""
SIGNS: Final = ("over_most", "discount_grows", "unanswered", "hours_after")
"""Of a chase, as one opportunity shows it."""
MISSING: Final = ("value", "odds", "hours", "hour_cost", "hour_value")
"""What the worth of an attempt is made of."""


@attrs.frozen(eq=False)
class Verdict:
    """What is recommended for each candidate, in their order.

    Attributes:
        decides: Which of `RULES` does; ``recommended`` is which of `RECOMMENDATIONS` it
            says, and ``ask_first`` on every row where nobody records refusals or
            opt-outs, or where it is unknown whose it was, but for those who are to be
            left in peace. ``said`` is what it would be then.
        expected: EV in minor units, and ``before`` it pays for what hours bring elsewhere.
        not_before: When the next word may come at the earliest.
        paying: How many attempts pay, one after the other; −1 unknown.
        rank: By expected value among those to try, now or later; 0 for the others.
        is_left: Who is to be left in peace.
        is_scored: Not so of them, nor where no attempt is left to weigh.
        missing: Flags of `MISSING`, a row each.
        signs: Flags of `SIGNS`, a row each.
    """

    decides: Codes
    recommended: Codes
    said: Codes
    expected: Floats
    before: Floats
    break_even_odds: Floats
    break_even_hours: Floats
    break_even_hour_value: Floats
    paying: Groups
    not_before: Days
    rank: Groups
    is_left: Flags
    is_scored: Flags
    missing: Flags
    signs: Flags

    @classmethod
    def of(
        cls,
        found: Candidates,
        odds: Odds,
        worth: Worth,
        settings: WinBackSettings,
        as_of: date,
    ) -> Verdict:
        today = np.datetime64(as_of, "D")
        priced = _Priced.of(odds, worth, settings)
        not_before = _not_before(found, settings)
        missing = _missing(odds, worth)
        holds = {
            "opted_out": ~np.isnat(found.opted_out_on),
            "refused": ~np.isnat(found.refused_on),
            "attempts_spent": found.attempts >= settings.max_attempts,
            "history_unknown": np.isnat(found.closed_on) | ~_told(found),
            "worthless": worth.value <= 0,
            "not_worth_it": priced.is_lost,
            "next_does_not_pay": (priced.paying >= 0)
            & (priced.paying <= found.attempts),
            "inputs_unknown": missing.any(axis=0) | priced.is_open,
            "refused_elsewhere": ~np.isnat(found.refused_elsewhere_on),
            "pressed": _is_pressed(found, settings, today),
            "cooling": not_before > today,
            "no_news": np.full(found.size, settings.needs_news)
            & np.isnat(found.news.on),
        }
        decides = _first_of(holds, found.size)
        said = _SAYS[decides]
        is_left = said == _CODE["leave_in_peace"]
        is_recorded = found.has_refusals and found.has_opt_outs
        asks = ~is_left & ~(found.is_account_known & is_recorded)
        return cls(
            decides=decides,
            recommended=np.where(asks, _CODE["ask_first"], said),
            said=said,
            expected=priced.expected,
            before=priced.before,
            break_even_odds=priced.break_even_odds,
            break_even_hours=priced.break_even_hours,
            break_even_hour_value=priced.break_even_hour_value,
            paying=priced.paying,
            not_before=np.where(is_left | (said == _CODE["stop"]), NEVER, not_before),
            rank=_ranked(priced.expected, np.isin(said, [_CODE[n] for n in _RANKED])),
            is_left=is_left,
            is_scored=~is_left & (decides != [*RULES].index("attempts_spent")),
            missing=missing,
            signs=_signs(found, settings),
        )

    @property
    def order(self) -> npt.NDArray[np.int64]:
        """As people read it: what to do first, the best of it before the rest."""
        unranked = np.where(self.rank > 0, self.rank, np.iinfo(np.int64).max)
        return np.lexsort((unranked, self.recommended))

    @property
    def counts(self) -> list[int]:
        """How many of each of `RECOMMENDATIONS`."""
        found = np.bincount(self.recommended, minlength=len(RECOMMENDATIONS))
        return [int(each) for each in found]


_RANKED: Final = ("try", "wait", "ask_first")


_CODE: Final = {name: np.int8(at) for at, name in enumerate(RECOMMENDATIONS)}
_SAYS: Final = np.array([_CODE[said] for said in RULES.values()], dtype=np.int8)


def _first_of(holds: Mapping[str, Flags], size: int) -> Codes:
    """The first rule that holds; the last one where none does."""
    found = np.full(size, len(RULES) - 1, dtype=np.int8)
    for at, name in reversed([*enumerate(RULES)][:-1]):
        found[holds[name]] = at
    return found


def _told(found: Candidates) -> Flags:
    return np.full(found.size, found.has_activities)


@attrs.frozen(eq=False)
class _Priced:
    """Whether it pays; ``is_lost`` is known not to, ``is_open`` cannot be known yet."""

    expected: Floats
    before: Floats
    break_even_odds: Floats
    break_even_hours: Floats
    break_even_hour_value: Floats
    paying: Groups
    is_lost: Flags
    is_open: Flags

    @classmethod
    def of(cls, odds: Odds, worth: Worth, settings: WinBackSettings) -> _Priced:
        hour, outlay = worth.hour, settings.outlay * worth.unit
        cost = {"hour_cost": hour.cost, "outlay": outlay}
        priced = {**cost, "hour_value": hour.value}
        m, h = worth.value, worth.hours
        expected = np.rint(expected_value(odds.value, m, h, **priced))
        before = np.rint(expected_value(odds.value, m, h, **cost, hour_value=0.0))
        # Nobody of so few was won, or all: the odds may be more than 0, or less than 1.
        most = np.rint(expected_value(odds.high, m, h, **priced))
        least = np.rint(expected_value(odds.low, m, h, **priced))
        is_open = np.full(m.shape, odds.never) & (expected <= 0) & (most > 0)
        is_open |= np.full(m.shape, odds.always) & (expected > 0) & (least <= 0)
        # An hour is worth no less than nothing, so this much is known without its value.
        is_lost = ((expected <= 0) | (before <= 0)) & ~is_open
        return cls(
            expected=expected,
            before=before,
            break_even_odds=break_even_odds(m, h, **priced),
            break_even_hours=break_even_hours(odds.value, m, **priced),
            break_even_hour_value=break_even_hour_value(odds.value, m, h, **cost),
            paying=_paying(odds, worth, outlay / settings.max_attempts),
            is_lost=is_lost,
            is_open=is_open,
        )


def _paying(odds: Odds, worth: Worth, outlay: float) -> Groups:
    """How many attempts pay of each, whose odds are higher or lower than all have."""
    whole = 1 - np.prod(1 - odds.hazards)
    cost = worth.hours_of_one * (worth.hour.cost + worth.hour.value) + outlay
    if not whole > 0 or np.isnan(cost):
        return np.full(worth.value.size, -1, dtype=np.int64)
    scaled = np.nan_to_num(odds.whole / whole * worth.value)
    found = paying(odds.hazards, scaled, np.full(scaled.size, cost))
    unknown = np.isnan(odds.whole) | np.isnan(worth.value)
    counts: Groups = np.where(unknown, -1, found)
    return counts


def _missing(odds: Odds, worth: Worth) -> Flags:
    size = worth.value.size
    flags: Sequence[Flags] = (
        np.isnan(worth.value),
        np.isnan(odds.value),
        np.isnan(worth.hours),
        np.full(size, np.isnan(worth.hour.cost)),
        np.full(size, np.isnan(worth.hour.value)),
    )
    return np.stack(flags)


def _not_before(found: Candidates, settings: WinBackSettings) -> Days:
    """The end of the cool-down, of the gap after the last attempt, and of the pressure."""
    gaps = np.array([settings.cool_down_days, *settings.gap_days], dtype=np.int64)
    days = gaps[np.minimum(found.attempts, gaps.size - 1)].astype("timedelta64[D]")
    since = np.where(found.attempts > 0, found.last_on, found.closed_on)
    cooled = found.closed_on + np.timedelta64(settings.cool_down_days, "D")
    calm = found.pressed_on + np.timedelta64(settings.pressure_days, "D")
    is_many = found.pressed >= settings.pressure_attempts
    calm = np.where(is_many, calm, NEVER)
    first: Days = np.fmax(np.fmax(since + days, cooled), calm)
    return first


def _is_pressed(
    found: Candidates, settings: WinBackSettings, today: np.datetime64
) -> Flags:
    calm = found.pressed_on + np.timedelta64(settings.pressure_days, "D")
    pressed: Flags = (found.pressed >= settings.pressure_attempts) & (calm > today)
    return pressed


def _ranked(expected: Floats, is_ranked: Flags) -> Groups:
    rank = np.zeros(expected.size, dtype=np.int64)
    places = np.flatnonzero(is_ranked)
    order = places[np.argsort(-expected[places], kind="stable")]
    rank[order] = np.arange(1, order.size + 1)
    return rank


def _signs(found: Candidates, settings: WinBackSettings) -> Flags:
    before, after = found.seconds.before, found.seconds.after
    flags: Sequence[Flags] = (
        found.attempts > settings.max_attempts,
        (found.attempts >= 2) & (found.raises >= found.attempts - 1),
        found.silent >= settings.silent_attempts,
        (before > 0) & (after > settings.hours_after_share * before),
    )
    return np.stack(flags)
