"""Who could leave on each of several days, what was known of them then, and who did?"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any, Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import NativeFrame, to_arrow
from crm_portfolio._methods._cuts import Groups, slices
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._lateness import mean_days
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._dangers._danger import Days
from crm_portfolio.analysis._dangers._settings import RiskSettings
from crm_portfolio.analysis._facts import (
    RevenueFacts,
    Spans,
    bought_in,
    came_in,
    lateness_at,
    opened_in,
    ran_on,
    revenue_lines,
)
from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.portfolio import Portfolio

__all__ = ["FEATURES", "TIERS", "Cases", "Departures", "History"]

FEATURES: Final = (
    *("silence", "change", "bought", "late", "tickets", "calls"),
    *("contracts", "ended", "tenure", "size"),
)
"""In the order in which few events can carry them."""
TIERS: Final = ("A", "B", "C", "D", "none")
"""Slices of the revenue of the window before each day, and who brought none."""

_LATE_START: Final = timedelta(days=31)
_MOST_SILENT: Final = 20.0
_NEVER: Final = np.iinfo(np.int64).min


@attrs.frozen(eq=False)
class Departures:
    """Who left when, as somebody says it: places of accounts, and days since 1970."""

    place: Groups
    on: Groups

    @classmethod
    def of(cls, frame: NativeFrame, ids: pa.Array) -> Departures:
        """Of a frame with ``account_id`` and ``left_on``; rows without a day tell nothing."""
        table = to_arrow(frame)
        for name in ("account_id", "left_on"):
            if name not in table.column_names:
                raise SettingsError(f"departures lack the column {name}")
        account = table["account_id"].cast(pa.string()).combine_chunks()
        day = table["left_on"].cast(pa.date32()).combine_chunks()
        at = pc.index_in(account, ids)
        if at.null_count:
            lost = account.filter(at.is_null())[0].as_py()
            near = did_you_mean(str(lost), ids.to_pylist())
            raise SettingsError(f"departures: there is no account {lost!r}{near}")
        is_dated = day.is_valid()
        return cls(
            at.filter(is_dated).to_numpy().astype(np.int64),
            day.filter(is_dated).cast(pa.int32()).to_numpy().astype(np.int64),
        )

    def between(self, after: date, until: date, count: int) -> Flags:
        """Which of so many accounts left after the first day, by the second."""
        is_in = (self.on > _number(after)) & (self.on <= _number(until))
        left = np.zeros(count, dtype=bool)
        left[self.place[is_in]] = True
        return left

    def last(self, until: date, count: int) -> Groups:
        """The last day by then on which each left."""
        is_in = self.on <= _number(until)
        found = np.full(count, _NEVER, dtype=np.int64)
        np.maximum.at(found, self.place[is_in], self.on[is_in])
        return found


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
        said: How many accounts are said to have left by today; ``gainsaid`` of them
            bought afterwards, or have a contract that runs.
    """

    names: tuple[str, ...]
    cases: tuple[Cases, ...]
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
        return cls(tuple(columns), cases, *known.gainsaid(told))


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
        lines = revenue_lines(portfolio, facts.measure, "risk")
        bought = Spans(bought_in(lines, ends), ids, count)

        def counted(name: Any, scan: Any) -> Groups | None:
            if name not in portfolio:
                return None
            return Spans(scan(portfolio[name], ends, zone), ids, count).numbers("n")

        ran = None
        if "contract" in portfolio:
            found = Spans(ran_on(portfolio["contract"], ends[::2]), ids, marks + 1)
            ran = {name: found.numbers(name) for name in ("running", "still", "ended")}
        return cls(
            portfolio=portfolio,
            settings=settings,
            ends=ends,
            days=bought.numbers("days"),
            minor=bought.numbers("minor"),
            first_on=bought.days("first_on"),
            last_on=bought.days("last_on"),
            came=counted("activity", came_in),
            opened=counted("ticket", opened_in),
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
            gone_on = told.last(self.ends[2 * mark], could.size)
            is_back = gone_on < self._last(mark).astype(np.int64)
            could = could & ((gone_on == _NEVER) | is_back)
        places = np.flatnonzero(could)
        table = np.column_stack([*self.features(mark).values()])
        left = self._left(mark, told)[places] if mark else None
        worth = np.maximum(brought[places], 0)
        return Cases(
            day=self.ends[2 * mark],
            places=places,
            features=table[places],
            tier=_tiers(worth),
            worth=worth.astype(np.float64),
            left=left,
        )

    def gainsaid(self, told: Departures) -> tuple[int, int]:
        """How many are said to have left by today, and how many of them have not."""
        gone_on = told.last(self.ends[0], self.days.shape[1])
        is_said = gone_on > _NEVER
        last = self._last(0)
        is_here = ~np.isnat(last) & (last.astype(np.int64) > gone_on)
        if self.ran is not None:
            is_here = is_here | (self.ran["running"][0] > 0)
        return int(is_said.sum()), int((is_said & is_here).sum())

    def _last(self, mark: int) -> Days:
        last: Days = np.fmax.reduce(self.last_on[2 * mark :])
        return last

    def _left(self, mark: int, told: Departures | None) -> Flags:
        """Sheet 9.2: no revenue within the window after, or the contract ended."""
        after, until = self.ends[2 * mark], self.ends[2 * mark - 2]
        if told is not None:
            return told.between(after, until, self.days.shape[1])
        left = np.zeros(self.days.shape[1], dtype=bool)
        if "no_revenue" in self.settings.leaving:
            had = self.days[2 * mark] + self.days[2 * mark + 1] > 0
            left |= had & (self.days[2 * mark - 2] + self.days[2 * mark - 1] == 0)
        if "contract_ended" in self.settings.leaving and self.ran is not None:
            ran, still = self.ran["running"], self.ran["still"]
            left |= (ran[mark] > 0) & (still[mark - 1] == 0)
        return left

    def features(self, mark: int) -> dict[str, Floats]:
        """By account, from what was known at the mark, and from nothing that came after."""
        found = dict(self._bought(mark))
        if self.late is not None:
            found["late"] = np.log1p(np.nan_to_num(self.late[mark]))
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
        yield "silence", _silence(bought, _span(first, last), _span(last, day))
        yield "change", _change(now, before)
        yield "bought", np.log1p(self.days[2 * mark])
        yield "tenure", np.log1p(_span(first, day))
        yield "size", np.log1p(np.maximum(now + before, 0))


def _silence(bought: Groups, span: Floats, silent: Floats) -> Floats:
    """−ln of the index of sheet 9.1; who bought once has the gap of the middle one."""
    gaps = np.maximum(bought - 1, 0).astype(np.float64)
    has = (gaps > 0) & (span > 0)
    middle = float(np.median(span[has] / gaps[has])) if has.any() else 365.0
    gaps, span = np.where(has, gaps, 1.0), np.where(has, span, middle)
    silence: Floats = np.minimum(gaps * np.log1p(silent / span), _MOST_SILENT)
    return np.where(bought > 0, silence, _MOST_SILENT)


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
    days, frame = ends[::2], portfolio["invoice"]
    late = np.full((len(days) - 1, len(ids)), np.nan)
    for mark, day in enumerate(days[:-1]):
        found = lateness_at(
            frame,
            start=days[mark + 1] + timedelta(days=1),
            day=day,
            digits=portfolio.minor_digits,
        )
        at = pc.index_in(found["account_id"].combine_chunks(), ids)
        is_known = at.is_valid().to_numpy(zero_copy_only=False)
        place = pc.fill_null(at, 0).to_numpy().astype(np.int64)[is_known]
        weighted, weight = (found[n].to_numpy() for n in ("floored", "weight"))
        late[mark, place] = mean_days(weighted, weight)[is_known]
    return late


def _before(day: date, months: int) -> date:
    """The same day so many months before; a month's last day stays a last one."""
    number = day.year * 12 + day.month - 1 - months
    year, month = max(number // 12, 1), number % 12 + 1
    last = monthrange(year, month)[1]
    is_last = day.day == monthrange(day.year, day.month)[1]
    return date(year, month, last if is_last else min(day.day, last))


def _number(day: date) -> int:
    return (day - date(1970, 1, 1)).days
