"""What do activities, tickets, enquiries and contracts look like inside an org?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.simulator.salesforce._arriving import USER_ID, Arriving, always
from crm_portfolio.simulator.salesforce._ids import LOADED, is_id, new_ids
from crm_portfolio.simulator.salesforce._model import Given
from crm_portfolio.simulator.salesforce._org import CLOCK_START

__all__ = ["activities", "activity_keys", "contracts", "enquiries", "tickets"]

# What is agreed for an hour is an event; all else is a task.
_MEETINGS: Final = ("meeting", "event", "visit", "appointment")
_SUBTYPES: Final = {
    "call": "Call",
    "mail": "Email",
    "email": "Email",
    "e-mail": "Email",
}
_ACTIVITY: Final = frozenset(
    {"activity_id", "occurred_at", "account_id", "opportunity_id", "kind", "direction",
     "status", "minutes", "owner_id"}
)  # fmt: skip
_TICKET: Final = frozenset(
    {"ticket_id", "opened_at", "account_id", "closed_at", "priority", "is_escalated"}
)
_ENQUIRY: Final = frozenset(
    {"enquiry_id", "created_at", "account_id", "opportunity_id", "owner_id", "segment",
     "source", "status"}
)  # fmt: skip
_CONTRACT: Final = frozenset({"contract_id", "account_id", "starts_on", "ends_on"})
_TEXT: Final = pa.string()


def activity_keys(given: Given) -> tuple[pa.Array, pa.Array]:
    """The record ids of the activities, and which of them are events."""
    kinds = pc.utf8_lower(given.get("kind"))
    is_event = pc.is_in(kinds, value_set=pa.array(_MEETINGS))
    texts = given.keys()
    if len(texts) and all(map(_is_activity_id, texts.to_pylist())):
        return texts, pc.starts_with(texts, "00U")
    count = given.count
    tasks = new_ids("00T", LOADED, first=1, count=count)
    return pc.if_else(
        is_event, new_ids("00U", LOADED, first=1, count=count), tasks
    ), is_event


def _is_activity_id(text: str) -> bool:
    return is_id(text, "00T") or is_id(text, "00U")


def activities(arriving: Arriving) -> Iterator[tuple[str, pa.Table]]:
    """The rows of Task and of Event."""
    given = arriving.given["activity"]
    record_ids, is_event = activity_keys(given)
    happened = given.get("occurred_at")
    day = arriving.day(happened)
    account, opportunity = whose(arriving)
    oldest = CLOCK_START - timedelta(days=arriving.switches.archive_after_days)
    # vendor docs: activities about a year old are archived.
    is_old = pc.less(happened, pa.scalar(oldest, pa.timestamp("us", "UTC")))
    common = {
        "Id": record_ids,
        "WhatId": pc.coalesce(opportunity, account),
        "AccountId": account,
        "ActivityDate": day,
        "Type": given.get("kind"),
        "Subject": pc.coalesce(given.get("kind"), "Other"),
        "IsArchived": pc.fill_null(is_old, False),  # noqa: FBT003
        **arriving.owned(given, happened),
        **arriving.code(given),
        **arriving.custom(given, _ACTIVITY, "Task", "Event"),
    }
    task = pa.table({**common, **_task(arriving, given)})
    event = pa.table({**common, **_event(arriving, given)})
    yield "Task", task.filter(pc.invert(is_event))
    yield "Event", event.filter(is_event)


def whose(arriving: Arriving) -> tuple[pa.Array, pa.Array]:
    """The account and the opportunity of each activity.

    vendor docs: ``AccountId`` is the account of what the activity is about.
    """
    given, deals = arriving.given["activity"], arriving.given["opportunity"]
    about, account = given.get("opportunity_id"), given.get("account_id")
    if about.null_count < len(about):
        places = pc.index_in(about, value_set=arriving.keys["opportunity"].model)
        account = pc.coalesce(account, deals.get("account_id").take(places))
    opportunity = arriving.keys["opportunity"].of(about)
    return arriving.keys["account"].of(account), opportunity


def _task(arriving: Arriving, given: Given) -> dict[str, pa.Array]:
    status = pc.coalesce(given.get("status"), "held")
    is_held, is_cancelled = pc.equal(status, "held"), pc.equal(status, "cancelled")
    kinds = pc.utf8_lower(given.get("kind"))
    subtype = pa.array(list(_SUBTYPES.values())).take(
        pc.index_in(kinds, value_set=pa.array(list(_SUBTYPES)))
    )
    way = pc.case_when(
        pc.make_struct(
            pc.equal(given.get("direction"), "in"),
            pc.equal(given.get("direction"), "out"),
        ),
        "Inbound",
        "Outbound",
    )
    seconds = pc.round(pc.multiply(given.get("minutes"), 60.0)).cast(pa.int64())
    done = arriving.stored(given.get("occurred_at"))
    return {
        "Status": pc.if_else(
            is_held, "Completed", pc.if_else(is_cancelled, "Deferred", "Not Started")
        ),
        "Priority": always("Normal", given.count),
        "IsHighPriority": always(False, given.count),  # noqa: FBT003
        "IsClosed": is_held,
        "CompletedDateTime": pc.if_else(
            is_held, done, pa.scalar(None, pa.timestamp("us"))
        ),
        "TaskSubtype": pc.coalesce(subtype, "Task"),
        "CallType": way.cast(_TEXT),
        "CallDurationInSeconds": seconds,
    }


def _event(arriving: Arriving, given: Given) -> dict[str, pa.Array]:
    start = arriving.stored(given.get("occurred_at"))
    minutes = pc.coalesce(pc.round(given.get("minutes")), 60.0).cast(pa.int64())
    length = pc.multiply(minutes, 60_000_000).cast(pa.duration("us"))
    end = pc.add(start, length)
    no = always(False, given.count)  # noqa: FBT003
    return {
        "StartDateTime": start,
        "ActivityDateTime": start,
        "EndDateTime": end,
        "EndDate": end.cast(pa.date32(), safe=False),
        "DurationInMinutes": minutes,
        "EventSubtype": always("Event", given.count),
        **dict.fromkeys(
            ("IsAllDayEvent", "IsPrivate", "IsChild", "IsGroupEvent", "IsRecurrence"),
            no,
        ),
    }


def tickets(arriving: Arriving) -> pa.Table:
    given, keys = arriving.given["ticket"], arriving.keys["ticket"]
    closed = given.get("closed_at")
    is_closed = pc.is_valid(closed)
    numbers = pc.utf8_lpad(_counted(given.count), 8, "0")
    columns = {
        "Id": keys.records,
        "CaseNumber": numbers,
        "AccountId": arriving.keys["account"].of(given.get("account_id")),
        "Status": pc.if_else(is_closed, "Closed", "New"),
        "IsClosed": is_closed,
        "ClosedDate": arriving.stored(closed),
        "Priority": given.get("priority"),
        "IsEscalated": pc.coalesce(given.get("is_escalated"), False),
        "Origin": always("Web", given.count),
        "OwnerId": always(USER_ID, given.count),
        **arriving.there(given.count, given.get("opened_at")),
        **arriving.code(given),
        **arriving.custom(given, _TICKET, "Case"),
    }
    return pa.table(columns)


def enquiries(arriving: Arriving) -> pa.Table:
    given, keys = arriving.given["enquiry"], arriving.keys["enquiry"]
    account = arriving.keys["account"].of(given.get("account_id"))
    opportunity = arriving.keys["opportunity"].of(given.get("opportunity_id"))
    is_converted = pc.or_(pc.is_valid(account), pc.is_valid(opportunity))
    happened = given.get("created_at")
    day = arriving.day(happened)
    names = pc.binary_join_element_wise("Enquiry", _counted(given.count), " ")
    open_or_not = pc.if_else(is_converted, "Closed - Converted", "Open - Not Contacted")
    columns = {
        "Id": keys.records,
        "LastName": names,
        "Name": names,
        "Company": names,
        "Industry": given.get("segment"),
        "LeadSource": given.get("source"),
        "Status": pc.coalesce(given.get("status"), open_or_not),
        "IsConverted": is_converted,
        "ConvertedDate": pc.if_else(is_converted, day, pa.scalar(None, pa.date32())),
        "ConvertedAccountId": account,
        "ConvertedOpportunityId": opportunity,
        "IsUnreadByOwner": always(False, given.count),  # noqa: FBT003
        **arriving.owned(given, happened),
        **arriving.code(given),
        **arriving.custom(given, _ENQUIRY, "Lead"),
    }
    return pa.table(columns)


def contracts(arriving: Arriving) -> pa.Table:
    given, keys = arriving.given["contract"], arriving.keys["contract"]
    start, end = given.get("starts_on"), given.get("ends_on")
    # vendor docs: the term is in months, and the last day is one before the next begins.
    behind = pc.add(end.cast(pa.int32()), pa.scalar(1, pa.int32())).cast(pa.date32())
    months = pc.subtract(_months(behind), _months(start))
    columns = {
        "Id": keys.records,
        "ContractNumber": pc.utf8_lpad(_counted(given.count), 8, "0"),
        "AccountId": arriving.keys["account"].of(given.get("account_id")),
        "StartDate": start,
        "EndDate": end,
        "ContractTerm": months,
        "Status": always("Activated", given.count),
        "StatusCode": always("Activated", given.count),
        "OwnerId": always(USER_ID, given.count),
        **arriving.there(given.count, arriving.midnight(start)),
        **arriving.code(given),
        **arriving.custom(given, _CONTRACT, "Contract"),
    }
    return pa.table(columns)


def _months(day: pa.Array) -> pa.Array:
    return pc.add(pc.multiply(pc.year(day), 12), pc.month(day))


def _counted(count: int) -> pa.Array:
    return pa.array(range(1, count + 1), pa.int64()).cast(_TEXT)
