"""What do Salesforce's words mean in ours, column by column?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.connectors._mapping import CONVERTERS, Converter, empty_as_null

__all__ = [
    "Arrays",
    "call_minutes",
    "company_name",
    "direction",
    "event_kind",
    "first_moment",
    "if_closed",
    "if_open",
    "kind",
    "opportunity_of",
    "status",
    "task_kind",
    "task_status",
]

Arrays = tuple[pa.Array, ...]


def _said(words: Mapping[str, str]) -> Converter:
    """A converter of a few known words, without regard to case; others are null."""
    known, ours = pa.array(list(words)), pa.array(list(words.values()))

    def convert(arrays: Arrays, _zone: str) -> pa.Array:
        # A picklist has few values, so each is looked up once.
        coded = pc.dictionary_encode(arrays[0].cast(pa.string()))
        places = pc.index_in(pc.utf8_lower(coded.dictionary), known)
        return pc.take(ours, pc.take(places, coded.indices))

    return convert


def status(arrays: Arrays, _zone: str) -> pa.Array:
    is_closed, is_won = arrays
    # A won stage is closed as well, so won is asked first.
    closed = pc.if_else(is_closed, pa.scalar("lost"), pa.scalar("open"))
    return pc.if_else(is_won, pa.scalar("won"), closed)


def if_closed(arrays: Arrays, _zone: str) -> pa.Array:
    day, is_closed = arrays
    return pc.if_else(is_closed, day, pa.scalar(None, day.type))


def if_open(arrays: Arrays, _zone: str) -> pa.Array:
    day, is_closed = arrays
    return pc.if_else(is_closed, pa.scalar(None, day.type), day)


def company_name(arrays: Arrays, _zone: str) -> pa.Array:
    name, is_person = arrays
    hidden = pc.fill_null(is_person, True)  # noqa: FBT003
    return pc.if_else(hidden, pa.scalar(None, pa.string()), empty_as_null(name))


# The values Salesforce ships with that say one of our kinds, and our own words.
kind: Final = _said(
    {
        "new": "new",
        "new customer": "new",
        "new business": "new",
        "renewal": "renewal",
        "existing customer - replacement": "renewal",
        "expansion": "expansion",
        "existing customer - upgrade": "expansion",
    }
)
direction: Final = _said({"inbound": "in", "in": "in", "outbound": "out", "out": "out"})
_ACTIVITY: Final = _said(
    {
        "call": "call",
        "email": "email",
        "listemail": "email",
        "meeting": "meeting",
        "event": "meeting",
        "linkedin": "message",
        "linkedinmessage": "message",
    }
)


def task_kind(arrays: Arrays, zone: str) -> pa.Array:
    """By subtype, which the service sets, then by type, which people choose."""
    found = [_ACTIVITY((array,), zone) for array in arrays]
    return pc.coalesce(*found, pa.scalar("task"))


def event_kind(arrays: Arrays, zone: str) -> pa.Array:
    found = [_ACTIVITY((array,), zone) for array in arrays]
    return pc.coalesce(*found, pa.scalar("meeting"))


_CANCELLED: Final = _said(
    dict.fromkeys(
        ("cancelled", "canceled", "deferred", "not held", "no show"), "cancelled"
    )
)


def task_status(arrays: Arrays, zone: str) -> pa.Array:
    is_closed, said = arrays
    closed = pc.if_else(is_closed, pa.scalar("held"), pa.scalar("open"))
    return pc.coalesce(_CANCELLED((said,), zone), closed)


def first_moment(arrays: Arrays, zone: str) -> pa.Array:
    """The first of several moments and days that is said."""
    return pc.coalesce(*(CONVERTERS["moment"]((array,), zone) for array in arrays))


def call_minutes(arrays: Arrays, _zone: str) -> pa.Array:
    return pc.divide(arrays[0].cast(pa.float64()), 60.0)


def opportunity_of(arrays: Arrays, _zone: str) -> pa.Array:
    """What an activity is about, where that is an opportunity: 006 begins its id."""
    is_opportunity = pc.starts_with(arrays[0], "006")
    return pc.if_else(is_opportunity, arrays[0], pa.scalar(None, pa.string()))
