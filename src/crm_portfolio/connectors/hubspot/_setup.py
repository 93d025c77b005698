"""Which properties does a portal lack, and how are they made?

A property that exists is never altered. What cannot be put right by adding is reported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors.hubspot import _paths
from crm_portfolio.connectors.hubspot._client import Client
from crm_portfolio.connectors.hubspot._fields import OUR_PROPERTIES, SOURCES
from crm_portfolio.connectors.hubspot._refusals import unreadable
from crm_portfolio.connectors.hubspot._validation import Definition, described
from crm_portfolio.errors import ConnectorError
from crm_portfolio.protocols import ProvisionStep
from crm_portfolio.schema import ManagedField, WritableTable

__all__ = ["GROUP", "property_of", "provisioned", "shortcomings"]

GROUP: Final = "crm_portfolio"
# What is said of a property is of companies, unless it says otherwise.
_OF: Final[Mapping[WritableTable, str]] = {"account": "", "opportunity": " of deals"}
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
    for table in dict.fromkeys(field.table for field in fields):
        own = [field for field in fields if field.table == table]
        yield from _Setup(client, table).steps(own, dry_run=dry_run)


@attrs.frozen
class _Setup:
    """What the records of one table lack."""

    client: Client
    table: WritableTable

    @property
    def kind(self) -> str:
        return SOURCES[self.table][0].kind

    @property
    def right(self) -> str:
        return f"crm.schemas.{self.kind}.write"

    def steps(
        self, fields: Sequence[ManagedField], *, dry_run: bool
    ) -> Iterator[ProvisionStep]:
        found = described(self.client, self.kind)
        yield self._group(has_group=GROUP in self._groups(), dry_run=dry_run)
        for field in fields:
            name = property_of(field)
            what = _what(field)
            if name in found:
                yield ProvisionStep(what, "present")
                yield from shortcomings(field, found[name])
            elif dry_run:
                yield ProvisionStep(what, "planned", self.right)
            else:
                yield from self._made(field)

    def _groups(self) -> set[str]:
        where = f"reading the property groups of {self.kind}"
        path = _paths.property_groups(self.kind)
        needs = _paths.schema(self.kind)
        body = self.client.get(path, where=where, needs=needs).body
        results = body.get("results") if isinstance(body, dict) else None
        if not isinstance(results, list):
            raise unreadable(where)
        return {str(entry.get("name")) for entry in results if isinstance(entry, dict)}

    def _group(self, *, has_group: bool, dry_run: bool) -> ProvisionStep:
        what = f"property group {GROUP}{_OF[self.table]}"
        if has_group:
            return ProvisionStep(what, "present")
        if dry_run:
            return ProvisionStep(what, "planned", self.right)
        body = {"name": GROUP, "label": "Portfolio", "displayOrder": -1}
        path = _paths.property_groups(self.kind)
        is_new = self._posted(path, body, f"creating the {what}")
        return ProvisionStep(
            what, "done" if is_new else "present", self.right if is_new else ""
        )

    def _made(self, field: ManagedField) -> Iterator[ProvisionStep]:
        name, what = property_of(field), _what(field)
        path = _paths.properties(self.kind)
        if self._posted(path, _body(field), f"creating the {what}"):
            yield ProvisionStep(what, "done", self.right)
            return
        # Someone made it in the meantime: it is looked at like any other.
        yield ProvisionStep(what, "present")
        anew = described(self.client, self.kind)
        if name in anew:
            yield from shortcomings(field, anew[name])

    def _posted(self, path: _paths.Path, body: Any, where: str) -> bool:
        """Whether it was made; False if the name is taken. One attempt: twice is too often."""
        try:
            self.client.post(path, body, where=where, needs=self.right, once=True)
        except ConnectorError as error:
            if error.code not in _assumptions.EXISTING_PROPERTY_CODES:
                raise
            return False
        return True


def property_of(field: ManagedField) -> str:
    """What it is called in HubSpot."""
    return OUR_PROPERTIES[field.table][field.column]


def _what(field: ManagedField) -> str:
    return f"property {property_of(field)}{_OF[field.table]}"


def _body(field: ManagedField) -> dict[str, Any]:
    kind, form = _TYPES[field.type]
    body: dict[str, Any] = {
        "groupName": GROUP,
        "name": property_of(field),
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
    name, wanted = property_of(field), _TYPES[field.type][0]
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
