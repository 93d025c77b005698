"""What was spent after all on losses that a rule would have dropped?"""

from __future__ import annotations

from datetime import date, timedelta
from math import nan
from typing import Any, Final, Literal

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._backtest._said import Said
from crm_portfolio._frames import nw, same_kind
from crm_portfolio._methods._indices import Amounts, Floats
from crm_portfolio.analysis._facts import (
    Contacts,
    midnight,
    outbound_between,
    placed,
    seconds_after_losses,
)
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.settings import Settings

__all__ = ["HoursSource", "Spent", "spent"]

HoursSource = Literal["noted", "attempts", "unknown"]
"""Whether hours were noted, or are those that so many attempts take."""

_DAY: Final = timedelta(days=1)
_INSTANT: Final = timedelta(microseconds=1)
_SECONDS_AN_HOUR: Final = 3600


@attrs.frozen(eq=False)
class Spent:
    """On each loss, from the day after it was judged to the end of the horizon.

    Attributes:
        attempts: Of ours; None where no activities are held.
        hours: NaN where nobody noted any and nobody says what an attempt takes.
        outlay: Money besides, for one attempt.
    """

    attempts: Amounts | None
    hours: Floats
    source: HoursSource
    outlay: float


def spent(said: Said, then: Portfolio, settings: Settings) -> Spent:
    """Attempts and hours after all; what came once it was won is part of the sale."""
    ids = said.ids("win_back")
    own = settings.win_back
    attempts = _attempts(ids, then, said.day, settings)
    noted = _noted(ids, then, said.day)
    outlay = own.outlay / own.max_attempts
    if noted is not None:
        return Spent(attempts, noted, "noted", outlay)
    one = _hours_of_one(said, settings)
    if attempts is None or np.isnan(one):
        return Spent(attempts, np.full(len(ids), nan), "unknown", outlay)
    hours: Floats = attempts * np.float64(one)
    return Spent(attempts, hours, "attempts", outlay)


def _attempts(
    ids: pa.Array, then: Portfolio, day: date, settings: Settings
) -> Amounts | None:
    if "activity" not in then:
        return None
    zone, count = then.calendar.time_zone, len(ids)
    rules = settings.lost_opportunities
    # As win_back counts them: from the midnight after the day on, that one included.
    ends = {
        "from_at": midnight(day + _DAY, zone) - _INSTANT,
        "to_at": midnight(then.as_of + _DAY, zone),
    }
    moment = pa.timestamp("us", "UTC")
    marks = pa.table(
        {
            "opportunity_id": ids,
            **{name: pa.array([at] * count, moment) for name, at in ends.items()},
        }
    )
    which = Contacts(rules.automatic_kinds, rules.two_way_kinds)
    found = outbound_between(then["activity"], marks, which)
    attempts: Amounts = _at(found, "n", ids)
    return attempts


def _noted(ids: pa.Array, then: Portfolio, day: date) -> Floats | None:
    """Hours noted on each; None where the horizon has none on any opportunity."""
    if "effort" not in then:
        return None
    span = Period.between(day + _DAY, then.as_of + _DAY)
    if not _any_noted(then, span):
        return None
    since = pa.array([day] * len(ids), pa.date32())
    marks = pa.table({"opportunity_id": ids, "closed_on": since})
    spans = nw.from_native(same_kind(marks, then["effort"])).lazy()
    found = seconds_after_losses(then["effort"], spans, span)
    hours: Floats = _at(found, "seconds_now", ids) / _SECONDS_AN_HOUR
    return hours


def _any_noted(then: Portfolio, span: Period) -> bool:
    table = then.arrow("effort")
    if "opportunity_id" not in table.column_names:
        return False
    day = table["worked_on"]
    is_in = pc.and_(
        pc.greater_equal(day, pa.scalar(span.start)),
        pc.less(day, pa.scalar(span.end)),
    )
    is_named = pc.and_(is_in, pc.is_valid(table["opportunity_id"]))
    return bool(pc.any(is_named).as_py())


def _hours_of_one(said: Said, settings: Settings) -> float:
    """Of one attempt, as ``win_back`` reckoned with it that day; NaN unknown."""
    own = settings.win_back
    if own.hours is not None:
        return own.hours / own.max_attempts
    table = said.tables["win_back"]
    told = table.filter(pc.greater(table["hours"], 0)).slice(0, 1).to_pylist()
    if not told:
        return nan
    [row] = told
    left: float = own.max_attempts - (row["attempt_count"] or 0)
    return float(row["hours"]) / left


def _at(found: pa.Table, name: str, ids: pa.Array) -> Any:
    at = pc.index_in(ids, found["opportunity_id"].combine_chunks())
    return placed(found[name], at)
