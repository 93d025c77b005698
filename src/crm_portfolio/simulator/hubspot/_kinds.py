"""Which kinds of object does a portal have, and how may they be linked?

vendor docs: an object type is named by its plural, its singular or its type id.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import attrs

__all__ = ["KINDS", "LINKS", "Kind", "LinkType", "kind_named"]


@attrs.frozen
class Kind:
    """One object type. ``stamp``: the property that says when a record last changed.

    ``scope`` is read and written as ``{scope}.read`` and ``{scope}.write``, but for the
    older scopes, which are one word for both.
    """

    name: str
    singular: str
    type_id: str
    scope: str
    stamp: str = "hs_lastmodifieddate"

    @property
    def label(self) -> str:
        """As exports and error messages spell it."""
        return self.singular.upper()

    def scope_to(self, act: Literal["read", "write"]) -> str:
        return f"{self.scope}.{act}" if "." in self.scope else self.scope


_ENGAGEMENTS: Final = (
    "crm.objects.contacts"  # unverified: engagements have no own scope
)
KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind("companies", "company", "0-2", "crm.objects.companies"),
        Kind(
            "contacts", "contact", "0-1", "crm.objects.contacts", "lastmodifieddate"
        ),
        Kind("deals", "deal", "0-3", "crm.objects.deals"),
        Kind("tickets", "ticket", "0-5", "tickets"),
        Kind("leads", "lead", "0-136", "crm.objects.leads"),
        Kind("invoices", "invoice", "0-53", "crm.objects.invoices"),
        Kind("commerce_payments", "commerce_payment", "0-101",
             "crm.objects.commercepayments"),
        Kind("line_items", "line_item", "0-8", "crm.objects.line_items"),
        Kind("products", "product", "0-7", "e-commerce"),
        Kind("calls", "call", "0-48", _ENGAGEMENTS),
        Kind("emails", "email", "0-49", "sales-email-read"),
        Kind("meetings", "meeting", "0-47", _ENGAGEMENTS),
        Kind("notes", "note", "0-46", _ENGAGEMENTS),
        Kind("tasks", "task", "0-27", _ENGAGEMENTS),
    )
}  # fmt: skip


@attrs.frozen
class LinkType:
    """One way to link a record to another.

    Attributes:
        name: What a list calls it inline.
        inverse: The type id of the way back.
        is_primary: Has a record at most one link of this type?
    """

    type_id: int
    label: str | None
    name: str
    category: Literal["HUBSPOT_DEFINED", "USER_DEFINED"] = "HUBSPOT_DEFINED"
    inverse: int = 0
    is_primary: bool = False


# vendor docs: deal to company 5 (primary) and 341, company to deal 6 and 342.
# unverified: 13 and 14 for parent and child, and the other numbers.
_NAMED: Final[Mapping[tuple[str, str], tuple[LinkType, ...]]] = {
    ("deals", "companies"): (
        LinkType(5, "Primary", "deal_to_company", inverse=6, is_primary=True),
        LinkType(341, None, "deal_to_company_unlabeled", inverse=342),
    ),
    ("companies", "deals"): (
        LinkType(6, "Primary", "company_to_deal", inverse=5),
        LinkType(342, None, "company_to_deal_unlabeled", inverse=341),
    ),
    ("contacts", "companies"): (
        LinkType(1, "Primary", "contact_to_company", inverse=2, is_primary=True),
        LinkType(279, None, "contact_to_company_unlabeled", inverse=280),
    ),
    ("companies", "contacts"): (
        LinkType(2, "Primary", "company_to_contact", inverse=1),
        LinkType(280, None, "company_to_contact_unlabeled", inverse=279),
    ),
    ("tickets", "companies"): (
        LinkType(26, "Primary", "ticket_to_company", inverse=25, is_primary=True),
        LinkType(339, None, "ticket_to_company_unlabeled", inverse=340),
    ),
    ("companies", "tickets"): (
        LinkType(25, "Primary", "company_to_ticket", inverse=26),
        LinkType(340, None, "company_to_ticket_unlabeled", inverse=339),
    ),
    ("companies", "companies"): (
        LinkType(13, "Child Company", "parent_to_child_company", inverse=14),
        LinkType(14, "Parent Company", "child_to_parent_company", inverse=13),
    ),
}


def _unlabelled() -> dict[tuple[str, str], tuple[LinkType, ...]]:
    """One plain link between any other two kinds; its numbers are invented."""
    made: dict[tuple[str, str], tuple[LinkType, ...]] = {}
    names = list(KINDS)
    for at, (one, other) in enumerate((a, b) for a in names for b in names if a < b):
        if (one, other) in _NAMED:
            continue
        there, back = 1001 + 2 * at, 1002 + 2 * at
        a, b = KINDS[one].singular, KINDS[other].singular
        made[one, other] = (LinkType(there, None, f"{a}_to_{b}", inverse=back),)
        made[other, one] = (LinkType(back, None, f"{b}_to_{a}", inverse=there),)
    return made


LINKS: Final[Mapping[tuple[str, str], tuple[LinkType, ...]]] = {
    **_unlabelled(),
    **_NAMED,
}

_ALIASES: Final = {
    alias: kind
    for kind in KINDS.values()
    for alias in (kind.name, kind.singular, kind.type_id)
}


def kind_named(name: str, more: Mapping[str, Kind] | None = None) -> Kind | None:
    """The kind of that name, singular or type id, however it is capitalised."""
    wanted = name.lower()
    for kind in (more or {}).values():
        if wanted in {kind.name.lower(), kind.singular.lower(), kind.type_id}:
            return kind
    return _ALIASES.get(wanted)
