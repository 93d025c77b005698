"""What do the other analyses say of each account, in one order?"""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Floats
from crm_portfolio.analysis._concentration import ConcentrationResult
from crm_portfolio.analysis._exit._rules import MeasureRules
from crm_portfolio.analysis._facts import of_accounts, of_same
from crm_portfolio.analysis._freed_capacity import FreedCapacityResult
from crm_portfolio.analysis._profitability import ProfitabilityResult
from crm_portfolio.analysis._receivables import ReceivablesResult
from crm_portfolio.analysis._succession import SuccessionResult
from crm_portfolio.analysis._tiers import TiersResult
from crm_portfolio.analysis._win_back import WinBackResult
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Result

__all__ = ["Given", "numbers_of"]

Objects = npt.NDArray[np.object_]


@attrs.frozen(eq=False)
class Given:
    """The results that the measures are made from; what is None is unknown of all."""

    ids: pa.Array
    profitability: ProfitabilityResult | None = None
    receivables: ReceivablesResult | None = None
    concentration: ConcentrationResult | None = None
    tiers: TiersResult | None = None
    succession: SuccessionResult | None = None
    win_back: WinBackResult | None = None
    freed_capacity: FreedCapacityResult | None = None

    @classmethod
    def of(cls, portfolio: Portfolio, ids: pa.Array, **results: Any) -> Given:
        """Refuses a result that was made of another portfolio."""
        for each in results.values():
            of_same(portfolio, each)
        return cls(ids, **results)

    def numbers(self, name: str, column: str) -> Floats:
        """A column of a result, account by account; NaN where it is unknown."""
        found = self._taken(name, column)
        return np.full(len(self.ids), np.nan) if found is None else numbers_of(found)

    def texts(self, name: str, column: str) -> Objects:
        """The same of text; None where it is unknown."""
        found = self._taken(name, column)
        if found is None:
            return np.full(len(self.ids), None, dtype=object)
        texts: Objects = found.to_numpy(zero_copy_only=False)
        return texts

    def groups(self, name: str, column: str) -> Groups:
        """The same by number, those of one text alike; what is unknown is a group too."""
        named = self._taken(name, column)
        if named is None:
            return np.zeros(len(self.ids), dtype=np.int64)
        found: Groups = (
            named.dictionary_encode(null_encoding="encode")
            .indices.cast(pa.int64())
            .to_numpy()
        )
        return found

    def _taken(self, name: str, column: str) -> pa.Array | None:
        result: Result | None = getattr(self, name)
        if result is None:
            return None
        return of_accounts(result, self.ids, column).get(column)

    def hour_value(self, rules: MeasureRules) -> tuple[float, str]:
        """What an hour brings elsewhere, and who says so; NaN where nobody does.

        Of the hours that a loss would free, it is what the last of them would bring.
        """
        if rules.hour_value is not None:
            return rules.hour_value, "settings"
        if self.win_back is not None:
            hour: Any = self.win_back.summary["hour"]
            if hour["value"] is not None:
                return float(hour["value"]), "win_back"
        if self.freed_capacity is not None:
            from_arrow: Any = self.freed_capacity._candidates  # noqa: SLF001
            chosen = from_arrow.filter(pc.equal(from_arrow["status"], "chosen"))
            least = pc.min(chosen["value_per_hour"]).as_py()
            if least is not None:
                return float(least), "freed_capacity"
        return float("nan"), "unknown"

    @property
    def hours_from(self) -> str | None:
        """The table that hours come from."""
        if self.profitability is None:
            return None
        hours: Any = self.profitability.summary["hours"]
        return {"effort": "effort", None: None}.get(hours["source"], "activity")


def numbers_of(column: pa.Array) -> Floats:
    """Unknown is NaN."""
    floats: Floats = pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy(
        zero_copy_only=False
    )
    return floats
