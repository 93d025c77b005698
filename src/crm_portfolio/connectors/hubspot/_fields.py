"""Which HubSpot property is which model column?

No contact, e-mail address, telephone or text of a conversation is here, and none is
requested. A source that begins with ``$`` is no property: ``$id`` is the record's own,
``$companies`` the company it is linked to.
"""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from typing import Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors._mapping import (
    CONVERTERS,
    Converter,
    Field,
    empty_as_null,
)
from crm_portfolio.schema import HUMAN, MANAGED, TABLES, TableName, WritableTable

__all__ = [
    "HOME_AMOUNT",
    "ID",
    "MERGED",
    "OUR_PROPERTIES",
    "PRIMARY_COMPANY",
    "SOURCES",
    "Link",
    "Once",
    "RecordSource",
    "custom",
]

ID: Final = "$id"
MERGED: Final = "hs_merged_object_ids"  # on the record that lives on
PRIMARY_COMPANY: Final = "hs_primary_associated_company"


@attrs.frozen
class Link:
    """A kind of record that another may be linked to.

    Attributes:
        primary: What a list calls the one link that counts most, where there is one.
    """

    to: str
    primary: str = ""

    @property
    def source(self) -> str:
        return f"${self.to}"


@attrs.frozen
class RecordSource:
    """The objects behind a table, or behind a part of one.

    Attributes:
        place: The properties that name its pipeline and its stage there.
        modified: The property that says when a record last changed.
    """

    kind: str
    fields: tuple[Field, ...]
    links: tuple[Link, ...] = ()
    place: tuple[str, ...] = ()
    modified: str = "hs_lastmodifieddate"


@attrs.frozen
class Once:
    """A converter that takes its first source as a named converter left it.

    Two columns of one source then share that work.
    """

    first: str
    then: Converter

    def __call__(self, arrays: tuple[pa.Array, ...], time_zone: str) -> pa.Array:
        first = CONVERTERS[self.first](arrays[:1], time_zone)
        return self.then((first, *arrays[1:]), time_zone)


_OF_COMPANIES: Final[MappingOf[str, str]] = {
    "tier": "portfolio_tier",
    "tier_since_on": "portfolio_tier_since",
    "portfolio_rank": "portfolio_rank",
    "revenue_share": "portfolio_revenue_share",
    "dependence": "portfolio_dependence",
    "rising": "portfolio_rising",
    "risk_level": "portfolio_risk",
    "risk_reasons": "portfolio_risk_reasons",
    "decision": "portfolio_decision",
    "decided_on": "portfolio_decided_on",
    "decision_review_on": "portfolio_decision_review_on",
    "portfolio_stamp": "portfolio_stamp",
    "tier_pinned": "portfolio_tier_pinned",
    "tier_pinned_until_on": "portfolio_tier_pinned_until",
    "tier_pinned_by": "portfolio_tier_pinned_by",
}
_OF_DEALS: Final[MappingOf[str, str]] = {
    "lost_class": "portfolio_lost_class",
    "win_back_rank": "portfolio_win_back_rank",
    "not_before_on": "portfolio_not_before",
    "portfolio_stamp": "portfolio_stamp",
}
# In the CRM a managed or human field is called after its column.
OUR_PROPERTIES: Final[MappingOf[WritableTable, MappingOf[str, str]]] = {
    "account": _OF_COMPANIES,
    "opportunity": _OF_DEALS,
}


def _ours(table: WritableTable) -> tuple[Field, ...]:
    return tuple(
        Field(field.column, (OUR_PROPERTIES[table][field.column],), field.type)
        for field in (*MANAGED[table], *HUMAN[table])
    )


def _translated(array: pa.Array, words: MappingOf[str, str]) -> pa.Array:
    if array.null_count == len(array):
        return pa.nulls(len(array), pa.string())
    place = pc.index_in(pc.utf8_lower(array.cast(pa.string())), pa.array(list(words)))
    return pc.take(pa.array(list(words.values())), place)


# HubSpot's own words; "existing business" does not say whether it is the same or more.
_KINDS: Final = {
    "newbusiness": "new",
    "new": "new",
    "renewal": "renewal",
    "expansion": "expansion",
}
_DIRECTIONS: Final = {
    "inbound": "in",
    "outbound": "out",
    "incoming_email": "in",
    "email": "out",
    "forwarded_email": "out",
}
_STATES: Final = {
    "completed": "held",
    "sent": "held",
    "canceled": "cancelled",
    "no_show": "cancelled",
    "rescheduled": "cancelled",
    "no_answer": "cancelled",
    "busy": "cancelled",
    "failed": "cancelled",
    "bounced": "cancelled",
    "scheduled": "open",
    "queued": "open",
    "sending": "open",
    "in_progress": "open",
}


_WON, _LOST, _OPEN = pa.scalar("won"), pa.scalar("lost"), pa.scalar("open")
_NO_DAY: Final = pa.scalar(None, pa.date32())


def _kind(arrays: tuple[pa.Array, ...], _zone: str) -> pa.Array:
    return _translated(arrays[0], _KINDS)


def _direction(arrays: tuple[pa.Array, ...], _zone: str) -> pa.Array:
    return _translated(arrays[0], _DIRECTIONS)


def _state(arrays: tuple[pa.Array, ...], _zone: str) -> pa.Array:
    return _translated(arrays[0], _STATES)


def _is_customer(arrays: tuple[pa.Array, ...], _zone: str) -> pa.Array:
    stage = pc.utf8_lower(empty_as_null(arrays[0]))
    # An evangelist is a customer who speaks well of us.
    is_one = pc.is_in(stage, pa.array(["customer", "evangelist"]))
    return pc.if_else(pc.is_valid(stage), is_one, pa.scalar(None, pa.bool_()))


def _company(arrays: tuple[pa.Array, ...], _zone: str) -> pa.Array:
    primary, linked = arrays
    return pc.coalesce(primary, linked) if primary.null_count else primary


def _sure(flag: pa.Array) -> pa.Array:
    return pc.fill_null(flag, False) if flag.null_count else flag  # noqa: FBT003


def _status(arrays: tuple[pa.Array, ...], _zone: str) -> pa.Array:
    won, lost = map(_sure, arrays)
    return pc.if_else(won, _WON, pc.if_else(lost, _LOST, _OPEN))


def _if_closed(arrays: tuple[pa.Array, ...], _zone: str) -> pa.Array:
    day, won, lost = arrays
    return pc.if_else(pc.or_(_sure(won), _sure(lost)), day, _NO_DAY)


def _if_open(arrays: tuple[pa.Array, ...], _zone: str) -> pa.Array:
    day, won, lost = arrays
    return pc.if_else(pc.or_(_sure(won), _sure(lost)), _NO_DAY, day)


def _from_milliseconds(arrays: tuple[pa.Array, ...], _zone: str) -> pa.Array:
    return pc.divide(arrays[0].cast(pa.float64()), 60_000.0)


def _between(arrays: tuple[pa.Array, ...], _zone: str) -> pa.Array:
    start, end = (moment.cast(pa.timestamp("us", "UTC")) for moment in arrays)
    return pc.divide(pc.microseconds_between(start, end).cast(pa.float64()), 6e7)


def _is_void(arrays: tuple[pa.Array, ...], _zone: str) -> pa.Array:
    # What nobody will ever pay is still owed: only a void bill was never one.
    return pc.equal(pc.utf8_lower(arrays[0]), "voided")


_CLOSED_DAY: Final = Once("day", _if_closed)
_OPEN_DAY: Final = Once("day", _if_open)
_TICKET: Final = _assumptions.TICKET_PROPERTIES
_LEAD: Final = _assumptions.LEAD_PROPERTIES
_INVOICE: Final = _assumptions.INVOICE_PROPERTIES
_OWNER: Final = Field("owner_id", ("hubspot_owner_id",), "id")
_CLOSED: Final = ("hs_is_closed_won", "hs_is_closed_lost")
_COMPANY: Final = Field("account_id", ("$companies",), "id")
_DEAL: Final = Field("opportunity_id", ("$deals",), "id")

_ACCOUNT: Final = (
    Field("account_id", (ID,), "id", is_required=True),
    Field("name", ("name",)),
    Field("parent_id", ("hs_parent_company_id",), "id"),
    _OWNER,
    Field("segment", ("industry",), "code"),
    Field("country", ("country",), "code"),
    Field("domain", ("domain",), "host"),
    Field("account_turnover", ("annualrevenue",), "money"),
    Field("employee_count", ("numberofemployees",), "integer"),
    Field("created_on", ("createdate",), "day"),
    Field("is_customer", ("lifecyclestage",), _is_customer),
    Field("last_activity_on", ("notes_last_contacted",), "day"),
    Field("activity_count", ("num_notes",), "integer"),
    Field("contact_count", ("num_associated_contacts",), "integer"),
    *_ours("account"),
)
# Its value in the portal's currency; the rate of a closed deal stands still.
HOME_AMOUNT: Final = Field("home_amount", ("amount_in_home_currency",), "number")
_OPPORTUNITY: Final = (
    Field("opportunity_id", (ID,), "id", is_required=True),
    Field("account_id", (PRIMARY_COMPANY, "$companies"), _company, is_required=True),
    Field("name", ("dealname",)),
    _OWNER,
    Field("pipeline", ("pipeline",), "code"),
    Field("stage", ("dealstage",), "code"),
    Field("status", _CLOSED, _status, is_required=True),
    Field("amount", ("amount",), "money", is_required=True),
    Field("currency", ("deal_currency_code",), "code"),
    HOME_AMOUNT,
    Field("created_at", ("createdate",), "moment"),
    # An open deal has a closedate too: the day its owner hopes for.
    Field("closed_on", ("closedate", *_CLOSED), _CLOSED_DAY, is_required=True),
    Field("expected_close_on", ("closedate", *_CLOSED), _OPEN_DAY),
    Field("probability", ("hs_deal_stage_probability",), "share"),
    Field("kind", ("dealtype",), _kind),
    Field("loss_reason", ("closed_lost_reason",), "code"),
    Field("next_step", ("hs_next_step",)),
    Field("contact_count", ("num_associated_contacts",), "integer"),
    Field("last_activity_on", ("notes_last_contacted",), "day"),
    Field("activity_count", ("num_notes",), "integer"),
    *_ours("opportunity"),
)


def _activity(kind: str, *fields: Field) -> RecordSource:
    shared = (
        Field("activity_id", (ID,), "id", is_required=True),
        Field("occurred_at", ("hs_timestamp",), "moment", is_required=True),
        _COMPANY,
        _DEAL,
        Field("kind", constant=kind.removesuffix("s")),
        _OWNER,
    )
    return RecordSource(kind, (*shared, *fields), (Link("companies"), Link("deals")))


SOURCES: Final[MappingOf[TableName, tuple[RecordSource, ...]]] = {
    "account": (RecordSource("companies", _ACCOUNT),),
    "opportunity": (
        RecordSource(
            "deals",
            _OPPORTUNITY,
            (Link("companies", "deal_to_company"),),
            place=("pipeline", "dealstage"),
        ),
    ),
    "activity": (
        _activity(
            "calls",
            Field("direction", ("hs_call_direction",), _direction),
            Field("status", ("hs_call_status",), _state),
            Field("minutes", ("hs_call_duration",), _from_milliseconds),
        ),
        _activity(
            "meetings",
            Field("status", ("hs_meeting_outcome",), _state),
            Field(
                "minutes", ("hs_meeting_start_time", "hs_meeting_end_time"), _between
            ),
        ),
        _activity(
            "emails",
            Field("direction", ("hs_email_direction",), _direction),
            Field("status", ("hs_email_status",), _state),
        ),
    ),
    "ticket": (
        RecordSource(
            "tickets",
            (
                Field("ticket_id", (ID,), "id", is_required=True),
                Field("opened_at", (_TICKET["opened_at"],), "moment", is_required=True),
                _COMPANY,
                Field("closed_at", (_TICKET["closed_at"],), "moment"),
                Field("priority", (_TICKET["priority"],), "code"),
                Field("first_response_at", (_TICKET["first_response_at"],), "moment"),
            ),
            (Link("companies", "ticket_to_company"),),
        ),
    ),
    "enquiry": (
        RecordSource(
            "leads",
            (
                Field("enquiry_id", (ID,), "id", is_required=True),
                Field("created_at", (_LEAD["created_at"],), "moment", is_required=True),
                _COMPANY,
                _DEAL,
                _OWNER,
                Field("source", (_LEAD["source"],), "code"),
                Field("status", (_LEAD["status"],), "code"),
            ),
            (Link("companies"), Link("deals")),
            place=(_LEAD["pipeline"], _LEAD["status"]),
        ),
    ),
    "invoice": (
        RecordSource(
            "invoices",
            (
                Field("invoice_id", (ID,), "id", is_required=True),
                _COMPANY,
                Field("issued_on", (_INVOICE["issued_on"],), "day", is_required=True),
                Field("due_on", (_INVOICE["due_on"],), "day"),
                Field("paid_on", (_INVOICE["paid_on"],), "day"),
                Field("amount", (_INVOICE["amount"],), "money", is_required=True),
                Field("currency", (_INVOICE["currency"],), "code"),
                Field("open_amount", (_INVOICE["open_amount"],), "money"),
                Field("is_cancelled", (_INVOICE["is_cancelled"],), _is_void),
            ),
            (Link("companies"),),
        ),
    ),
}


def custom(table: TableName, kind: str) -> RecordSource:
    """What is known of a custom object before its columns are mapped."""
    names = TABLES[table].names
    fields = tuple(Field(key, (ID,), "id", is_required=True) for key in _own(table))
    links = [
        (column, Link(to))
        for column, to in (("account_id", "companies"), ("opportunity_id", "deals"))
        if column in names and column not in _own(table)
    ]
    linked = tuple(Field(column, (link.source,), "id") for column, link in links)
    return RecordSource(kind, (*fields, *linked), tuple(link for _, link in links))


def _own(table: TableName) -> tuple[str, ...]:
    """The key, where the record's own id can be it."""
    key = TABLES[table].key
    return key if len(key) == 1 and TABLES[table][key[0]].type == "id" else ()
