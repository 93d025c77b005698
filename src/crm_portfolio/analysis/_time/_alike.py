"""Which accounts are alike?"""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._cuts import Groups
from crm_portfolio.analysis._facts import RevenueFacts, of_accounts
from crm_portfolio.analysis._tiers import TiersResult

__all__ = ["Cells"]

_TEXT: Final = pa.string()
_UNKNOWN: Final = "unknown"


@attrs.frozen(eq=False)
class Cells:
    """Accounts that are alike: of one segment and tier. Only those that buy anything.

    Attributes:
        who: The places of the accounts in the facts; by cell, then the larger first.
        of: The cell of each; ``size`` how many each has, ``starts`` where it begins.
    """

    segment: tuple[str, ...]
    tier: tuple[str, ...]
    who: npt.NDArray[np.int64]
    of: npt.NDArray[np.int64]
    size: Groups
    starts: npt.NDArray[np.int64]

    @classmethod
    def among(cls, facts: RevenueFacts, tiers: TiersResult) -> Cells:
        of = facts.by_account
        who = np.flatnonzero(of.has_lines)
        tier = of_accounts(tiers, of.ids, "tier")["tier"].take(pa.array(who))
        segment = pa.nulls(who.size, _TEXT)
        if "segment" in facts.account.column_names:
            segment = facts.account["segment"].combine_chunks().take(pa.array(who))
        names = [_named(each) for each in (segment, tier)]
        codes = [pc.index_in(column, values).to_numpy() for column, values in names]
        tiers_made = max(len(names[1][1]), 1)
        cell, where = np.unique(
            codes[0].astype(np.int64) * tiers_made + codes[1], return_inverse=True
        )
        order = np.lexsort((who, -of.revenue[who], where))
        size = np.bincount(where, minlength=cell.size).astype(np.int64)
        return cls(
            segment=tuple(names[0][1].take(pa.array(cell // tiers_made)).to_pylist()),
            tier=tuple(names[1][1].take(pa.array(cell % tiers_made)).to_pylist()),
            who=who[order],
            of=where[order],
            size=size,
            starts=np.cumsum(size) - size,
        )

    def counted(self, which: npt.NDArray[np.bool_]) -> Groups:
        """How many of each cell, for each column."""
        found = np.zeros((self.size.size, which.shape[1]), dtype=np.int64)
        for at in range(which.shape[1]):
            found[:, at] = np.bincount(self.of[which[:, at]], minlength=self.size.size)
        return found


def _named(column: pa.Array) -> tuple[pa.Array, pa.Array]:
    """The column with a word for what is unknown, and its values, sorted."""
    said = pc.fill_null(column, _UNKNOWN)
    values = pc.unique(said)
    return said, values.take(pc.sort_indices(values))
