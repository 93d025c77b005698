"""What was begun and not finished, and is it worth finishing from here on?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._indices import Amounts, Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._unfinished import CHOICES, choices, rates
from crm_portfolio._places import rows_at
from crm_portfolio.analysis._facts import NOWHERE, RevenueFacts, project_hours
from crm_portfolio.analysis._time._settings import FocusSettings
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Json

__all__ = ["DROPPED", "FINISHED", "PARKED", "UNKNOWN", "Projects", "summed_up"]

FINISHED, DROPPED, PARKED, UNDER_WAY, UNKNOWN = range(5)
"""How a project stands."""

_STANDINGS: Final = ("finished", "dropped", "parked", "under_way", "unknown")
_HOUR: Final = 3600
_TEXT, _DAY, _NUMBER = pa.string(), pa.date32(), pa.float64()
_KINDS: Final[Mapping[str, pa.DataType]] = {
    "project_id": _TEXT,
    "account_id": _TEXT,
    "name": _TEXT,
    "kind": _TEXT,
    "status": _TEXT,
    "role": _TEXT,
    "hours_spent": _NUMBER,
    "hours_to_finish": _NUMBER,
    "expected_contribution": _NUMBER,
    "is_core": pa.bool_(),
    "started_on": _DAY,
    "deadline_on": _DAY,
    "stalled_by": _TEXT,
}


@attrs.frozen(eq=False)
class Projects:
    """All projects, sorted by id, and who ever noted time for them.

    Attributes:
        noted: By project and role, of the projects in the table.
        is_noted: Whether any time says its project at all.
    """

    table: pa.Table
    standing: npt.NDArray[np.int64]
    noted: pa.Table
    is_noted: bool
    as_of: date
    digits: int

    @classmethod
    def of(
        cls, portfolio: Portfolio, facts: RevenueFacts, settings: FocusSettings
    ) -> Projects:
        table = _completed(portfolio)
        status = table["status"].to_pylist()
        of_status = _meanings(settings)
        noted = _NOTHING
        if "effort" in portfolio:
            noted = project_hours(portfolio, facts.period, settings.review_kinds)
        is_ours = pc.is_in(
            noted["project_id"], table["project_id"].combine_chunks().cast(_TEXT)
        )
        return cls(
            table=table,
            standing=np.array(
                [
                    UNKNOWN if each is None else of_status.get(_plain(each), UNDER_WAY)
                    for each in status
                ],
                dtype=np.int64,
            ),
            noted=noted.filter(is_ours),
            is_noted=noted.num_rows > 0,
            as_of=portfolio.as_of,
            digits=facts.digits,
        )

    @property
    def codes(self) -> pa.Table:
        """What the notes of time are joined with."""
        core = pc.fill_null(self.table["is_core"].cast(pa.int64()), NOWHERE)
        return pa.table(
            {
                "project_id": self.table["project_id"],
                "standing": pa.array(self.standing),
                "project_kind": self.table["kind"],
                "of_core": core,
            }
        )

    @property
    def kinds(self) -> set[str]:
        return set(self.table["kind"].drop_null().to_pylist())

    @property
    def taken_as_under_way(self) -> tuple[str, ...]:
        """The status words that no setting names, sorted."""
        own = self.table["status"].filter(pa.array(self.standing == UNDER_WAY))
        return tuple(sorted(set(own.to_pylist())))

    def count(self, *standings: int) -> int:
        return int(np.isin(self.standing, standings).sum())

    def reviewed_count(self) -> int | None:
        """Parked ones that somebody looked at again in the period; None: who knows."""
        if not self.is_noted:
            return None
        rows = self.noted.filter(pc.greater(self.noted["reviews"], 0))
        parked = self.table["project_id"].filter(pa.array(self.standing == PARKED))
        seen = rows["project_id"].filter(
            pc.is_in(rows["project_id"], parked.combine_chunks())
        )
        return int(pc.count_distinct(seen).as_py())

    def hours_sunk(self) -> Floats:
        """As the project says, else as was noted; NaN where neither does."""
        sums = self.noted.group_by("project_id").aggregate([("seconds", "sum")])
        at = pc.index_in(self.table["project_id"], sums["project_id"].combine_chunks())
        own = pc.divide(sums["seconds_sum"].cast(_NUMBER), float(_HOUR)).take(at)
        found = pc.coalesce(self.table["hours_spent"].combine_chunks(), own)
        sunk: Floats = _floats(found)
        return sunk

    def spans(self) -> list[tuple[tuple[str, ...], date, date | None]]:
        """The roles, first day and last day of each project that ever began.

        One under way has no last day. One that is over and on which nobody noted any
        time is left out: it is not known until when it was open; nor is it of one that
        does not say how it stands.
        """
        rows: dict[str, list[Mapping[str, Any]]] = {}
        for row in self.noted.to_pylist():
            rows.setdefault(row["project_id"], []).append(row)
        found = []
        for own, standing in zip(
            self.table.to_pylist(), self.standing.tolist(), strict=True
        ):
            notes = rows.get(own["project_id"], [])
            firsts = [each["first_on"] for each in notes]
            if own["started_on"] is not None:
                firsts.append(own["started_on"])
            if not firsts or standing == UNKNOWN:
                continue
            if standing != UNDER_WAY and not notes:
                continue
            last = max((each["last_on"] for each in notes), default=None)
            roles = tuple(each["role"] for each in notes) or (own["role"] or "",)
            over = None if standing == UNDER_WAY else last
            found.append((roles, min(firsts), over))
        return found

    def unfinished(self, value_per_hour: float | None) -> pa.Table:
        """Those under way, parked and unknown, with what to do; the best to finish first.

        Args:
            value_per_hour: Of an hour elsewhere, in minor units.
        """
        is_open = np.isin(self.standing, (PARKED, UNDER_WAY, UNKNOWN))
        table = self.table.filter(pa.array(is_open))
        hours = _floats(table["hours_to_finish"])
        hours = np.where(hours < 0, np.nan, hours)
        brought = _floats(table["expected_contribution"])
        is_valued: Flags = ~np.isnan(brought)
        value: Amounts = np.rint(np.nan_to_num(brought) * 10**self.digits).astype(
            np.int64
        )
        is_overdue = pc.fill_null(
            pc.less(table["deadline_on"], pa.scalar(self.as_of)), fill_value=False
        )
        choice = choices(
            value,
            is_valued,
            hours,
            value_per_hour,
            is_doubtful=is_overdue.to_numpy() | (self.standing[is_open] == UNKNOWN),
        )
        rate = rates(value, is_valued, hours) / 10**self.digits
        columns = {
            "project_id": table["project_id"],
            "account_id": table["account_id"],
            "name": table["name"],
            "standing": pa.array(
                [_STANDINGS[each] for each in self.standing[is_open]], _TEXT
            ),
            "choice": pa.array([CHOICES[each] for each in choice], _TEXT),
            "stalled_by": table["stalled_by"],
            "started_on": table["started_on"],
            "age_days": pc.days_between(table["started_on"], pa.scalar(self.as_of)),
            "deadline_on": table["deadline_on"],
            "is_overdue": is_overdue,
            "hours_sunk": _nullable(self.hours_sunk()[is_open]),
            "hours_to_finish": _nullable(hours),
            "expected_contribution": _nullable(brought),
            "value_per_hour": _nullable(rate),
        }
        if table["name"].null_count == table.num_rows:
            del columns["name"]
        order = np.lexsort((-np.nan_to_num(rate, nan=-np.inf), choice))
        return rows_at(pa.table(columns), order)


_NOTHING: Final = pa.table(
    {
        "project_id": pa.array([], _TEXT),
        "role": pa.array([], _TEXT),
        "seconds": pa.array([], pa.int64()),
        "reviews": pa.array([], pa.int64()),
        "first_on": pa.array([], _DAY),
        "last_on": pa.array([], _DAY),
    }
)


def _meanings(settings: FocusSettings) -> Mapping[str, int]:
    """How a project of each status stands, whatever its case."""
    named = (
        (settings.parked_statuses, PARKED),
        (settings.dropped_statuses, DROPPED),
        (settings.finished_statuses, FINISHED),
    )
    return {_plain(each): standing for words, standing in named for each in words}


def _plain(status: str) -> str:
    return status.strip().casefold()


def _completed(portfolio: Portfolio) -> pa.Table:
    """The projects with a null column for each that the source cannot give."""
    if "project" not in portfolio:
        return pa.table({name: pa.array([], kind) for name, kind in _KINDS.items()})
    table = portfolio.arrow("project")
    columns = {
        name: table[name].cast(kind)
        if name in table.column_names
        else pa.nulls(table.num_rows, kind)
        for name, kind in _KINDS.items()
    }
    return pa.table(columns).sort_by("project_id").combine_chunks()


def _floats(column: pa.ChunkedArray | pa.Array) -> Floats:
    found: Floats = pc.fill_null(column, np.nan).to_numpy(zero_copy_only=False)
    return found.astype(np.float64)


def _nullable(values: Floats) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))


def summed_up(table: pa.Table) -> dict[str, Json]:
    """How many, with how many hours, by choice; unknown hours are counted apart."""
    found: dict[str, Json] = {}
    for name in CHOICES:
        own = table.filter(pc.equal(table["choice"], name))
        known = own["hours_to_finish"]
        found[name] = {
            "project_count": own.num_rows,
            "hours_to_finish": _total(known),
            "expected_contribution": _total(own["expected_contribution"]),
        }
    return found


def _total(column: pa.ChunkedArray) -> float | None:
    """The sum; None where one is unknown."""
    values: Sequence[float | None] = column.to_pylist()
    if any(each is None for each in values):
        return None
    return float(sum(round(each * _FINE) for each in values if each) / _FINE)


_FINE: Final = 10_000
