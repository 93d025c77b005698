"""Which thirteen things are weighed of a relationship, and who could say each of them?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, get_args

import attrs

from crm_portfolio.schema import TableName

__all__ = [
    "ACTIONS",
    "CODES",
    "CRITERIA",
    "MILDER",
    "PROTECTIONS",
    "SOURCES",
    "UNKNOWN",
    "VETOES",
    "Ask",
    "Code",
    "Criterion",
    "Source",
    "Unit",
    "source",
]

Code: TypeAlias = Literal[
    "F1", "F2", "F3", "F4", "F5", "F6", "F7", "F8", "F9", "F10", "F11", "F12", "F13"
]
Ask: TypeAlias = Literal["owner", "finance", "delivery", "service", "sales"]
"""Who could say it: the account's owner, or somebody in that role; never a person."""
Unit: TypeAlias = Literal["ratio", "share", "days", "hours", "rating", "score"]
"""Of what is measured: a ratio to the median, a share of something, days, hours a thousand
of revenue, a rating from 0 (worst) to 10, a score from 0 to 1."""
Source: TypeAlias = Literal[
    "rating",
    "revenue_line",
    "opportunity",
    "invoice",
    "cost",
    "effort",
    "activity",
    "ticket",
    "event",
    "account",
    "settings",
]
"""The table that said it; ``settings`` where a person did so there."""

SOURCES: Final[tuple[Source, ...]] = get_args(Source)
UNKNOWN: Final = -1
"""The source of what nothing says."""


def source(name: Source) -> int:
    """Its place in `SOURCES`."""
    return SOURCES.index(name)


@attrs.frozen
class Criterion:
    """One factor of the review.

    Attributes:
        name: How ratings call it.
        direction: 1 where more is better. A rating is always better the higher it is.
        unit: Of what is measured; where a rating stands in for it, that is 0 to 10.
        source_table: What would measure it for all accounts; ``rating`` where only people
            can judge.
        ask: Who could say it of one account.
    """

    code: Code
    name: str
    direction: Literal[1, -1]
    unit: Unit
    source_table: TableName
    ask: Ask

    @property
    def is_judged(self) -> bool:
        """Whether only people can say it."""
        return self.source_table == "rating"


CRITERIA: Final[Mapping[Code, Criterion]] = {
    each.code: each
    for each in (
        Criterion("F1", "profitability", 1, "ratio", "revenue_line", "finance"),
        Criterion("F2", "service_cost", -1, "share", "effort", "finance"),
        Criterion("F3", "payment", -1, "days", "invoice", "finance"),
        Criterion("F4", "discounts", -1, "share", "revenue_line", "sales"),
        Criterion("F5", "reputation", 1, "rating", "rating", "owner"),
        Criterion("F6", "ethics", 1, "rating", "rating", "owner"),
        Criterion("F7", "complexity", -1, "hours", "effort", "delivery"),
        Criterion("F8", "relationship", 1, "rating", "rating", "delivery"),
        Criterion("F9", "innovation", -1, "share", "effort", "delivery"),
        Criterion("F10", "vision", 1, "rating", "rating", "owner"),
        Criterion("F11", "concentration", -1, "share", "revenue_line", "finance"),
        Criterion("F12", "displacement", -1, "share", "effort", "delivery"),
        Criterion("F13", "potential", 1, "score", "account", "owner"),
    )
}
"""The factors of the review, in order."""
CODES: Final[tuple[Code, ...]] = tuple(CRITERIA)

ACTIONS: Final = (
    *("grow", "keep", "automate", "reprice", "renegotiate", "reset_relationship"),
    *("reduce_dependence", "phase_out", "watch", "plan_replacement"),
)
"""What people decide: the steps of the ladder, to go on watching, and what shall take the
place of a contribution before it is let go."""
MILDER: Final = (
    *("automate", "reprice", "renegotiate"),
    *("reset_relationship", "reduce_dependence"),
)
"""One of these is tried before parting is so much as weighed."""
VETOES: Final = ("ethics_breach", "legal_risk", "violence", "sanctions")
"""A rating of 0 by one of these sends the account to a person, whatever else is good."""
PROTECTIONS: Final = (
    "contract_in_force",
    "strategic",
    "new_account",
    "potential_unknown",
)
"""While one holds, nothing harsher than new terms is proposed."""
