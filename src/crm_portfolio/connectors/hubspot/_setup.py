"""Which properties does a portal lack, and how are they made?

A property that exists is never altered. What cannot be put right by adding is reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors.hubspot import _paths
from crm_portfolio.connectors.hubspot._client import Client
from crm_portfolio.connectors.hubspot._fields import COMPANY_PROPERTIES
from crm_portfolio.connectors.hubspot._refusals import unreadable
from crm_portfolio.connectors.hubspot._validation import Definition, described
from crm_portfolio.errors import ConnectorError
from crm_portfolio.protocols import ProvisionStep
from crm_portfolio.schema import ManagedField

__all__ = ["GROUP", "provisioned", "shortcomings"]

GROUP: Final = "crm_portfolio"
_KIND: Final = "companies"
_RIGHT: Final = "crm.schemas.companies.write"
_BY_HAND: Final = "by hand: rename or archive the property, then run setup again"
# Our type → HubSpot's type and the form field it takes.
_TYPES: Final[Mapping[str, tuple[str, str]]] = {
    "code": ("enumeration", "select"),
    "day": ("date", "date"),
    "integer": ("number", "number"),
    "share": ("number", "number"),
    "text": ("string", "text"),
}


def provisioned(
    client: Client, fields: Sequence[ManagedField], *, dry_run: bool
) -> Iterator[ProvisionStep]:
    """Each thing found, planned or done, in the order in which they build on each other."""
    found = described(client, _KIND)
    groups = _groups(client)
    yield _group_step(client, has_group=GROUP in groups, dry_run=dry_run)
    for field in fields:
        name = COMPANY_PROPERTIES[field.column]
        if name in found:
            yield ProvisionStep(f"property {name}", "present")
            yield from shortcomings(field, found[name])
        elif dry_run:
            yield ProvisionStep(f"property {name}", "planned", _RIGHT)
        else:
            yield from _made(client, field)


def _groups(client: Client) -> set[str]:
    where = f"reading the property groups of {_KIND}"
    path = _paths.property_groups(_KIND)
    body = client.get(path, where=where, needs=_paths.schema(_KIND)).body
    results = body.get("results") if isinstance(body, dict) else None
    if not isinstance(results, list):
        raise unreadable(where)
    return {str(entry.get("name")) for entry in results if isinstance(entry, dict)}


def _group_step(client: Client, *, has_group: bool, dry_run: bool) -> ProvisionStep:
    what = f"property group {GROUP}"
    if has_group:
        return ProvisionStep(what, "present")
    if dry_run:
        return ProvisionStep(what, "planned", _RIGHT)
    body = {"name": GROUP, "label": "Portfolio", "displayOrder": -1}
    is_new = _posted(
        client, _paths.property_groups(_KIND), body, f"creating the {what}"
    )
    return ProvisionStep(
        what, "done" if is_new else "present", _RIGHT if is_new else ""
    )


def _made(client: Client, field: ManagedField) -> Iterator[ProvisionStep]:
    name = COMPANY_PROPERTIES[field.column]
    what = f"property {name}"
    if _posted(client, _paths.properties(_KIND), _body(field), f"creating the {what}"):
        yield ProvisionStep(what, "done", _RIGHT)
        return
    # Someone made it in the meantime: it is looked at like any other.
    yield ProvisionStep(what, "present")
    anew = described(client, _KIND)
    if name in anew:
        yield from shortcomings(field, anew[name])


def _posted(client: Client, path: _paths.Path, body: Any, where: str) -> bool:
    """Whether it was made; False if the name is taken. One attempt: twice is once too often."""
    try:
        client.post(path, body, where=where, needs=_RIGHT, once=True)
    except ConnectorError as error:
        if error.code not in _assumptions.EXISTING_PROPERTY_CODES:
            raise
        return False
    return True


def _body(field: ManagedField) -> dict[str, Any]:
    kind, form = _TYPES[field.type]
    body: dict[str, Any] = {
        "groupName": GROUP,
        "name": COMPANY_PROPERTIES[field.column],
        "label": field.label,
        "description": field.meaning,
        "type": kind,
        "fieldType": form,
        "formField": False,
        "hasUniqueValue": False,
    }
    if kind == "enumeration":
        body["options"] = [
            {"label": choice, "value": choice, "displayOrder": place, "hidden": False}
            for place, choice in enumerate(field.choices)
        ]
    return body


def shortcomings(field: ManagedField, found: Definition) -> Iterator[ProvisionStep]:
    """What only an administrator can mend, because a property that exists is never altered."""
    name, wanted = COMPANY_PROPERTIES[field.column], _TYPES[field.type][0]
    accepted = {wanted, "string"} if field.type == "code" else {wanted}
    if found.type not in accepted:
        what = f"{name} has type {found.type}, not {wanted}"
        yield ProvisionStep(what, "planned", _BY_HAND)
    elif found.is_read_only:
        needs = "by hand: make its value editable"
        yield ProvisionStep(f"{name} can be written", "planned", needs)
    elif found.options is not None:
        for choice in field.choices:
            if choice not in found.options:
                needs = "by hand: add it to the property's options"
                yield ProvisionStep(f"option {choice!r} of {name}", "planned", needs)
