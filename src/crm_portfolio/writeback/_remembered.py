"""What do the runs before tell a new plan?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

import attrs

from crm_portfolio.archive import Archive
from crm_portfolio.protocols import Org, Value
from crm_portfolio.writeback._last_written import last_values

__all__ = ["Memory"]


@attrs.frozen
class Memory:
    """What an archive knows of one org; nothing without one.

    Attributes:
        population: How many accounts the last run compared.
        as_of: The last day that run knew.
    """

    population: int | None
    as_of: date | None
    _archive: Archive | None
    _org: Org

    @classmethod
    def of(cls, archive: Archive | None, org: Org) -> Memory:
        """The memory of the runs at this org, those left out that took back others."""
        for run in reversed(archive.index(org) if archive else ()):
            if not run.undoes:
                return cls(run.population, run.as_of, archive, org)
        return cls(None, None, archive, org)

    def left(self, ids: Collection[str]) -> Mapping[str, Mapping[str, Value]] | None:
        """What our runs last wrote on these accounts, by column; None: no archive."""
        if self._archive is None or not ids:
            return None
        return last_values(self._archive, self._org, ids)
