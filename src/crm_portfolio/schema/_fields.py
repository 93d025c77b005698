"""Which fields are ours in the CRM, by table, and which do people fill for us?"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from crm_portfolio.schema._vocabulary import Column, ManagedField, WritableTable

__all__ = ["FIELD_COLUMNS", "HUMAN", "MANAGED"]

_TIERS = ("A", "B", "C", "D")
_DECISIONS = (
    *("grow", "keep", "automate", "reprice", "renegotiate", "reset_relationship"),
    *("reduce_dependence", "phase_out", "watch", "plan_replacement"),
)

_LOSSES = (
    *("data_insufficient", "disqualified", "lost_client", "missed_unseen"),
    *("missed_late", "missed_neglected", "missed_underinvested", "pursued_lost"),
    *("no_decision", "unclassified", "probable_duplicate"),
)
_STAMP = ManagedField(
    "portfolio_stamp",
    "text",
    "Portfolio Stamp",
    "Which run wrote the other fields, and a hash that shows edits by people.",
    max_length=255,
)

_OF_ACCOUNTS: tuple[ManagedField, ...] = (
    ManagedField(
        "tier",
        "code",
        "Portfolio Tier",
        "The group the account is in; `new` under three months, `none` without revenue.",
        choices=(*_TIERS, "new", "none"),
        max_length=40,
    ),
    ManagedField(
        "tier_since_on",
        "day",
        "Portfolio Tier Since",
        "The day since which the account has been in its tier.",
    ),
    ManagedField(
        "portfolio_rank",
        "integer",
        "Portfolio Rank",
        "Place by revenue in the period, 1 for the largest; equal revenue, equal rank.",
    ),
    ManagedField(
        "revenue_share",
        "share",
        "Portfolio Revenue Share",
        "The account's part of the total net revenue of the period.",
        scale=6,
    ),
    ManagedField(
        "dependence",
        "code",
        "Portfolio Dependence",
        "How much of our revenue hangs on the account's group.",
        choices=("none", "major", "dependent", "unknown"),
        max_length=40,
    ),
    ManagedField(
        "rising",
        "code",
        "Portfolio Rising",
        "Whether the account is one of tomorrow's clients.",
        choices=("yes", "no", "unknown"),
        max_length=40,
    ),
    ManagedField(
        "risk_level",
        "code",
        "Portfolio Risk",
        "The worst known danger that the account leaves or hurts us; an index.",
        choices=("low", "medium", "high", "critical", "unknown"),
        max_length=40,
    ),
    ManagedField(
        "risk_reasons",
        "text",
        "Portfolio Risk Reasons",
        "What makes the danger, the gravest first, each with its day and its threshold.",
        max_length=255,
    ),
    ManagedField(
        "decision",
        "code",
        "Portfolio Decision",
        "What a person decided of the relationship; never a proposal.",
        choices=_DECISIONS,
        max_length=40,
        opt_in="decision",
    ),
    ManagedField(
        "decided_on",
        "day",
        "Portfolio Decided On",
        "The day on which it was decided.",
        opt_in="decision",
    ),
    ManagedField(
        "decision_review_on",
        "day",
        "Portfolio Decision Review On",
        "The day on which the decision is to be looked at again.",
        opt_in="decision",
    ),
    _STAMP,
)
_OF_OPPORTUNITIES: tuple[ManagedField, ...] = (
    ManagedField(
        "lost_class",
        "code",
        "Portfolio Lost Class",
        "How an opportunity that was lost was pursued, or why it was missed.",
        choices=_LOSSES,
        max_length=40,
        opt_in="lost_class",
        table="opportunity",
    ),
    ManagedField(
        "win_back_rank",
        "integer",
        "Portfolio Win-Back Rank",
        "Place among the losses that deserve another try, 1 for the first.",
        opt_in="win_back",
        table="opportunity",
    ),
    ManagedField(
        "not_before_on",
        "day",
        "Portfolio Not Before",
        "The day before which the client is left in peace.",
        opt_in="win_back",
        table="opportunity",
    ),
    attrs.evolve(_STAMP, table="opportunity"),
)
MANAGED: Mapping[WritableTable, tuple[ManagedField, ...]] = {
    "account": _OF_ACCOUNTS,
    "opportunity": _OF_OPPORTUNITIES,
}

_PINS: tuple[ManagedField, ...] = (
    ManagedField(
        "tier_pinned",
        "code",
        "Portfolio Tier Pinned",
        "The tier a person wants for the account, whatever the rule says.",
        choices=_TIERS,
        max_length=40,
        is_human=True,
    ),
    ManagedField(
        "tier_pinned_until_on",
        "day",
        "Portfolio Tier Pinned Until",
        "The last day on which the pin holds; empty: until someone lifts it.",
        is_human=True,
    ),
    ManagedField(
        "tier_pinned_by",
        "text",
        "Portfolio Tier Pinned By",
        "The user id of the person who pinned the tier.",
        max_length=255,
        is_human=True,
    ),
)


HUMAN: Mapping[WritableTable, tuple[ManagedField, ...]] = {
    "account": _PINS,
    "opportunity": (),
}


def _as_column(field: ManagedField) -> Column:
    # No choices here: a value typed by hand in the CRM must be seen as it stands, so
    # that a plan can tell it from an empty field.
    unit = {"share": "0 to 1", "integer": "place"}.get(field.type, "")
    return Column(field.column, field.type, field.meaning, unit=unit, when="now_only")


FIELD_COLUMNS: Mapping[WritableTable, tuple[Column, ...]] = {
    table: tuple(map(_as_column, (*MANAGED[table], *HUMAN[table]))) for table in MANAGED
}
