"""What does a property's definition look like in a reply?

recorded: the keys and their order; what is only there for some properties.
"""

from __future__ import annotations

from typing import Any, Final

from crm_portfolio.simulator.hubspot._definitions import Option, Property
from crm_portfolio.simulator.hubspot._portal import Portal
from crm_portfolio.simulator.hubspot._values import choices

__all__ = ["USER_ID", "shown_property"]

USER_ID: Final = "88842095"  # who an app acts for
_SINCE: Final = "2019-08-06T02:41:46.048Z"


def shown_property(
    portal: Portal, kind: str, prop: Property, *, archived: bool = False
) -> dict[str, Any]:
    """The definition as the API tells it."""
    told: dict[str, Any] = {
        "updatedAt": prop.updated_at or _SINCE,
        "createdAt": prop.created_at or _SINCE,
        "name": prop.name,
        "label": prop.label,
        "type": prop.type,
        "fieldType": prop.field_type,
        "description": prop.description,
        "groupName": prop.group,
        "options": [
            _option(option, at)
            for at, option in enumerate(_options(portal, kind, prop))
        ],
        "displayOrder": prop.display_order,
        "calculated": prop.is_calculated,
        "externalOptions": prop.has_external_options,
        "hasUniqueValue": prop.has_unique_value,
        "hidden": prop.is_hidden,
        "modificationMetadata": _modification(prop),
        "formField": prop.is_in_forms,
        "dataSensitivity": "non_sensitive",
    }
    if prop.is_defined_by_hubspot:
        told["hubspotDefined"] = True
    if archived or not prop.is_defined_by_hubspot:
        told["archived"] = archived
    if prop.created_at is not None:
        told |= {"createdUserId": USER_ID, "updatedUserId": USER_ID}
    if prop.source in ("OWNER", "COMPANY"):
        told["referencedObjectType"] = prop.source
    if prop.is_money:
        told["showCurrencySymbol"] = True
    return told


def _options(portal: Portal, kind: str, prop: Property) -> tuple[Option, ...]:
    # recorded: the choices of owners are not listed.
    if prop.source == "OWNER":
        return ()
    return choices(portal, kind, prop) or ()


def _option(option: Option, at: int) -> dict[str, Any]:
    told = {"label": option.label, "value": option.value}
    if option.description:
        told["description"] = option.description
    return {**told, "displayOrder": at, "hidden": option.is_hidden}


def _modification(prop: Property) -> dict[str, bool]:
    is_own = prop.is_defined_by_hubspot
    told = {
        "archivable": True,
        "readOnlyDefinition": is_own and prop.is_fixed,
        "readOnlyValue": prop.is_read_only,
    }
    if prop.type == "enumeration" and prop.options:
        told["readOnlyOptions"] = is_own and prop.is_fixed
    return told
