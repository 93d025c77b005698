"""Which companies do the loaded deals and companies belong to?

The column ``account_ids`` beside ``account_id`` lists all companies of a deal; the primary
one is ``account_id``, so a deal may have three of which none is primary.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.simulator._given import Given
from crm_portfolio.simulator.hubspot._keys import Keys
from crm_portfolio.simulator.hubspot._kinds import LINKS

__all__ = ["company_links", "linked"]


def linked(
    one: str,
    one_ids: pa.Array,
    other: str,
    other_ids: pa.Array,
    *,
    primary: bool = False,
) -> Iterator[pa.Table]:
    """Links in both directions, the labelled beside the unlabelled one; nulls are none."""
    is_there = pc.and_(pc.is_valid(one_ids), pc.is_valid(other_ids))
    one_ids, other_ids = one_ids.filter(is_there), other_ids.filter(is_there)
    for each in LINKS[one, other]:
        if (each.label is None and not primary) or (primary and each.is_primary):
            yield _links(one, one_ids, other, other_ids, each.type_id)
            yield _links(other, other_ids, one, one_ids, each.inverse)


def company_links(
    account: Given, opportunity: Given, accounts: Keys, opportunities: Keys
) -> Iterator[pa.Table]:
    """Deals and companies, parents and children."""
    first = accounts.numbers_of(opportunity.get("account_id"))
    deals = opportunities.numbers
    yield from linked("deals", deals, "companies", first, primary=True)
    whose, which = _all_companies(opportunity, deals, first, accounts)
    yield from linked("deals", whose, "companies", which)
    parents = accounts.numbers_of(account.get("parent_id"))
    known = pc.is_valid(parents)
    parent, child = parents.filter(known), accounts.numbers.filter(known)
    # unverified: 13 leads from a parent to its child, 14 back
    yield _links("companies", parent, "companies", child, 13)
    yield _links("companies", child, "companies", parent, 14)


def _all_companies(
    opportunity: Given, deals: pa.Array, first: pa.Array, accounts: Keys
) -> tuple[pa.Array, pa.Array]:
    """Every company of every deal, each once."""
    if "account_ids" not in opportunity:
        return deals, first
    said = opportunity.get("account_ids")
    if pa.types.is_string(said.type):
        said = pc.split_pattern(said, ";")
    if not pa.types.is_list(said.type):
        return deals, first
    rows = pc.list_parent_indices(said)
    which = accounts.numbers_of(pc.list_flatten(said).cast(pa.string()))
    pairs = pa.table(
        {
            "deal": pa.concat_arrays([deals, deals.take(rows)]),
            "company": pa.concat_arrays([first, which]),
        }
    )
    once = pairs.group_by(["deal", "company"]).aggregate([]).combine_chunks()
    return once["deal"].combine_chunks(), once["company"].combine_chunks()


def _links(
    one: str, one_ids: pa.Array, other: str, other_ids: pa.Array, type_id: int
) -> pa.Table:
    count = len(one_ids)
    return pa.table(
        {
            "from_type": pa.repeat(one, count),
            "from_id": one_ids,
            "to_type": pa.repeat(other, count),
            "to_id": other_ids,
            "type_id": pa.repeat(pa.scalar(type_id, pa.int32()), count),
        }
    )
