"""What do enquiries, tickets, invoices and activities look like inside a portal?

Leads, tickets, invoices; calls, e-mails, meetings, notes and tasks. The names of leads' and
invoices' properties are unverified.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.simulator._given import Given, Tables
from crm_portfolio.simulator.hubspot._custom import Custom
from crm_portfolio.simulator.hubspot._keys import FIRST_ID, Keys
from crm_portfolio.simulator.hubspot._stages import lead_pipelines
from crm_portfolio.simulator.hubspot._text import midnights, moments_text, numbers_text
from crm_portfolio.simulator.hubspot._to_companies import linked

__all__ = ["ENGAGEMENTS", "Service"]

ENGAGEMENTS: Final = ("calls", "emails", "meetings", "notes", "tasks")
_WORDS: Final = {"call": "calls", "phone": "calls", "mail": "emails", "meet": "meetings",
                 "visit": "meetings", "task": "tasks"}  # fmt: skip
_ACTIVITY: Final = frozenset(
    {"activity_id", "occurred_at", "account_id", "opportunity_id", "kind", "direction",
     "status", "minutes", "owner_id"}
)  # fmt: skip
_TICKET: Final = frozenset(
    {
        "ticket_id",
        "opened_at",
        "account_id",
        "closed_at",
        "priority",
        "first_response_at",
    }
)
_ENQUIRY: Final = frozenset(
    {"enquiry_id", "created_at", "account_id", "opportunity_id", "owner_id", "status"}
)
_INVOICE: Final = frozenset(
    {"invoice_id", "account_id", "issued_on", "due_on", "paid_on", "amount",
     "original_amount", "currency", "open_amount", "is_cancelled"}
)  # fmt: skip
_STATUS: Final[Mapping[str, Mapping[str, str]]] = {
    "hs_call_status": {"held": "COMPLETED", "cancelled": "CANCELED", "open": "QUEUED"},
    "hs_email_status": {"held": "SENT", "cancelled": "FAILED", "open": "SCHEDULED"},
    "hs_meeting_outcome": {
        "held": "COMPLETED",
        "cancelled": "CANCELED",
        "open": "SCHEDULED",
    },
    "hs_task_status": {
        "held": "COMPLETED",
        "cancelled": "DEFERRED",
        "open": "NOT_STARTED",
    },
}
_DIRECTION: Final[Mapping[str, Mapping[str, str]]] = {
    "hs_call_direction": {"in": "INBOUND", "out": "OUTBOUND"},
    "hs_email_direction": {"in": "INCOMING_EMAIL", "out": "EMAIL"},
}
_MINUTE: Final = 60_000  # milliseconds, as calls are measured


class Service:
    """What goes on around the sales."""

    def __init__(
        self,
        tables: Tables,
        custom: Custom,
        keys: Mapping[str, Keys],
        time_zone: str,
    ) -> None:
        self._ticket = Given("ticket", tables.get("ticket"))
        self._enquiry = Given("enquiry", tables.get("enquiry"))
        self._invoice = Given("invoice", tables.get("invoice"))
        self._activity = Given("activity", tables.get("activity"))
        self._custom, self._zone = custom, time_zone
        self.lists_activities = "activity" in tables
        self._sales = keys
        self.keys = {
            "ticket": Keys(self._ticket.keys(), FIRST_ID["tickets"]),
            "enquiry": Keys(self._enquiry.keys(), FIRST_ID["leads"]),
            "invoice": Keys(self._invoice.keys(), FIRST_ID["invoices"]),
            "activity": Keys(self._activity.keys(), FIRST_ID["calls"]),
        }
        self._sorted = _sorted(self._activity)

    def owned(self) -> Iterator[Given]:
        yield from (self._enquiry, self._activity)

    def lead_stages(self) -> list[str]:
        said = pc.unique(self._enquiry.get("status").drop_null()).to_pylist()
        return sorted(said)

    def records(self, owners: Keys) -> dict[str, pa.Table]:
        found = {
            "tickets": self._tickets(),
            "leads": self._leads(owners),
            "invoices": self._invoices(),
        }
        for kind in ENGAGEMENTS:
            rows = pc.equal(self._sorted, kind)
            if pc.any(rows).as_py():
                found[kind] = self._engagements(kind, rows, owners)
        return {kind: rows for kind, rows in found.items() if len(rows)}

    def _tickets(self) -> pa.Table:
        given, keys = self._ticket, self.keys["ticket"]
        self._custom.widen("tickets", "hs_ticket_priority", given.get("priority"))
        closed = given.get("closed_at")
        columns = {
            "id": keys.numbers,
            "subject": pc.binary_join_element_wise("Ticket ", given.keys(), ""),
            "hs_pipeline": pa.repeat("0", given.count),
            "hs_pipeline_stage": pc.if_else(pc.is_valid(closed), "4", "1"),
            "hs_ticket_priority": given.get("priority"),
            "createdate": moments_text(given.get("opened_at")),
            "closed_date": moments_text(closed),
            "first_agent_reply_date": moments_text(given.get("first_response_at")),
            "hs_is_closed": pc.if_else(pc.is_valid(closed), "true", "false"),
            "hs_ticket_id": keys.numbers.cast(pa.string()),
        }
        return pa.table({**columns, **self._custom.columns("tickets", given, _TICKET)})

    def _leads(self, owners: Keys) -> pa.Table:
        given, keys = self._enquiry, self.keys["enquiry"]
        (line,) = lead_pipelines(self.lead_stages())
        labels = pa.array([stage["label"] for stage in line["stages"]])
        ids = pa.array([stage["id"] for stage in line["stages"]])
        place = pc.index_in(given.get("status"), value_set=labels)
        columns = {
            "id": keys.numbers,
            "hs_lead_name": pc.binary_join_element_wise("Lead ", given.keys(), ""),
            "hs_pipeline": pa.repeat(line["id"], given.count),
            "hs_pipeline_stage": pc.coalesce(ids.take(place), ids[0]),
            "hs_createdate": moments_text(given.get("created_at")),
            "hubspot_owner_id": owners.of(given.get("owner_id")),
        }
        return pa.table({**columns, **self._custom.columns("leads", given, _ENQUIRY)})

    def _invoices(self) -> pa.Table:
        given, keys = self._invoice, self.keys["invoice"]
        issued = midnights(given.get("issued_on"), self._zone)
        paid = given.get("paid_on")
        void = pc.fill_null(given.get("is_cancelled"), fill_value=False)
        status = pc.if_else(pc.is_valid(paid), "paid", "open")
        columns = {
            "id": keys.numbers,
            "hs_number": given.keys(),
            "hs_invoice_status": pc.if_else(void, "voided", status),
            "hs_amount_billed": numbers_text(
                pc.coalesce(given.get("original_amount"), given.get("amount"))
            ),
            "hs_balance_due": numbers_text(given.get("open_amount")),
            "hs_currency": given.get("currency"),
            "hs_invoice_date": moments_text(issued),
            "hs_createdate": moments_text(issued),
            "hs_due_date": moments_text(midnights(given.get("due_on"), self._zone)),
            "hs_payment_date": moments_text(midnights(paid, self._zone)),
        }
        return pa.table(
            {**columns, **self._custom.columns("invoices", given, _INVOICE)}
        )

    def _engagements(self, kind: str, rows: pa.Array, owners: Keys) -> pa.Table:
        def chosen(column: str) -> pa.Array:
            return self._activity.get(column).filter(rows)

        at, minutes = chosen("occurred_at"), chosen("minutes")
        columns = {
            "id": self.keys["activity"].numbers.filter(rows),
            "hs_timestamp": moments_text(at),
            "hs_createdate": moments_text(at),
            "hubspot_owner_id": owners.of(chosen("owner_id")),
        }
        left = {"direction": chosen("direction"), "status": chosen("status")}
        for names, said in ((_STATUS, "status"), (_DIRECTION, "direction")):
            for name, meaning in names.items():
                if name.startswith(f"hs_{kind[:-1]}_"):
                    columns[name] = _renamed(left.pop(said), meaning)
        if kind == "calls":
            columns["hs_call_duration"] = numbers_text(pc.multiply(minutes, _MINUTE))
        elif kind == "meetings":
            columns["hs_meeting_start_time"] = moments_text(at)
            columns["hs_meeting_end_time"] = moments_text(_later(at, minutes))
        else:
            left["minutes"] = minutes
        for name, array in left.items():
            if array.null_count < len(array):
                columns[name] = self._custom.column(kind, name, array)
        for name, array in self._activity.others(_ACTIVITY):
            columns[name] = self._custom.column(kind, name, array.filter(rows))
        return pa.table(columns)

    def links(self) -> Iterator[pa.Table]:
        """All of it to companies, leads and activities to deals too."""
        accounts, deals = self._sales["account"], self._sales["opportunity"]
        for kind, given, key in (
            ("tickets", self._ticket, "ticket"),
            ("leads", self._enquiry, "enquiry"),
            ("invoices", self._invoice, "invoice"),
        ):
            ids = self.keys[key].numbers
            companies = accounts.numbers_of(given.get("account_id"))
            yield from linked(kind, ids, "companies", companies)
            if kind == "tickets":
                yield from linked(kind, ids, "companies", companies, primary=True)
            if kind == "leads":
                about = deals.numbers_of(given.get("opportunity_id"))
                yield from linked(kind, ids, "deals", about)
        companies = accounts.numbers_of(self._activity.get("account_id"))
        about = deals.numbers_of(self._activity.get("opportunity_id"))
        for kind in ENGAGEMENTS:
            rows = pc.equal(self._sorted, kind)
            ids = self.keys["activity"].numbers.filter(rows)
            yield from linked(kind, ids, "companies", companies.filter(rows))
            yield from linked(kind, ids, "deals", about.filter(rows))


def _sorted(activity: Given) -> pa.Array:
    """Which kind of engagement each activity is; notes, where its kind tells nothing."""
    said = pc.utf8_lower(activity.get("kind"))
    found = pa.repeat(pa.scalar("notes"), activity.count)
    for word, kind in _WORDS.items():
        has = pc.fill_null(pc.match_substring(said, word), fill_value=False)
        found = pc.if_else(has, kind, found)
    return found


def _renamed(said: pa.Array, names: Mapping[str, str]) -> pa.Array:
    places = pc.index_in(said, value_set=pa.array(list(names)))
    return pa.array(list(names.values())).take(places)


def _later(at: pa.Array, minutes: pa.Array) -> pa.Array:
    length = pc.multiply(pc.coalesce(minutes, 0.0), 60_000_000.0)
    span = pc.round(length).cast(pa.int64()).cast(pa.duration("us"))
    return pc.add(at.cast(pa.timestamp("us", "UTC")), span)
