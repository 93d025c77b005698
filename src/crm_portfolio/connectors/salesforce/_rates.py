"""What were the org's currencies worth, and since when?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final

import attrs
import pyarrow as pa

from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors.salesforce._legs import Step
from crm_portfolio.connectors.salesforce._places import Place
from crm_portfolio.connectors.salesforce._rest import Query, Record, Rest
from crm_portfolio.errors import RightMissingError
from crm_portfolio.schema import EXCHANGE_RATE, arrow_type

__all__ = ["RatesLeg"]

# A rate without dates holds for every day, and so does a dated one before this day.
_ALWAYS: Final = date(1900, 1, 1)
_CURRENCIES: Final = Query(
    "CurrencyType", ("Id", "IsoCode", "ConversionRate", "IsCorporate")
)
_DATED: Final = Query(
    "DatedConversionRate", ("Id", "IsoCode", "StartDate", "ConversionRate")
)


@attrs.frozen
class RatesLeg:
    """All rates, each time: there are few, and a dated one replaces the one without."""

    rest: Rest
    columns: tuple[str, ...]

    def steps(self, place: Place) -> Iterator[Step]:  # noqa: ARG002 - always the whole
        yield from self.whole()

    def whole(self) -> Iterator[Step]:
        """All of them, in one step."""
        currencies = [r for page in self.rest.pages(_CURRENCIES) for r in page]
        base = next((str(r["IsoCode"]) for r in currencies if r["IsCorporate"]), None)
        rates = {(r["IsoCode"], _ALWAYS): r["ConversionRate"] for r in currencies}
        for record in self._dated():
            said = date.fromisoformat(str(record["StartDate"]))
            rates[record["IsoCode"], max(said, _ALWAYS)] = record["ConversionRate"]
        rows = [
            {
                "currency": code,
                "base": base,
                "from_on": day,
                "rate": _worth(float(rate)),
            }
            for (code, day), rate in sorted(rates.items())
            if base is not None and code != base and rate
        ]
        types = [(name, arrow_type(EXCHANGE_RATE[name])) for name in self.columns]
        yield Step(pa.Table.from_pylist(rows, pa.schema(types)), None)

    def _dated(self) -> list[Record]:
        """Empty in an org that has no rates by date: there the object is not."""
        try:
            return [record for page in self.rest.pages(_DATED) for record in page]
        except RightMissingError:
            return []


def _worth(rate: float) -> float:
    """How much of the corporate currency one of the other is."""
    return 1 / rate if _assumptions.RATE_IS_FOREIGN_PER_CORPORATE else rate
