"""How do days go by once more, each known only as far as it was?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

import attrs
import pyarrow.compute as pc

from crm_portfolio._analyse import Findings, analyse
from crm_portfolio._backtest._became import Fate, Sold, hurt, risen, sold
from crm_portfolio._backtest._days import months_later
from crm_portfolio._backtest._said import NOUNS, Said
from crm_portfolio._backtest._spent import Spent, spent
from crm_portfolio._frames import to_arrow
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.protocols import Progress
from crm_portfolio.settings import Settings

__all__ = ["Came", "Replayed", "Terms", "replay"]

_STEP: Final = "days replayed"


@attrs.frozen
class Terms:
    """When something is held to have come true.

    Attributes:
        months: How long it may take.
        lost_share: Who brings so much less, or more, is hurt.
    """

    months: int
    lost_share: float


@attrs.frozen(eq=False)
class Came:
    """What came of one day's answers; None where that list was not made."""

    rising: Fate | None
    risk: Fate | None
    win_back: Sold | None
    spent: Spent | None


@attrs.frozen(eq=False)
class Replayed:
    """One day once more.

    Attributes:
        until: The last day of its horizon.
        came: None while that is not over: not yet known, which is no miss.
        unknown_columns: How many columns nobody can know of that day.
    """

    said: Said
    until: date
    came: Came | None
    unknown_columns: int

    @property
    def day(self) -> date:
        return self.said.day


def replay(
    portfolio: Portfolio,
    settings: Settings,
    days: Sequence[date],
    terms: Terms,
    progress: Progress | None,
) -> list[Replayed]:
    """Each day in turn; a day that is also the end of a horizon is looked at once."""
    ends = {day: months_later(day, terms.months) for day in days}
    over = {end for end in ends.values() if end <= portfolio.as_of}
    moments = sorted({*days, *over})
    said: dict[date, Said] = {}
    came: dict[date, Came] = {}
    unknown: dict[date, int] = {}
    for at, moment in enumerate(moments):
        if progress is not None:
            progress(_STEP, at, len(moments))
        then = portfolio.at(moment)
        nouns = tuple(NOUNS) if moment in ends else ("succession",)
        findings = analyse(then, settings, only=nouns)
        if moment in ends:
            said[moment] = Said.of(moment, findings)
            unknown[moment] = _unknown(then)
        for day in (each for each, end in ends.items() if end == moment):
            came[day] = _came(said[day], then, findings, settings, terms)
    if progress is not None:
        progress(_STEP, len(moments), len(moments))
    return [Replayed(said[day], ends[day], came.get(day), unknown[day]) for day in days]


def _came(
    said: Said,
    then: Portfolio,
    findings: Findings,
    settings: Settings,
    terms: Terms,
) -> Came:
    rising = None
    if "succession" in said.tables:
        now = findings["succession"].arrow.select(["account_id", "tier"])
        rising = risen(said.tables["succession"], now)
    risk = None
    if "risk" in said.tables:
        risk = hurt(
            said.ids("risk"),
            then,
            said.day,
            settings,
            months=terms.months,
            lost_share=terms.lost_share,
        )
    if "win_back" not in said.tables:
        return Came(rising, risk, None, None)
    again = sold(said.ids("win_back"), then, said.day)
    return Came(rising, risk, again, spent(said, then, settings))


def _unknown(then: Portfolio) -> int:
    faults = to_arrow(then.faults)["fault"]
    return pc.sum(pc.equal(faults, "not_known_then")).as_py() or 0
