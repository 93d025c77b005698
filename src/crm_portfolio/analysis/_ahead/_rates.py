"""How often was work that had come so far won, as far as was known then?"""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._shrinkage import Shrunk, beta_binomial

__all__ = ["Observed", "observed"]


@attrs.frozen(eq=False)
class Observed:
    """The win rates of the stages at one place, of those closed by then.

    Attributes:
        at: Stage → its row in the other attributes.
        shrunk: None: too few are closed.
    """

    at: Mapping[str, int]
    wins: Groups
    tries: Groups
    shrunk: Shrunk | None

    def rate(self, stage: str) -> float | None:
        if self.shrunk is None or stage not in self.at:
            return None
        return float(self.shrunk.rates[self.at[stage]])


def observed(
    visits: pa.Table, names: list[str], place: int, *, fewest: int, level: float
) -> Observed:
    """The rates at a place: those count that are closed then, wherever they had been."""
    stands = pc.and_(
        pc.less_equal(visits["first"], place), pc.greater(visits["end"], place)
    )
    its = visits.filter(stands)
    at = {name: row for row, name in enumerate(names)}
    wins = np.zeros(len(names), dtype=np.int64)
    tries = np.zeros(len(names), dtype=np.int64)
    if len(its):
        row = pc.index_in(its["stage"], pa.array(names, pa.string())).to_numpy()
        many = its["count"].to_numpy()
        np.add.at(tries, row, many)
        np.add.at(wins, row, np.where(pc.equal(its["status"], "won"), many, 0))
    is_enough = tries.size and tries.max() >= fewest
    shrunk = beta_binomial(wins, tries, level=level) if is_enough else None
    return Observed(at, wins, tries, shrunk)
