"""Who could leave on each of several days, what was known of them then, and who did?"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from operator import itemgetter
from typing import Any, Final

import attrs
import numpy as np
import pyarrow as pa

from crm_portfolio._frames import NativeFrame
from crm_portfolio._methods._cuts import Groups, slices
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._lateness import mean_days
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._dangers._danger import Days
from crm_portfolio.analysis._dangers._departures import NEVER, Departures
from crm_portfolio.analysis._dangers._settings import RiskSettings
from crm_portfolio.analysis._facts import (
    RevenueFacts,
    Spans,
    account_days,
    bought_in,
    came_in,
    found_at,
    lateness_at,
    opened_in,
    placed,
    ran_on,
)
from crm_portfolio.analysis._facts._inwards import came_inwards
from crm_portfolio.portfolio import Portfolio

__all__ = ["FEATURES", "TIERS", "Cases", "History"]

FEATURES: Final = (
    *("never_bought", "silence", "amounts_unknown", "change", "bought"),
    *("late_unknown", "late", "tickets", "calls"),
    *("contracts", "ended", "tenure", "size"),
)
"""In the order in which few events can carry them; whom one is unknown of comes before
it, so that it is never taken without."""
TIERS: Final = ("A", "B", "C", "D", "none")
"""Slices of the revenue of the window before each day, and who brought none."""

_LATE_START: Final = timedelta(days=31)
_MOST_SILENT: Final = 20.0


@attrs.frozen(eq=False)
class Cases:
    """Who could leave within the window after a day, by what was known that day.

    Attributes:
        places: Of the accounts.
        features: A row for each of them, in the order of ``FEATURES``.
        tier: The place of each one's in ``TIERS``.
        worth: What it brought in the window before, in minor units.
        left: Whether it did; None where the window is not over.
    """

    day: date
    places: Groups
    features: Floats
    tier: Groups
    worth: Floats
    left: Flags | None


@attrs.frozen(eq=False)
class History:
    """The cases of today, and of each day a window further back that the book tells of.

    Attributes:
        names: Of the features that the tables tell.
        cases: Today's first.
        left_on: By account, the last day on which it is said to have left, if it has
            bought nothing since; None where nobody said who left.
        said: How many accounts are said to have left by today; ``gainsaid`` of them
            bought afterwards, or have a contract that runs.
    """

    names: tuple[str, ...]
    cases: tuple[Cases, ...]
    left_on: Days | None = None
    said: int = 0
    gainsaid: int = 0

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        facts: RevenueFacts,
        settings: RiskSettings,
        departures: NativeFrame | None,
    ) -> History:
        known = _Known.of(portfolio, facts, settings)
        told = None
        if departures is not None:
            told = Departures.of(departures, facts.by_account.ids)
        columns = [*known.features(0)]
        cases = tuple(known.cases(mark, told) for mark in range(known.reach))
        if told is None:
            return cls(tuple(columns), cases)
        return cls(tuple(columns), cases, known.left_on(told), *known.gainsaid(told))


@attrs.frozen(eq=False)
class _Known:
    """What the scans tell by span of half a window; mark i is the end of span 2 i."""

    portfolio: Portfolio
    settings: RiskSettings
    ends: tuple[date, ...]
    days: Groups
    minor: Groups
    first_on: Days
    last_on: Days
    unknown: Groups | None
    came: Groups | None
    opened: Groups | None
    ran: Mapping[str, Groups] | None
    late: Floats | None

    @classmethod
    def of(
        cls, portfolio: Portfolio, facts: RevenueFacts, settings: RiskSettings
    ) -> _Known:
        marks = settings.training_windows + 2
        length = settings.horizon_months
        back = [
            (at // 2) * length + (at % 2) * ((length + 1) // 2)
            for at in range(2 * marks + 1)
        ]
        ends = tuple(_before(portfolio.as_of, each) for each in back)
        ids, count = facts.by_account.ids, len(back)
        zone = portfolio.calendar.time_zone
        days = account_days(portfolio, facts.measure)
        bought = Spans.of(bought_in(days, ends), ids, count)
        unknown = bought.numbers("unknown")

        def counted(name: Any, scan: Any, of: Any) -> Groups | None:
            if name not in portfolio:
                return None
            found = Spans.of(scan(of(portfolio), ends, zone), ids, count)
            return found.numbers("n")

        ran = None
        if "contract" in portfolio:
            found = Spans.of(ran_on(portfolio["contract"], ends[::2]), ids, marks + 1)
            ran = {name: found.numbers(name) for name in ("running", "still", "ended")}
        return cls(
            portfolio=portfolio,
            settings=settings,
            ends=ends,
            days=bought.numbers("days"),
            minor=bought.numbers("minor"),
            first_on=bought.days("first_on"),
            last_on=bought.days("last_on"),
            unknown=unknown if unknown.any() else None,
            came=counted("activity", came_in, came_inwards),
            opened=counted("ticket", opened_in, itemgetter("ticket")),
            ran=ran,
            late=_late(portfolio, ends, ids),
        )

    @property
    def reach(self) -> int:
        """How many marks, today's with them, lie a whole window after the book begins."""
        known = self.first_on[~np.isnat(self.first_on)]
        if not known.size:
            return 1
        begins: date = known.min().astype(date)
        whole = [begins <= day + _LATE_START for day in self.ends[2::2]]
        return 1 + sum(whole[1:])

    def cases(self, mark: int, told: Departures | None) -> Cases:
        brought = self.minor[2 * mark] + self.minor[2 * mark + 1]
        could = self.days[2 * mark] + self.days[2 * mark + 1] > 0
        if self.ran is not None:
            could = could | (self.ran["running"][mark] > 0)
        if told is not None:
            could = could & (self._gone_on(mark, told) == NEVER)
        places = np.flatnonzero(could)
        features = [each[places] for each in self.features(mark).values()]
        left = self._left(mark, told)[places] if mark else None
        worth = np.maximum(brought[places], 0)
        return Cases(
            day=self.ends[2 * mark],
            places=places,
            features=np.column_stack(features),
            tier=_tiers(worth),
            worth=worth.astype(np.float64),
            left=left,
        )

    def left_on(self, told: Departures) -> Days:
        """When each left, as is said today; NaT where it is still, or again, here."""
        gone_on = self._gone_on(0, told)
        found = np.full(gone_on.size, np.datetime64("NaT", "D"))
        has = gone_on > NEVER
        found[has] = gone_on[has].astype("datetime64[D]")
        return found

    def _gone_on(self, mark: int, told: Departures) -> Groups:
        """When each that is said to have left by the mark did, and never came back."""
        gone_on = told.last(self.ends[2 * mark], self.days.shape[1])
        is_back = gone_on < self._last(mark).astype(np.int64)
        return np.where(is_back, NEVER, gone_on)

    def gainsaid(self, told: Departures) -> tuple[int, int]:
        """How many are said to have left by today, and how many of them have not."""
        gone_on = told.last(self.ends[0], self.days.shape[1])
        is_said = gone_on > NEVER
        last = self._last(0)
        is_here = ~np.isnat(last) & (last.astype(np.int64) > gone_on)
        if self.ran is not None:
            is_here = is_here | (self.ran["running"][0] > 0)
        return int(is_said.sum()), int((is_said & is_here).sum())

    def _last(self, mark: int) -> Days:
        last: Days = np.fmax.reduce(self.last_on[2 * mark :])
        return last

    def _left(self, mark: int, told: Departures | None) -> Flags:
        """Sheet 9.2: no revenue within the window after, or the contract ended.

        Who has a contract that still runs at its end has not left for want of revenue.
        """
        after, until = self.ends[2 * mark], self.ends[2 * mark - 2]
        if told is not None:
            return told.between(after, until, self.days.shape[1])
        left = np.zeros(self.days.shape[1], dtype=bool)
        stays = left if self.ran is None else self.ran["still"][mark - 1] > 0
        if "no_revenue" in self.settings.leaving:
            had = self.days[2 * mark] + self.days[2 * mark + 1] > 0
            none = self.days[2 * mark - 2] + self.days[2 * mark - 1] == 0
            # What was paid for years ahead brings nothing in the years it is for.
            left |= had & none & ~stays
        if "contract_ended" in self.settings.leaving and self.ran is not None:
            left |= (self.ran["running"][mark] > 0) & ~stays
        return left

    def features(self, mark: int) -> dict[str, Floats]:
        """By account, from what was known at the mark, and from nothing that came after.

        What is unknown of an account is said to be, and is that of the middle one.
        """
        found = dict(self._bought(mark))
        if self.late is not None:
            lacks = np.isnan(self.late[mark])
            found["late_unknown"] = lacks.astype(np.float64)
            found["late"] = _or_middle(np.log1p(self.late[mark]), lacks)
        if self.opened is not None:
            found["tickets"] = np.log1p(self.opened[2 * mark])
        if self.came is not None:
            found["calls"] = _change(self.came[2 * mark], self.came[2 * mark + 1])
        if self.ran is not None:
            found["contracts"] = np.log1p(self.ran["running"][mark])
            ended = self.ran["ended"]
            found["ended"] = np.log1p(np.maximum(ended[mark] - ended[mark + 1], 0))
        return {name: found[name] for name in FEATURES if name in found}

    def _bought(self, mark: int) -> Iterator[tuple[str, Floats]]:
        day = np.datetime64(self.ends[2 * mark], "D")
        now, before = self.minor[2 * mark], self.minor[2 * mark + 1]
        first, last = np.fmin.reduce(self.first_on[2 * mark :]), self._last(mark)
        bought = self.days[2 * mark :].sum(axis=0)
        silence = _silence(bought, _span(first, last), _span(last, day))
        change, size = _change(now, before), np.log1p(np.maximum(now + before, 0))
        tenure = np.log1p(_span(first, day))
        if self.ran is not None:  # nobody else could leave who never bought
            never = bought == 0
            yield "never_bought", never.astype(np.float64)
            silence, tenure = _or_middle(silence, never), _or_middle(tenure, never)
        if self.unknown is not None:
            lacks = self.unknown[2 * mark] + self.unknown[2 * mark + 1] > 0
            yield "amounts_unknown", lacks.astype(np.float64)
            others = ~lacks & (self.days[2 * mark] + self.days[2 * mark + 1] > 0)
            change = _or_middle(change, lacks, others)
            size = _or_middle(size, lacks, others)
        yield from (("silence", silence), ("change", change), ("tenure", tenure))
        yield from (("bought", np.log1p(self.days[2 * mark])), ("size", size))


def _silence(bought: Groups, span: Floats, silent: Floats) -> Floats:
    """−ln of the index of sheet 9.1; who bought once has the gap of the middle one."""
    gaps = np.maximum(bought - 1, 0).astype(np.float64)
    has = (gaps > 0) & (span > 0)
    middle = float(np.median(span[has] / gaps[has])) if has.any() else 365.0
    gaps, span = np.where(has, gaps, 1.0), np.where(has, span, middle)
    silence: Floats = np.minimum(gaps * np.log1p(silent / span), _MOST_SILENT)
    return silence


def _or_middle(values: Floats, lacks: Flags, others: Flags | None = None) -> Floats:
    """Where it lacks, that of the middle one of the others, of whom it is known."""
    known = values[~lacks if others is None else others]
    return np.where(lacks, np.median(known) if known.size else 0.0, values)


def _change(now: Groups, before: Groups) -> Floats:
    """From −1, nothing any more, to 1, nothing before."""
    both = np.abs(now) + np.abs(before)
    found = np.zeros(now.size)
    np.divide(now - before, both, out=found, where=both > 0)
    return found


def _span(first: Days, last: Any) -> Floats:
    days = (last - first).astype("timedelta64[D]")
    return np.where(np.isnat(days), 0, days.astype(np.int64)).astype(np.float64)


def _tiers(worth: Groups) -> Groups:
    """Four slices of what they brought; apart from them, who brought nothing."""
    tier = np.full(worth.size, len(TIERS) - 1, dtype=np.int64)
    order = np.argsort(-worth, kind="stable")
    order = order[worth[order] > 0]
    tier[order] = slices(worth[order], len(TIERS) - 1)
    return tier


def _late(portfolio: Portfolio, ends: tuple[date, ...], ids: pa.Array) -> Floats | None:
    """Days late by amount of what was due in the window before each mark."""
    if "invoice" not in portfolio:
        return None
    days, digits = ends[::2], portfolio.minor_digits
    found = lateness_at(portfolio["invoice"], days, digits=digits)
    at = found_at(found["account_id"], ids)
    return np.stack(
        [
            mean_days(
                *(placed(found[f"{n}_{mark}"], at) for n in ("floored", "weight"))
            )
            for mark in range(len(days) - 1)
        ]
    )


def _before(day: date, months: int) -> date:
    """The same day so many months before; a month's last day stays a last one."""
    number = day.year * 12 + day.month - 1 - months
    year, month = max(number // 12, 1), number % 12 + 1
    last = monthrange(year, month)[1]
    is_last = day.day == monthrange(day.year, day.month)[1]
    return date(year, month, last if is_last else min(day.day, last))
