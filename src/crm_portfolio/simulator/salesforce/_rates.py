"""Which currencies does the org count in, and what were they worth when?

unverified: the direction. Believed: units of the currency for one of the org's own.
"""

from __future__ import annotations

from datetime import date
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.simulator.salesforce._arriving import (
    BORN,
    USER_ID,
    Arriving,
    always,
    moments,
)
from crm_portfolio.simulator.salesforce._assumptions import Assumptions
from crm_portfolio.simulator.salesforce._ids import LOADED, new_ids

__all__ = ["currencies", "dated_rates"]

_FOR_EVER: Final = date(9999, 12, 31)


def _told(arriving: Arriving, assumptions: Assumptions) -> pa.Table:
    """code, day, rate as Salesforce writes it: the caller's rates for the org's own."""
    given = arriving.given["exchange_rate"]
    rate = given.get("rate")
    if assumptions.conversion_rate == "foreign_per_corporate":
        rate = pc.divide(1.0, rate)
    told = pa.table(
        {"code": given.get("currency"), "day": given.get("from_on"), "rate": rate}
    )
    to_home = pc.equal(given.get("base"), arriving.currency)
    told = told.filter(pc.and_(to_home, pc.not_equal(told["code"], arriving.currency)))
    return told.sort_by([("code", "ascending"), ("day", "ascending")])


def currencies(arriving: Arriving, assumptions: Assumptions) -> pa.Table:
    """The rows of CurrencyType: each with the rate that counts today."""
    told = _told(arriving, assumptions)
    said = pc.unique(arriving.given["opportunity"].get("currency").drop_null())
    latest = dict(zip(told["code"].to_pylist(), told["rate"].to_pylist(), strict=True))
    codes = sorted({arriving.currency, *said.to_pylist(), *latest})
    count = len(codes)
    return pa.table(
        {
            "Id": new_ids("01L", LOADED, first=1, count=count),
            "IsoCode": codes,
            "ConversionRate": [float(latest.get(code, 1.0)) for code in codes],
            "DecimalPlaces": [0 if code == "JPY" else 2 for code in codes],
            "IsActive": always(True, count),  # noqa: FBT003
            "IsCorporate": [code == arriving.currency for code in codes],
            "CreatedDate": moments(BORN, count),
            **arriving.marks(count),
        }
    )


def dated_rates(arriving: Arriving, assumptions: Assumptions) -> pa.Table:
    """The rows of DatedConversionRate; the org's own currency has one, of 1, for ever."""
    told = _told(arriving, assumptions)
    own = {"code": [arriving.currency], "day": [BORN.date()], "rate": [1.0]}
    told = pa.concat_tables([told, pa.table(own, schema=told.schema)])
    code, day = told["code"].combine_chunks(), told["day"].combine_chunks()
    count = len(told)
    following = pa.concat_arrays([day[1:], pa.nulls(min(1, count), pa.date32())])
    same = pa.concat_arrays([code[1:], pa.nulls(min(1, count), pa.string())])
    is_followed = pc.fill_null(pc.equal(code, same), False)  # noqa: FBT003
    return pa.table(
        {
            "Id": new_ids("04w", LOADED, first=1, count=count),
            "IsoCode": code,
            "StartDate": day,
            "NextStartDate": pc.if_else(is_followed, following, pa.scalar(_FOR_EVER)),
            "ConversionRate": told["rate"],
            "CreatedDate": moments(BORN, count),
            "CreatedById": always(USER_ID, count),
            **arriving.marks(count),
        }
    )
