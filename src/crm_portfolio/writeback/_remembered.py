"""What do the runs before tell a new plan?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import attrs

from crm_portfolio.archive import CANARY, Archive
from crm_portfolio.protocols import Org, Value, WritableTable
from crm_portfolio.writeback._held import Row
from crm_portfolio.writeback._last_written import LastValues

__all__ = ["Memory"]


@attrs.frozen
class Memory:
    """What an archive knows of one org; nothing without one.

    Attributes:
        population: How many accounts the last night compared that compared some, whether
            or not it wrote.
        compared: Of other tables, for each column: how many records the last night
            compared that compared some.
        as_of: The last day that the last run knew which wrote: older results do not
            overwrite it.
        told_on: The last day any night knew: what had ended by then has been told.
        stopped_by: The newest run, if its canary ended it and nothing was done since.
    """

    population: int | None
    compared: Mapping[str, int]
    as_of: date | None
    told_on: date | None
    stopped_by: str
    _archive: Archive | None
    _org: Org
    _last: dict[WritableTable, LastValues] = attrs.field(factory=dict, eq=False)

    @classmethod
    def of(cls, archive: Archive | None, org: Org) -> Memory:
        """The memory of the nights at this org that compared what was computed anew."""
        runs = archive.index(org) if archive else ()
        written = [run for run in runs if not run.is_quiet]
        stopped_by = "".join(r.run_id for r in written[-1:] if r.interrupted == CANARY)
        nights = [run for run in runs if not run.undoes and not run.resends]
        wrote = [run for run in nights if not run.is_quiet]
        return cls(
            population=next((n.population for n in nights[::-1] if n.population), None),
            compared={c: n for night in nights for c, n in night.compared.items() if n},
            as_of=wrote[-1].as_of if wrote else None,
            told_on=max((run.as_of for run in nights), default=None),
            stopped_by=stopped_by,
            archive=archive,
            org=org,
        )

    def left(
        self, table: WritableTable, rows: Mapping[str, Row]
    ) -> Mapping[str, Mapping[str, Value]] | None:
        """What our runs last left on these records, by column; None: no archive.

        Records of one table are asked for a part at a time, in the order of their ids.
        """
        if self._archive is None or not rows:
            return None
        if table not in self._last:
            self._last[table] = LastValues(self._archive, self._org, table)
        return self._last[table].of(rows)
