"""Who could have the freed hours?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import NativeFrame
from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts, Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._places import rows_at
from crm_portfolio.analysis._facts import SaleTime
from crm_portfolio.analysis._freed._hours import Freed
from crm_portfolio.analysis._freed._kinds import (
    Kind,
    others,
    projects,
    rising,
    sales,
    win_backs,
)
from crm_portfolio.analysis._loss import Case
from crm_portfolio.analysis._succession import SuccessionResult
from crm_portfolio.analysis._win_back import WinBackResult
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Portfolio

__all__ = ["Candidates"]

_TEXT, _DAY = pa.string(), pa.date32()
_NONE = (
    *("renewals", "sales_of_lost_accounts", "projects_of_lost_accounts"),
    "win_backs_of_lost_accounts",
)


@attrs.frozen(eq=False)
class Candidates:
    """All of them, sorted by id.

    Attributes:
        table: Who they are; the arrays are in its order.
        roles: Of the columns of ``minutes``; the freed ones and those that are needed.
        full: Minor units if it comes off; ``odds`` NaN where that is no question.
        left_out: How many open sales and parked projects are none, and why.
    """

    table: pa.Table
    roles: tuple[str, ...]
    minutes: Groups
    is_timed: Flags
    full: Amounts
    odds: Floats
    is_valued: Flags
    is_overdue: Flags
    left_out: Mapping[str, int]

    @property
    def size(self) -> int:
        return int(self.full.size)

    @property
    def expected(self) -> Amounts:
        """Value by odds, in minor units."""
        chance = np.where(np.isnan(self.odds), 1.0, self.odds)
        whole: Amounts = np.rint(self.full * chance).astype(np.int64)
        return whole

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        case: Case,
        freed: Freed,
        succession: SuccessionResult,
        *,
        sale: SaleTime | None,
        win_back: WinBackResult | None,
        given: NativeFrame | None,
    ) -> Candidates:
        left_out = dict.fromkeys(_NONE, 0)
        kinds = [
            sales(portfolio, case, freed, sale, left_out),
            rising(case, freed, succession),
            projects(portfolio, case, freed, left_out),
            win_backs(case, freed, win_back, sale=sale, left_out=left_out),
            others(case, given),
        ]
        return cls._joined([each for each in kinds if each], freed, left_out)

    @classmethod
    def _joined(
        cls, kinds: Sequence[Kind], freed: Freed, left_out: Mapping[str, int]
    ) -> Candidates:
        empty = pa.schema(
            [(name, _TEXT) for name in ("candidate_id", "kind", "record_id")]
            + [("account_id", _TEXT), ("name", _TEXT), ("deadline_on", _DAY)]
        ).empty_table()
        table = pa.concat_tables([empty, *(each.table() for each in kinds)])
        order = pc.sort_indices(table["candidate_id"]).to_numpy()
        if pc.count_distinct(table["candidate_id"]).as_py() < table.num_rows:
            raise SettingsError("two candidates have the same kind and candidate_id")
        needed = {role for each in kinds for role in each.minutes}
        roles = ("",) if freed.is_pooled else tuple(sorted({*freed.roles, *needed}))
        minutes = np.zeros((table.num_rows, len(roles)), dtype=np.int64)
        at = 0
        for each in kinds:
            for role, taken in each.minutes.items():
                column = 0 if freed.is_pooled else roles.index(role)
                minutes[at : at + taken.size, column] += taken
            at += len(each.record_id)

        def joined(name: str, kind: Any) -> npt.NDArray[Any]:
            parts = [np.zeros(0, dtype=kind), *(getattr(each, name) for each in kinds)]
            whole: npt.NDArray[Any] = np.concatenate(parts)[order].astype(kind)
            return whole

        minutes = minutes[order]
        is_timed = joined("is_timed", bool)
        if "" in roles and not freed.is_pooled:
            # Some of its time is of a role that nobody noted: no room can be held for it.
            is_timed &= minutes[:, roles.index("")] == 0
        return cls(
            table=rows_at(table, order),
            roles=roles,
            minutes=minutes,
            is_timed=is_timed,
            full=joined("full", np.int64),
            odds=joined("odds", np.float64),
            is_valued=joined("is_valued", bool),
            is_overdue=joined("is_overdue", bool),
            left_out=left_out,
        )
