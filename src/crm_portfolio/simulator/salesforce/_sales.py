"""What do opportunities look like inside a Salesforce org?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.errors import DataError
from crm_portfolio.simulator.salesforce._arriving import Arriving, always
from crm_portfolio.simulator.salesforce._stages import Stages

__all__ = ["KINDS", "opportunities"]

_CLOSES: Final = date(2099, 12, 31)
_USED: Final = frozenset(
    {"opportunity_id", "account_id", "name", "owner_id", "pipeline", "stage", "status",
     "amount", "original_amount", "currency", "created_at", "closed_on",
     "expected_close_on", "probability", "kind", "source", "next_step",
     "last_activity_on", "contact_count"}
)  # fmt: skip
KINDS: Final = {
    "new": "New Customer",
    "renewal": "Renewal",  # not among the standard values: a customer's own
    "expansion": "Existing Customer - Upgrade",
}


def opportunities(arriving: Arriving, stages: Stages) -> pa.Table:
    given, keys = arriving.given["opportunity"], arriving.keys["opportunity"]
    count = given.count
    closes = pc.coalesce(
        given.get("closed_on"), given.get("expected_close_on"), pa.scalar(_CLOSES)
    )
    amount = pc.coalesce(given.get("original_amount"), given.get("amount"))
    staged = stages.of_opportunities()
    share = pc.divide(staged["Probability"], 100.0)
    columns = {
        "Id": keys.records,
        "AccountId": arriving.keys["account"].of(given.get("account_id")),
        "Name": pc.coalesce(given.get("name"), keys.model),
        "Amount": amount,
        # vendor docs: calculated from the two.
        "ExpectedRevenue": pc.round(pc.multiply(amount, share), ndigits=2),
        "CloseDate": closes,
        "FiscalYear": pc.year(closes),
        "FiscalQuarter": pc.quarter(closes),
        "Type": _renamed(given.get("kind"), KINDS),
        "LeadSource": given.get("source"),
        "NextStep": given.get("next_step"),
        "LastActivityDate": given.get("last_activity_on"),
        "PushCount": always(0, count),
        **{name: always(False, count) for name in  # noqa: FBT003
           ("IsPrivate", "HasOpportunityLineItem", "HasOpenActivity", "HasOverdueTask")},
        **staged,
        **arriving.owned(given, given.get("created_at")),
        **arriving.code(given),
        **arriving.custom(given, _USED, "Opportunity"),
    }  # fmt: skip
    return pa.table(columns)


def _renamed(array: pa.Array, names: Mapping[str, str]) -> pa.Array:
    places = pc.index_in(array, value_set=pa.array(list(names)))
    unknown = pc.and_(pc.is_valid(array), pc.is_null(places))
    if pc.any(unknown).as_py():
        raise DataError(f"opportunity.kind must be one of {', '.join(names)}")
    return pa.array(list(names.values())).take(places)
