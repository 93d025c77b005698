"""What does each CRM's own mapping say, of fields that a replica holds?

The lines are those of the CRM's connector, so that a replica tells what the CRM itself
would, and whoever maps a field of their own names it as they do there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.connectors._mapping import Field
from crm_portfolio.connectors.hubspot._columns import record_sources
from crm_portfolio.connectors.hubspot._settings import HubSpotSettings
from crm_portfolio.connectors.salesforce._columns import vendor_objects
from crm_portfolio.connectors.salesforce._fields import (
    IS_PERSON,
    person_account_fields,
)
from crm_portfolio.connectors.salesforce._loss_reason import found_field
from crm_portfolio.connectors.salesforce._settings import SalesforceSettings
from crm_portfolio.connectors.warehouse._settings import WarehouseSettings
from crm_portfolio.schema import TableName

__all__ = ["KEYS", "KINDS", "LOST", "STAGE", "WON", "Kind", "lines_of", "with_org"]

Kind = Literal["text", "day", "moment", "boolean", "number", "id", "any"]
Lines = Mapping[TableName, tuple[tuple[str, tuple[Field, ...]], ...]]

KEYS: Final = {"salesforce": "Id", "hubspot": "$id"}
WON, LOST, STAGE = "hs_is_closed_won", "hs_is_closed_lost", ("pipeline", "dealstage")
# What a field holds, where the column it becomes does not say so.
KINDS: Final[Mapping[str, Mapping[str, Kind]]] = {
    "salesforce": {
        **dict.fromkeys(
            ("IsClosed", "IsWon", "IsActive", "IsEscalated", IS_PERSON), "boolean"
        ),
        **dict.fromkeys(("CloseDate", "ActivityDate", "LastActivityDate"), "day"),
        **dict.fromkeys(
            ("CreatedDate", "CompletedDateTime", "StartDateTime", "ClosedDate"),
            "moment",
        ),
        **dict.fromkeys(("CallDurationInSeconds", "DurationInMinutes"), "number"),
    },
    "hubspot": {
        **dict.fromkeys((WON, LOST, "is_active", "archived"), "boolean"),
        **dict.fromkeys(
            ("closedate", "createdate", "notes_last_contacted", "hs_timestamp"),
            "moment",
        ),
        **dict.fromkeys(("hs_meeting_start_time", "hs_meeting_end_time"), "moment"),
        **dict.fromkeys(("hs_call_duration",), "number"),
    },
}


def _full_name(arrays: tuple[pa.Array, ...], _zone: str) -> pa.Array:
    parts = (pc.fill_null(array, "") for array in arrays)
    whole = pc.utf8_trim_whitespace(pc.binary_join_element_wise(*parts, " "))
    return pc.if_else(pc.equal(whole, ""), pa.scalar(None, pa.string()), whole)


def _is_not(arrays: tuple[pa.Array, ...], _zone: str) -> pa.Array:
    return pc.invert(arrays[0])


# The connector asks a call of its own for these.
_OWNER: Final = (
    Field("owner_id", ("$id",), "id", is_required=True),
    Field("name", ("first_name", "last_name"), _full_name),
    Field("is_active", ("is_active",), "boolean"),
    Field("is_active", ("archived",), _is_not),
)
# Where the replica has but one of the two ways to a deal's company.
_COMPANY: Final = (
    Field("account_id", ("$companies",), "id"),
    Field("account_id", ("hs_primary_associated_company",), "id"),
)


def lines_of(vendor: str, settings: WarehouseSettings) -> Lines:
    """For each table the kinds of record behind it, and what their fields become."""
    if vendor == "salesforce":
        objects = vendor_objects(SalesforceSettings(fields=settings.fields))
        return {
            table: tuple((part.name, part.fields) for part in parts)
            for table, parts in objects.items()
        }
    known = HubSpotSettings(fields=settings.fields, loss_reason=settings.loss_reason)
    lines = {
        table: tuple((part.kind, part.fields) for part in parts)
        for table, parts in record_sources(known).items()
    }
    lines["opportunity"] = tuple(
        (kind, (*fields, *_COMPANY)) for kind, fields in lines["opportunity"]
    )
    return {**lines, "owner": (("owners", _OWNER),)}


def with_org(
    fields: tuple[Field, ...],
    kind: str,
    columns: frozenset[str],
    settings: WarehouseSettings,
) -> tuple[Field, ...]:
    """The lines of a kind of record, and those that only its columns can tell."""
    if kind == "Account" and columns & {"is_person_account", IS_PERSON.lower()}:
        name = next(line for line in fields if line.column == "name")
        people = person_account_fields(name.sources)
        kept = (line for line in fields if line.column not in people)
        return (*kept, *people.values())
    has_reason = any(line.column == "loss_reason" for line in fields)
    if kind == "Opportunity" and not has_reason:
        own = [name[:-2] + "__c" for name in sorted(columns) if name.endswith("_c")]
        own += [name for name in sorted(columns) if name.endswith("__c")]
        told = [{"name": name, "type": "string"} for name in dict.fromkeys(own)]
        if settings.loss_reason:
            return (
                *fields,
                Field("loss_reason", (settings.loss_reason,), is_required=True),
            )
        reason = found_field(told, None)
        if reason is not None:
            return (*fields, Field("loss_reason", (reason,), is_required=True))
    return fields
