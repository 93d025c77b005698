"""What does a write say of a record, and what does its reply show?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crm_portfolio.simulator.hubspot._pages import always, page_in_the_app
from crm_portfolio.simulator.hubspot._portal import STAMPS, Portal, Values
from crm_portfolio.simulator.hubspot._refusal import Refusal
from crm_portfolio.simulator.hubspot._time import iso

__all__ = ["check_key", "check_unique", "linked", "properties_of", "rendered"]


def properties_of(body: Any) -> Mapping[str, Any]:
    """The values that a write gives."""
    given = body.get("properties") if isinstance(body, Mapping) else None
    if not isinstance(given, Mapping):
        raise Refusal('Some required fields were not set: ["properties"]')
    return given


def check_key(portal: Portal, kind: str, key: str, *, act: str) -> None:
    """Refuse to find records by a property whose values are not unique."""
    prop = portal.properties(kind).get(key)
    if key == "hs_object_id" or prop is None or not prop.has_unique_value:
        # seen in an issue of another client: the words
        type_id = portal.kinds[kind].type_id
        raise Refusal(
            f"Unable to perform {act} by non-unique {type_id} property: {key}"
        )


def check_unique(
    portal: Portal, kind: str, texts: Values, record_id: int | None
) -> None:
    """Refuse a value that another record has, where values are unique."""
    known = portal.properties(kind)
    for name, value in texts.items():
        if value is None or not known[name].has_unique_value:
            continue
        holder = portal.holders(kind, name, [value]).get(value, record_id)
        if holder != record_id:
            # unverified: the words
            message = f"{known[name].label} already exists. Existing ID: {holder}"
            raise Refusal(message, category="CONFLICT", status=409)


def linked(portal: Portal, kind: str, record_id: int, links: Any) -> None:
    """Link a new record as its request says.

    vendor docs: ``[{"to": {"id"}, "types": [{"associationCategory", "associationTypeId"}]}]``.
    """
    for link in links:
        numbers = {int(each["associationTypeId"]) for each in link["types"]}
        for other in portal.kinds:
            for known in portal.links.types(kind, other):
                if known.type_id in numbers:
                    portal.associate(
                        kind, record_id, other, int(link["to"]["id"]), known
                    )


def rendered(
    portal: Portal, kind: str, written: Mapping[int, Values]
) -> dict[int, dict[str, Any]]:
    """Records as a write's reply shows them, by id.

    recorded: what was sent, what the default reply has, and what HubSpot calculates.
    """
    known = portal.properties(kind)
    own = {
        name
        for name, prop in known.items()
        if prop.is_default or prop.is_read_only or prop.is_echoed
    }
    stamps, place = always(portal, kind), page_in_the_app(portal, kind)
    return {
        record_id: {
            "id": str(record_id),
            "properties": _values(record, own, written[record_id], stamps),
            "createdAt": iso(record["$created"]),
            "updatedAt": iso(record["$updated"]),
            "archived": bool(record["$archived"]),
            "url": f"{place}/{record_id}",
        }
        for record_id, record in portal.records(kind, written).items()
    }


def _values(
    record: Mapping[str, Any], own: set[str], sent: Values, stamps: tuple[str, ...]
) -> dict[str, str | None]:
    shown = {
        name: value
        for name, value in record.items()
        if name in sent or (name in own and value is not None)
    }
    for name in stamps:
        moment = record[STAMPS[name]]
        shown[name] = str(moment) if name == "hs_object_id" else iso(moment)
    return dict(sorted(shown.items()))
