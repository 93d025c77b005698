"""How are accounts and groups ranked, and what hangs on each?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._ranking import League
from crm_portfolio._places import told_at
from crm_portfolio.analysis._facts import RevenueFacts, named

__all__ = ["account_table", "group_table"]


def account_table(
    facts: RevenueFacts, accounts: League, groups: League, group_of: Groups
) -> pa.Table:
    of, places = accounts.of, pa.array(group_of)
    sizes = np.bincount(group_of, minlength=len(groups.of.ids))
    columns = {"account_id": of.ids} | facts.names(of.ids)
    columns |= accounts.columns(facts.digits)
    columns |= {
        "line_count": pa.array(of.lines),
        "known_line_count": pa.array(of.known_lines),
        "months_active": pa.array(of.months),
        "first_revenue_on": pa.array(of.first_on),
        "is_dormant": pa.array(~of.has_lines),
        "is_young": pa.array(facts.is_young),
        "ultimate_parent_id": told_at(pa.table({"": groups.of.ids}), group_of)[""],
        "group_member_count": pa.array(sizes).take(places),
        "group_share": groups.shares().take(places),
        "is_group_unknown": pa.array(~groups.of.is_known).take(places),
        "dependence": _text(groups.dependence).take(places),
    }
    return told_at(pa.table(columns), accounts.order)


def group_table(facts: RevenueFacts, groups: League, group_of: Groups) -> pa.Table:
    of = groups.of
    columns = {"ultimate_parent_id": of.ids} | facts.names(of.ids)
    columns |= groups.columns(facts.digits)
    columns |= {
        "member_count": pa.array(np.bincount(group_of, minlength=len(of.ids))),
        "first_revenue_on": pa.array(of.first_on),
        "is_dormant": pa.array(~of.has_lines),
        "dependence": _text(groups.dependence),
    }
    return told_at(pa.table(columns), groups.order)


def _text(words: npt.NDArray[np.str_]) -> pa.Array:
    names = ("none", "major", "dependent", "unknown")
    places = np.select([words == name for name in names], range(len(names)))
    return named(places, names)
