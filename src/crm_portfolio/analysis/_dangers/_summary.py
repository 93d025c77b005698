"""How many accounts are in which danger, and what limits that?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._risk import LEVELS, UNKNOWN, Levels
from crm_portfolio._wording import Reason
from crm_portfolio.analysis._dangers._danger import Danger
from crm_portfolio.analysis._facts import RevenueFacts
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Json, significant
from crm_portfolio.schema import TableName

__all__ = ["summary_of", "warnings"]

_TABLES: Final[Mapping[TableName, str]] = {
    "invoice": "risk_no_payment",
    "rating": "risk_no_relationship",
    "contract": "risk_no_renewal",
}
_LEVELS: Final = (*LEVELS, "unknown")


def summary_of(
    facts: RevenueFacts, level: Levels, dangers: Sequence[Danger]
) -> dict[str, Json]:
    """Accounts and revenue by level, accounts by component and level, and what is known."""

    def counted(own: Levels) -> dict[str, Json]:
        return {name: int((own == _code(name)).sum()) for name in _LEVELS}

    of = facts.by_account
    levels: dict[str, Json] = {}
    for name in _LEVELS:
        is_own = level == _code(name)
        revenue = facts.amount(int(of.revenue[is_own].sum()))
        levels[name] = {"account_count": int(is_own.sum()), "revenue": revenue}
    positive = np.maximum(of.revenue, 0)
    total = int(positive.sum())
    known = {each.name: int(positive[~each.is_unknown].sum()) for each in dangers}
    return {
        "account_count": level.size,
        "levels": levels,
        "components": {each.name: counted(each.level) for each in dangers},
        "known_share": {
            name: significant(own / total) if total else None
            for name, own in known.items()
        },
    }


def _code(name: str) -> int:
    return UNKNOWN if name == "unknown" else LEVELS.index(name)


def warnings(
    portfolio: Portfolio, facts: RevenueFacts, dangers: Sequence[Danger]
) -> Iterator[Reason]:
    """What limits the levels."""
    yield Reason("index_not_probability")
    yield from facts.warnings()
    for table, code in _TABLES.items():
        if table not in portfolio:
            yield Reason(code, {"table": table})
    columns = {
        name: each for danger in dangers for name, each in danger.columns.items()
    }
    erosion = next(each for each in dangers if each.name == "erosion")
    if facts.by_account.has_lines.any() and (erosion.level == UNKNOWN).all():
        yield Reason("risk_history_short")
    whose = columns["silence_rhythm"]
    counts = {
        "risk_rhythm_of_tier": pc.sum(pc.equal(whose, "tier")),
        "risk_kept_season": pc.sum(pc.equal(whose, "season")),
        "risk_old_ratings": pc.sum(columns["is_rating_old"]),
        "risk_raters_differ": pc.sum(columns["raters_differ"]),
        **_doubtful(columns, dangers[-1]),
    }
    for code, count in counts.items():
        if n := count.as_py():
            yield Reason(code, {"n": n})


def _doubtful(columns: dict[str, pa.Array], renewal: Danger) -> dict[str, pa.Scalar]:
    """How often a contract ends and nobody knows whether it is renewed, and why."""
    is_unknown = pa.array(renewal.level == UNKNOWN)
    ends = pc.and_(is_unknown, pc.is_valid(columns["contract_ends_on"]))
    overlaps = columns["contract_overlaps"]
    return {
        "risk_renewals_overlapped": pc.sum(pc.and_(ends, overlaps)),
        "risk_renewals_unsorted": pc.sum(pc.and_not(ends, overlaps)),
    }
