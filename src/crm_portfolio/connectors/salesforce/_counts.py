"""How many activities and contacts has each account?

A page of accounts in the order of their ids is a range of ids; one query a kind of record
counts them by account, and a range of 2,000 accounts is as many groups as one answer has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import pyarrow as pa

from crm_portfolio.connectors.salesforce._refusals import QueryTooLargeError
from crm_portfolio.connectors.salesforce._rest import Query, Rest
from crm_portfolio.connectors.salesforce._settings import Counted
from crm_portfolio.connectors.salesforce._soql import literal

__all__ = ["counted"]

_RECORDS: Final[Mapping[Counted, tuple[str, ...]]] = {
    "activity": ("Task", "Event"),
    "contact": ("Contact",),
}


def counted(rest: Rest, accounts: pa.Table, kinds: Sequence[Counted]) -> pa.Table:
    """The accounts with a column for each kind of record that is counted."""
    ids: list[str] = accounts["Id"].to_pylist()
    for kind in kinds:
        found: Counter[str] = Counter()
        for sobject in _RECORDS[kind]:
            found.update(_by_account(rest, sobject, ids))
        numbers = pa.array([found[record_id] for record_id in ids], pa.int64())
        accounts = accounts.append_column(kind, numbers)
    return accounts


def _by_account(rest: Rest, sobject: str, ids: Sequence[str]) -> Counter[str]:
    if not ids:
        return Counter()
    where = (
        f"IsDeleted = false AND AccountId >= {literal(ids[0])} "
        f"AND AccountId <= {literal(ids[-1])}"
    )
    # Archived activities count as well, and only queryAll sees them.
    query = Query(sobject, (), with_deleted=sobject != "Contact")
    soql = (
        f"SELECT AccountId, COUNT(Id) n FROM {sobject} "  # noqa: S608
        f"WHERE {where} GROUP BY AccountId"
    )
    try:
        pages = list(rest.answer(query, soql))
    except QueryTooLargeError:
        middle = len(ids) // 2
        if not middle:
            raise
        halves = (ids[:middle], ids[middle:])
        return sum((_by_account(rest, sobject, half) for half in halves), Counter())
    return Counter(
        {str(r["AccountId"]): int(r["n"]) for page in pages for r in page.records}
    )
