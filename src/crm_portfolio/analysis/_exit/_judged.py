"""What do people judge of each account, who disagrees, and who has a veto?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._risk import group_medians
from crm_portfolio._places import places_of
from crm_portfolio.analysis._exit._criteria import CODES, CRITERIA, VETOES
from crm_portfolio.analysis._facts import ratings
from crm_portfolio.analysis._facts._ratings import contradictions, criteria_rated
from crm_portfolio.errors import did_you_mean
from crm_portfolio.portfolio import Portfolio

__all__ = ["Judged"]

Days = npt.NDArray[np.datetime64]
NAMES: Final = tuple(each.name for each in CRITERIA.values())
_VETO_AT: Final = 0.0


@attrs.frozen(eq=False)
class Judged:
    """The newest judgement of each rater; of several raters the median.

    Attributes:
        value: A row an account, a column a criterion; NaN where nobody judged.
        on: The day of the newest of them; NaT where no day is known.
        vetoes: By code: whether somebody's newest judgement is 0; ``veto_on`` since when.
        conflicts: Where one person said two things on one day; the worse one counts.
        misspelt: Criteria that nobody knows, each with the one that may be meant.
    """

    value: Floats
    spread: Floats
    raters: npt.NDArray[np.int32]
    on: Days
    vetoes: Mapping[str, Flags]
    veto_on: Mapping[str, Days]
    conflicts: pa.Table
    misspelt: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, portfolio: Portfolio, ids: pa.Array) -> Judged:
        """Of these accounts, in this order."""
        shape = (len(ids), len(CODES))
        nobody = np.full(len(ids), np.datetime64("NaT", "D"))
        judged = cls(
            value=np.full(shape, np.nan),
            spread=np.full(shape, np.nan),
            raters=np.zeros(shape, dtype=np.int32),
            on=np.full(shape, np.datetime64("NaT", "D")),
            vetoes={name: np.zeros(len(ids), dtype=bool) for name in VETOES},
            veto_on={name: nobody.copy() for name in VETOES},
            conflicts=_NO_CONFLICT,
            misspelt=(),
        )
        if "rating" not in portfolio:
            return judged
        frame = portfolio["rating"]
        found = ratings(frame, (*NAMES, *VETOES))
        place = places_of(found["account_id"], ids)
        found = found.append_column("place", place)
        found = found.filter(pc.and_(pc.is_valid(place), pc.is_valid(found["value"])))
        judged._weigh(found.filter(pc.is_in(found["criterion"], pa.array(NAMES))))
        judged._hear(found)
        return attrs.evolve(
            judged,
            conflicts=contradictions(frame, (*NAMES, *VETOES)),
            misspelt=tuple(_misspelt(criteria_rated(frame)["criterion"].to_pylist())),
        )

    def _weigh(self, found: pa.Table) -> None:
        """Fill in what was judged by each criterion."""
        if not found.num_rows:
            return
        place, value = _numbers(found["place"]), found["value"].to_numpy()
        column = _numbers(
            pc.index_in(found["criterion"].combine_chunks(), pa.array(NAMES))
        )
        starts, middle, spread = group_medians((place, column), value)
        order = np.lexsort((value, column, place))
        at = place[order][starts], column[order][starts]
        self.value[at], self.spread[at] = middle, spread
        self.raters[at] = np.diff([*starts, value.size])
        self.on[at] = _dated(np.maximum.reduceat(_days(found)[order], starts))

    def _hear(self, found: pa.Table) -> None:
        """Fill in who said no."""
        said_no = pc.less_equal(found["value"], _VETO_AT)
        for name in VETOES:
            rows = found.filter(pc.and_(pc.equal(found["criterion"], name), said_no))
            place, days = _numbers(rows["place"]), _days(rows)
            self.vetoes[name][place] = True
            newest = np.full(self.value.shape[0], _NO_DAY)
            np.maximum.at(newest, place, days)
            self.veto_on[name][place] = _dated(newest[place])


_NO_DAY: Final = np.datetime64("0001-01-01", "D")
_NO_CONFLICT: Final = pa.schema(
    {
        "account_id": pa.string(),
        "criterion": pa.string(),
        "rated_by": pa.string(),
        "rated_on": pa.date32(),
        "lowest": pa.float64(),
        "highest": pa.float64(),
    }
).empty_table()


def _misspelt(names: list[str]) -> list[tuple[str, str]]:
    """Names that are none of ours, but nearly are; others are for whom they concern."""
    ours = (*NAMES, *VETOES)
    near = {name: did_you_mean(name, ours) for name in names if name not in ours}
    return [(name, said.split("'")[1]) for name, said in near.items() if said]


def _dated(days: Days) -> Days:
    found: Days = np.where(days <= _NO_DAY, np.datetime64("NaT", "D"), days)
    return found


def _numbers(column: Any) -> Groups:
    numbers: Groups = column.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return numbers


def _days(found: pa.Table) -> Days:
    days: Days = found["rated_on"].to_numpy().astype("datetime64[D]")
    return days
