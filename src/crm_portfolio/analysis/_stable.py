"""Which tier has each account earned, close after close?

The closes since a fixed day are gone through again, so that a fresh machine finds the same
tiers. Where the CRM holds tiers of ours, those are the state at the last close, and the
replay is the check of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, Final, Literal

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._managed import STAMP, VALUES, is_own
from crm_portfolio._methods._cuts import Groups, largest_first
from crm_portfolio._methods._rules import LETTERS, Method, cut
from crm_portfolio._methods._stability import Close, Every, Replay, Rule
from crm_portfolio.analysis._facts import RevenueFacts, monthly_revenue
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.results import Json

__all__ = ["Stability", "Stable", "under_rule"]

_YOUNG_MONTHS: Final = 3
_STEPS: Final[dict[Every, int]] = {"month": 1, "quarter": 3}


def _is_every(_: object, __: attrs.Attribute[Any], value: str) -> None:
    if value not in _STEPS:
        raise SettingsError(f"stability.every is 'month' or 'quarter', not {value!r}")


def _is_restated(_: object, __: attrs.Attribute[Any], value: str) -> None:
    if value not in {"report", "write"}:
        raise SettingsError(f"stability.restated is 'report' or 'write', not {value!r}")


@attrs.frozen
class Stability(Rule):
    """When an account moves to another tier, and when it only wavers.

    Attributes:
        replay_from: The first close that counts is the first one from this day on. Never
            let it follow the calendar: the same history must give the same tiers.
        every: Months or quarters of the calendar; tiers stand between two closes.
        restated: What becomes of a tier in the CRM that these closes do not lead to,
            because figures of a closed month came late or nobody ran for months:
            ``report`` leaves it and says so, ``write`` replaces it.
    """

    replay_from: date = attrs.field(kw_only=True)
    every: Every = attrs.field(default="month", validator=_is_every)
    restated: Literal["report", "write"] = attrs.field(
        default="report", validator=_is_restated
    )


@attrs.frozen(eq=False)
class Stable:
    """What the replay makes of each account, sorted by id.

    Attributes:
        tier: Null where the revenue is unknown.
        since_on: The close at which it came into that tier.
        pending: The tier it is on its way to, null where there is none.
        pending_closes: At how many closes in a row it has been beyond the band.
        is_restated: Whether the CRM holds a tier of ours that the closes do not lead to.
    """

    tier: pa.Array
    since_on: pa.Array
    pending: pa.Array
    pending_closes: pa.Array
    is_restated: pa.Array
    moves: int
    raw_moves: int
    close_count: int

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        facts: RevenueFacts,
        raw: pa.Array,
        *,
        method: Method,
        settings: Stability,
    ) -> Stable:
        """Go through the closes again.

        Args:
            raw: The tier that the rule gives each account at the last close, by id.

        Raises:
            SettingsError: The period does not roll, or no close has come since.
        """
        replay = _replayed(portfolio, facts, method, settings)
        is_in = replay.tier >= 0
        is_ruled = pc.is_in(raw, pa.array(LETTERS.tolist()))
        # Outside the rule, unknown or not there at the last close: as the rule says now.
        tier = pc.coalesce(pc.if_else(is_ruled, _named(replay.tier), None), raw)
        is_restated = _restated(facts.account, tier, _named(replay.before))
        held = _column(facts.account, "tier")
        stands = settings.restated == "report"
        is_waiting = is_in & (replay.streak > 0)
        closes = [_last_day(int(month)) for month in np.unique(replay.since)]
        at = np.searchsorted(np.unique(replay.since), replay.since)
        return cls(
            tier=pc.if_else(is_restated, held, tier) if stands else tier,
            since_on=pc.if_else(
                pa.array(is_in), pa.array(closes, pa.date32()).take(pa.array(at)), None
            ),
            pending=_named(np.where(is_waiting, replay.pending, -1)),
            pending_closes=pa.array(replay.streak, mask=~is_waiting),
            is_restated=is_restated,
            moves=replay.moves,
            raw_moves=replay.raw_moves,
            close_count=replay.close_count,
        )

    @classmethod
    def without(cls, count: int) -> Stable:
        """Of as many accounts, when each close stands for itself."""
        texts, none = pa.nulls(count, pa.string()), pa.array(np.zeros(count, bool))
        days, counts = pa.nulls(count, pa.date32()), pa.nulls(count, pa.int64())
        return cls(texts, days, texts, counts, none, 0, 0, 0)

    def columns(self) -> dict[str, pa.Array]:
        """What the table of tiers shows of it."""
        return {
            "tier_pending": self.pending,
            "pending_closes": self.pending_closes,
            "is_restated": self.is_restated,
        }

    def told(self) -> dict[str, Json]:
        """How many moves it spared, over which closes."""
        return {
            "close_count": self.close_count,
            "moves": self.moves,
            "moves_without": self.raw_moves,
            "restated_count": int(pc.sum(self.is_restated).as_py() or 0),
        }


def under_rule(
    revenue: Groups, is_known: npt.NDArray[np.bool_], is_young: npt.NDArray[np.bool_]
) -> Groups:
    """The places of the accounts the rule applies to, largest first, equals by id."""
    places = np.flatnonzero(is_known & (revenue > 0) & ~is_young)
    return places[largest_first(revenue[places], np.zeros(places.size))]


def _replayed(
    portfolio: Portfolio, facts: RevenueFacts, method: Method, settings: Stability
) -> Replay:
    length = facts.period.months
    if length is None:
        raise SettingsError(
            "stability goes from close to close, so its period must roll: "
            'period = "last_12_months", or no stability for a fixed one'
        )
    monthly = monthly_revenue(portfolio, facts)
    replay = Replay.of(settings, monthly.count)
    for month in _closes(facts.period, settings):
        amounts, lines, known_lines = monthly.between(month - length, month)
        is_known = (lines == 0) | (known_lines > 0)
        edge = np.datetime64(_first_day(month - _YOUNG_MONTHS), "D")
        is_young = facts.by_account.first_on > edge
        places = under_rule(amounts, is_known, is_young)
        found = cut(method, amounts[places], facts.digits)
        group = np.full(monthly.count, -1, dtype=np.int64)
        group[places] = found.group
        edges = (*found.edge, *[None] * (method.tier_count - found.made))
        replay.at(Close(month, amounts, group, is_known, edges))
    return replay


def _closes(period: Period, settings: Stability) -> Iterator[int]:
    """The months that begin right after a close, from the first to the period's end."""
    assert period.end is not None
    first, end = _month(settings.replay_from) + 1, _month(period.end)
    step = _STEPS[settings.every]
    months = [month for month in range(first, end + 1) if month % step == 0]
    if not months:
        raise SettingsError(
            f"stability.replay_from = {settings.replay_from}: no {settings.every} has "
            f"closed between that day and {period.last_day}; choose an earlier day"
        )
    yield from months


def _restated(account: pa.Table, tier: pa.Array, before: pa.Array) -> pa.Array:
    """Where a tier of ours is neither the one of the last close nor of the one before."""
    held, letters = _column(account, "tier"), pa.array(LETTERS.tolist())
    differs = pc.and_(
        pc.not_equal(held, tier), pc.not_equal(held, pc.coalesce(before, tier))
    )
    for names in (held, tier):
        differs = pc.and_(differs, pc.is_in(names, letters))
    found = np.zeros(len(tier), dtype=bool)
    for place in pc.indices_nonzero(differs).to_pylist():
        row = account.slice(place, 1).to_pylist()[0]
        values = {column: row.get(column) for column in VALUES["account"]}
        found[place] = is_own(row.get(STAMP), values)
    return pa.array(found)


def _named(groups: Groups) -> pa.Array:
    """The letters of groups, null where one is -1."""
    return pa.array(LETTERS[np.maximum(groups, 0)], pa.string(), mask=groups < 0)


def _column(account: pa.Table, name: str) -> pa.Array:
    if name not in account.column_names:
        return pa.nulls(account.num_rows, pa.string())
    return account[name].combine_chunks().cast(pa.string())


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1


def _first_day(month: int) -> date:
    year, index = divmod(month, 12)
    return date(year, index + 1, 1)


def _last_day(month: int) -> date:
    return date.min if month < 12 else _first_day(month) - timedelta(days=1)
