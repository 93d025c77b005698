"""Which Salesforce field is which model column?

No contact, e-mail, telephone, subject or comment is here, and none is requested.
"""

from __future__ import annotations

import math
from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

import attrs

from crm_portfolio.connectors._mapping import Field
from crm_portfolio.connectors.salesforce._converters import (
    call_minutes,
    company_name,
    direction,
    event_kind,
    first_moment,
    if_closed,
    if_open,
    kind,
    opportunity_of,
    status,
    task_kind,
    task_status,
)
from crm_portfolio.protocols import Value
from crm_portfolio.schema import HUMAN, MANAGED, TableName, WritableTable

__all__ = [
    "COUNTED",
    "CURRENCY",
    "IS_PERSON",
    "LEAST_DECIMALS",
    "OBJECTS",
    "OUR_FIELDS",
    "SObject",
    "fitted",
    "lacking_decimals",
    "person_account_fields",
]


@attrs.frozen
class SObject:
    """The object behind a table, or behind a part of it.

    Attributes:
        fields: Where a column stands twice, the first line whose sources are seen counts.
        where: What a record must be to belong to the table.
        only: Field → condition, where the login sees that field.
        kinds: Field name → vendor type, for an object whose fields never vary; None:
            describe tells.
        with_archived: Activities a year old are archived, and only queryAll shows them.
    """

    name: str
    fields: tuple[Field, ...]
    where: str = ""
    only: MappingOf[str, str] = attrs.field(factory=dict)
    kinds: MappingOf[str, str] | None = None
    with_archived: bool = False


_OF_ACCOUNTS: Final[MappingOf[str, str]] = {
    "tier": "Portfolio_Tier__c",
    "tier_since_on": "Portfolio_Tier_Since__c",
    "portfolio_rank": "Portfolio_Rank__c",
    "revenue_share": "Portfolio_Revenue_Share__c",
    "dependence": "Portfolio_Dependence__c",
    "rising": "Portfolio_Rising__c",
    "risk_level": "Portfolio_Risk__c",
    "risk_reasons": "Portfolio_Risk_Reasons__c",
    "decision": "Portfolio_Decision__c",
    "decided_on": "Portfolio_Decided_On__c",
    "decision_review_on": "Portfolio_Decision_Review_On__c",
    "portfolio_stamp": "Portfolio_Stamp__c",
    "tier_pinned": "Portfolio_Tier_Pinned__c",
    "tier_pinned_until_on": "Portfolio_Tier_Pinned_Until__c",
    "tier_pinned_by": "Portfolio_Tier_Pinned_By__c",
}
_OF_OPPORTUNITIES: Final[MappingOf[str, str]] = {
    "lost_class": "Portfolio_Lost_Class__c",
    "win_back_rank": "Portfolio_Win_Back_Rank__c",
    "not_before_on": "Portfolio_Not_Before__c",
    "portfolio_stamp": "Portfolio_Stamp__c",
}
# In the CRM a managed or human field is called after its column.
OUR_FIELDS: Final[MappingOf[WritableTable, MappingOf[str, str]]] = {
    "account": _OF_ACCOUNTS,
    "opportunity": _OF_OPPORTUNITIES,
}
_NUMBERS: Final = frozenset({"currency", "double", "percent"})
# A share in hundredths of a percent still tells accounts apart; with less, most are 0.
LEAST_DECIMALS: Final = 4
_SCALES: Final = {
    field.column: field.scale for fields in MANAGED.values() for field in fields
}


def _ours(table: WritableTable) -> tuple[Field, ...]:
    return tuple(
        Field(field.column, (OUR_FIELDS[table][field.column],), field.type)
        for field in (*MANAGED[table], *HUMAN[table])
    )


def decimals(described: MappingOf[str, object]) -> int | None:
    """How many decimals the field keeps; None where it is no number."""
    kept = described.get("scale")
    is_number = described.get("type") in _NUMBERS and isinstance(kept, int)
    return kept if is_number else None  # type: ignore[return-value]


def lacking_decimals(
    column: str, described: MappingOf[str, object], *, least: int | None = None
) -> str:
    """What is to be said of a field that keeps too few decimals; else nothing.

    Args:
        least: Fewer are too few; None: any that are lost.
    """
    wanted, kept = _SCALES.get(column) or 0, decimals(described)
    if kept is None or kept >= min(wanted, wanted if least is None else least):
        return ""
    return (
        f"keeps {kept} decimals and needs {wanted}: give it that many decimal places in "
        "the CRM"
    )


def fitted(
    column: str, values: Sequence[Value], described: MappingOf[str, object]
) -> list[Value]:
    """The values as the field gives them back: rounded half up, without a word."""
    kept = decimals(described)
    if kept is None or kept >= (_SCALES.get(column) or 0):
        return list(values)
    place = Decimal(1).scaleb(-kept)
    return [
        float(Decimal(repr(value)).quantize(place, ROUND_HALF_UP)) + 0.0
        if isinstance(value, float) and math.isfinite(value)
        else value
        for value in values
    ]


CURRENCY: Final = "CurrencyIsoCode"  # only orgs with several currencies have it
IS_PERSON: Final = "IsPersonAccount"  # only orgs with person accounts have it
# Columns that no field holds: queries of their own count them (see _counts).
COUNTED: Final[MappingOf[str, str]] = {
    "activity": "activity_count",
    "contact": "contact_count",
}

_ACCOUNT: Final = (
    Field("account_id", ("Id",), "id", is_required=True),
    Field("name", ("Name",)),
    Field("parent_id", ("ParentId",), "id"),
    Field("owner_id", ("OwnerId",), "id"),
    Field("segment", ("Industry",)),
    Field("country", ("BillingCountry",)),
    Field("domain", ("Website",), "host"),
    Field("account_turnover", ("AnnualRevenue",), "money"),
    Field("employee_count", ("NumberOfEmployees",), "integer"),
    Field("created_on", ("CreatedDate",), "day"),
    Field("last_activity_on", ("LastActivityDate",), "day"),
    *_ours("account"),
)
_OPPORTUNITY: Final = (
    Field("opportunity_id", ("Id",), "id", is_required=True),
    Field("account_id", ("AccountId",), "id", is_required=True),
    Field("name", ("Name",)),
    Field("owner_id", ("OwnerId",), "id"),
    Field("pipeline", constant="default"),
    Field("stage", ("StageName",)),
    Field("status", ("IsClosed", "IsWon"), status, is_required=True),
    Field("amount", ("Amount",), "money", is_required=True),
    Field("currency", (CURRENCY,)),
    Field("created_at", ("CreatedDate",), "moment"),
    # An open opportunity has a CloseDate too: the day its owner hopes for.
    Field("closed_on", ("CloseDate", "IsClosed"), if_closed, is_required=True),
    Field("expected_close_on", ("CloseDate", "IsClosed"), if_open),
    Field("probability", ("Probability",), "percent"),
    Field("kind", ("Type",), kind),
    Field("source", ("LeadSource",)),
    Field("next_step", ("NextStep",)),
    Field("last_activity_on", ("LastActivityDate",), "day"),
    *_ours("opportunity"),
)
_STAGE: Final = (
    Field("pipeline", constant="default"),
    Field("stage", ("ApiName",)),
    Field("position", ("SortOrder",), "integer"),
    Field("status", ("IsClosed", "IsWon"), status),
    Field("default_probability", ("DefaultProbability",), "percent"),
)
_OWNER: Final = (
    Field("owner_id", ("Id",), "id"),
    Field("name", ("Name",)),
    Field("is_active", ("IsActive",), "boolean"),
)
_ACTIVITY: Final = (
    Field("activity_id", ("Id",), "id", is_required=True),
    Field("account_id", ("AccountId",), "id"),
    Field("opportunity_id", ("WhatId",), opportunity_of),
    Field("owner_id", ("OwnerId",), "id"),
)
# ActivityDate is the day a task is due; CompletedDateTime, where there is one, says more.
_TASK: Final = (
    *_ACTIVITY,
    Field(
        "occurred_at",
        ("CompletedDateTime", "ActivityDate", "CreatedDate"),
        first_moment,
    ),
    Field("occurred_at", ("ActivityDate", "CreatedDate"), first_moment),
    Field("occurred_at", ("CreatedDate",), first_moment, is_required=True),
    Field("kind", ("TaskSubtype", "Type"), task_kind),
    Field("kind", ("TaskSubtype",), task_kind),
    Field("kind", ("Type",), task_kind),
    Field("kind", constant="task"),
    Field("direction", ("CallType",), direction),
    Field("status", ("IsClosed", "Status"), task_status),
    Field("minutes", ("CallDurationInSeconds",), call_minutes),
)
# An event says no outcome: one that lies behind the as-of date has been held, and the
# books are closed before one that lies ahead of it.
_EVENT: Final = (
    *_ACTIVITY,
    Field(
        "occurred_at", ("StartDateTime", "ActivityDate", "CreatedDate"), first_moment
    ),
    Field("occurred_at", ("ActivityDate", "CreatedDate"), first_moment),
    Field("occurred_at", ("CreatedDate",), first_moment, is_required=True),
    Field("kind", ("Type",), event_kind),
    Field("kind", constant="meeting"),
    Field("status", constant="held"),
    Field("minutes", ("DurationInMinutes",), "number"),
)
_TICKET: Final = (
    Field("ticket_id", ("Id",), "id", is_required=True),
    Field("opened_at", ("CreatedDate",), "moment", is_required=True),
    Field("account_id", ("AccountId",), "id"),
    Field("closed_at", ("ClosedDate",), "moment"),
    Field("priority", ("Priority",)),
    Field("is_escalated", ("IsEscalated",), "boolean"),
)
_ENQUIRY: Final = (
    Field("enquiry_id", ("Id",), "id", is_required=True),
    Field("created_at", ("CreatedDate",), "moment", is_required=True),
    Field("account_id", ("ConvertedAccountId",), "id"),
    Field("opportunity_id", ("ConvertedOpportunityId",), "id"),
    Field("owner_id", ("OwnerId",), "id"),
    Field("segment", ("Industry",)),
    Field("source", ("LeadSource",)),
    Field("status", ("Status",)),
)
_CONTRACT: Final = (
    Field("contract_id", ("Id",), "id", is_required=True),
    Field("account_id", ("AccountId",), "id", is_required=True),
    Field("starts_on", ("StartDate",), "day", is_required=True),
    Field("ends_on", ("EndDate",), "day"),
)
# The line of a series is no meeting, and an invitee's copy is one that counts already.
_OCCURRENCES: Final = {
    "IsRecurrence": "IsRecurrence = false",
    "IsChild": "IsChild = false",
}

OBJECTS: Final[MappingOf[TableName, tuple[SObject, ...]]] = {
    "account": (SObject("Account", _ACCOUNT),),
    "opportunity": (SObject("Opportunity", _OPPORTUNITY),),
    "stage": (
        SObject(
            "OpportunityStage",
            _STAGE,
            kinds={
                "Id": "id",
                "ApiName": "string",
                "SortOrder": "int",
                "IsClosed": "boolean",
                "IsWon": "boolean",
                "DefaultProbability": "percent",
            },
        ),
    ),
    # Standard: our own people. Members of a customer's community are users too.
    "owner": (
        SObject(
            "User",
            _OWNER,
            where="UserType = 'Standard'",
            kinds={
                "Id": "id",
                "Name": "string",
                "IsActive": "boolean",
                "SystemModstamp": "datetime",
            },
        ),
    ),
    "activity": (
        SObject("Task", _TASK, only=_OCCURRENCES, with_archived=True),
        SObject("Event", _EVENT, only=_OCCURRENCES, with_archived=True),
    ),
    "ticket": (SObject("Case", _TICKET),),
    "enquiry": (SObject("Lead", _ENQUIRY),),
    "contract": (SObject("Contract", _CONTRACT, where="StartDate != null"),),
}


def person_account_fields(name_sources: tuple[str, ...]) -> dict[str, Field]:
    """The lines that stand in where the org has accounts that are people."""
    return {
        "name": Field("name", (*name_sources, IS_PERSON), company_name),
        "is_person": Field("is_person", (IS_PERSON,), "boolean"),
    }
