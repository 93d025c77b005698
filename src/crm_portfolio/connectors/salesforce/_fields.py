"""Which Salesforce field is which model column?

No contact, e-mail, telephone or comment is here, and none is requested.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from typing import Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.connectors._mapping import Field, Mapping, empty_as_null
from crm_portfolio.schema import HUMAN, MANAGED, TableName

__all__ = [
    "ACCOUNT_FIELDS",
    "IS_PERSON",
    "MAPPING",
    "OBJECTS",
    "SObject",
    "person_account_fields",
]


@attrs.frozen
class SObject:
    """The object behind a table.

    Attributes:
        kinds: Field name → vendor type, for an object whose fields never vary; None:
            describe tells.
    """

    name: str
    where: str = ""
    kinds: MappingOf[str, str] | None = None


OBJECTS: Final[MappingOf[TableName, SObject]] = {
    "account": SObject("Account"),
    "opportunity": SObject("Opportunity"),
    "stage": SObject(
        "OpportunityStage",
        kinds={
            "Id": "id",
            "ApiName": "string",
            "SortOrder": "int",
            "IsClosed": "boolean",
            "IsWon": "boolean",
            "DefaultProbability": "percent",
        },
    ),
    # Standard: our own people. Members of a customer's community are users too.
    "owner": SObject(
        "User",
        where="UserType = 'Standard'",
        kinds={"Id": "id", "Name": "string", "IsActive": "boolean"},
    ),
}

# In the CRM a managed or human field is called after its column.
ACCOUNT_FIELDS: Final[MappingOf[str, str]] = {
    "tier": "Portfolio_Tier__c",
    "tier_since_on": "Portfolio_Tier_Since__c",
    "portfolio_rank": "Portfolio_Rank__c",
    "revenue_share": "Portfolio_Revenue_Share__c",
    "dependence": "Portfolio_Dependence__c",
    "portfolio_stamp": "Portfolio_Stamp__c",
    "tier_pinned": "Portfolio_Tier_Pinned__c",
    "tier_pinned_until_on": "Portfolio_Tier_Pinned_Until__c",
    "tier_pinned_by": "Portfolio_Tier_Pinned_By__c",
}


def _status(arrays: tuple[pa.Array, ...], _zone: str) -> pa.Array:
    is_closed, is_won = arrays
    # A won stage is closed as well, so won is asked first.
    closed = pc.if_else(is_closed, pa.scalar("lost"), pa.scalar("open"))
    return pc.if_else(is_won, pa.scalar("won"), closed)


def _if_closed(arrays: tuple[pa.Array, ...], _zone: str) -> pa.Array:
    day, is_closed = arrays
    return pc.if_else(is_closed, day, pa.scalar(None, day.type))


def _if_open(arrays: tuple[pa.Array, ...], _zone: str) -> pa.Array:
    day, is_closed = arrays
    return pc.if_else(is_closed, pa.scalar(None, day.type), day)


def _company_name(arrays: tuple[pa.Array, ...], _zone: str) -> pa.Array:
    name, is_person = arrays
    hidden = pc.fill_null(is_person, True)  # noqa: FBT003
    return pc.if_else(hidden, pa.scalar(None, pa.string()), empty_as_null(name))


# The values Salesforce ships with that say one of our kinds, and our own words.
_KINDS: Final[MappingOf[str, str]] = {
    "new": "new",
    "new customer": "new",
    "new business": "new",
    "renewal": "renewal",
    "existing customer - replacement": "renewal",
    "expansion": "expansion",
    "existing customer - upgrade": "expansion",
}


def _kind(arrays: tuple[pa.Array, ...], _zone: str) -> pa.Array:
    place = pc.index_in(
        pc.utf8_lower(arrays[0].cast(pa.string())), pa.array(list(_KINDS))
    )
    return pc.take(pa.array(list(_KINDS.values())), place)


MAPPING: Final[Mapping] = {
    "account": (
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
        *(
            Field(field.column, (ACCOUNT_FIELDS[field.column],), field.type)
            for field in (*MANAGED, *HUMAN)
        ),
    ),
    "opportunity": (
        Field("opportunity_id", ("Id",), "id", is_required=True),
        Field("account_id", ("AccountId",), "id", is_required=True),
        Field("name", ("Name",)),
        Field("owner_id", ("OwnerId",), "id"),
        Field("pipeline", constant="default"),
        Field("stage", ("StageName",)),
        Field("status", ("IsClosed", "IsWon"), _status, is_required=True),
        Field("amount", ("Amount",), "money", is_required=True),
        Field("currency", ("CurrencyIsoCode",)),
        Field("created_at", ("CreatedDate",), "moment"),
        # An open opportunity has a CloseDate too: the day its owner hopes for.
        Field("closed_on", ("CloseDate", "IsClosed"), _if_closed, is_required=True),
        Field("expected_close_on", ("CloseDate", "IsClosed"), _if_open),
        Field("probability", ("Probability",), "percent"),
        Field("kind", ("Type",), _kind),
        Field("source", ("LeadSource",)),
        Field("next_step", ("NextStep",)),
        Field("last_activity_on", ("LastActivityDate",), "day"),
    ),
    "stage": (
        Field("pipeline", constant="default"),
        Field("stage", ("ApiName",)),
        Field("position", ("SortOrder",), "integer"),
        Field("status", ("IsClosed", "IsWon"), _status),
        Field("default_probability", ("DefaultProbability",), "percent"),
    ),
    "owner": (
        Field("owner_id", ("Id",), "id"),
        Field("name", ("Name",)),
        Field("is_active", ("IsActive",), "boolean"),
    ),
}

IS_PERSON: Final = "IsPersonAccount"  # only orgs with person accounts have it


def person_account_fields(name_sources: tuple[str, ...]) -> dict[str, Field]:
    """The lines that stand in where the org has accounts that are people."""
    return {
        "name": Field("name", (*name_sources, IS_PERSON), _company_name),
        "is_person": Field("is_person", (IS_PERSON,), "boolean"),
    }
