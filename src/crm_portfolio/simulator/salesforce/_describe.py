"""What does describe say of an object, and of all of them?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from crm_portfolio.simulator.salesforce._metadata import Field, FieldType, SObject

__all__ = ["described", "listed"]

_SOAP_TYPES: Final[Mapping[FieldType, str]] = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "boolean": "xsd:boolean",
    "int": "xsd:int",
    "double": "xsd:double",
    "currency": "xsd:double",
    "percent": "xsd:double",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "address": "urn:address",
    "anyType": "xsd:anyType",
}
_FIELD: Final[Mapping[str, Any]] = {
    "aiPredictionField": False,
    "autoNumber": False,
    "calculated": False,
    "calculatedFormula": None,
    "cascadeDelete": False,
    "caseSensitive": False,
    "compoundFieldName": None,
    "controllerName": None,
    "defaultValueFormula": None,
    "dependentPicklist": False,
    "deprecatedAndHidden": False,
    "displayLocationInDecimal": False,
    "encrypted": False,
    "externalId": False,
    "extraTypeInfo": None,
    "filteredLookupInfo": None,
    "formulaTreatNullNumberAsZero": False,
    "highScaleNumber": False,
    "htmlFormatted": False,
    "inlineHelpText": None,
    "mask": None,
    "maskType": None,
    "namePointing": False,
    "polymorphicForeignKey": False,
    "queryByDistance": False,
    "referenceTargetField": None,
    "relationshipOrder": None,
    "restrictedDelete": False,
    "searchPrefilterable": False,
    "unique": False,
    "writeRequiresMasterRead": False,
}
_OBJECT: Final[Mapping[str, Any]] = {
    "activateable": False,
    "associateEntityType": None,
    "associateParentEntity": None,
    "custom": False,
    "customSetting": False,
    "deepCloneable": False,
    "deprecatedAndHidden": False,
    "feedEnabled": False,
    "hasSubtypes": False,
    "isInterface": False,
    "isSubtype": False,
    "layoutable": True,
    "mergeable": False,
    "mruEnabled": False,
    "queryable": True,
    "replicateable": True,
    "retrieveable": True,
    "searchable": True,
    "triggerable": True,
}
_DESCRIBE: Final[Mapping[str, Any]] = {
    "actionOverrides": [],
    "childRelationships": [],
    "compactLayoutable": False,
    "defaultImplementation": None,
    "extendedBy": None,
    "extendsInterfaces": None,
    "implementedBy": None,
    "implementsInterfaces": None,
    "listviewable": None,
    "lookupLayoutable": None,
    "namedLayoutInfos": [],
    "networkScopeFieldName": None,
    "recordTypeInfos": [],
    "searchLayoutable": False,
    "sobjectDescribeOption": "FULL",
    "supportedScopes": [],
}


def described(
    entity: SObject,
    fields: Iterable[tuple[Field, bool]],
    below: Iterable[tuple[SObject, Field]],
    *,
    version: str,
) -> dict[str, Any]:
    """The describe of an object whose visible fields come with "may be edited".

    Args:
        below: The objects that point at it, and by which field.
    """
    return {
        **listed(entity, version=version),
        **_DESCRIBE,
        "childRelationships": [_child(child, link) for child, link in below],
        "fields": [_field(entity, field, may_edit=edit) for field, edit in fields],
    }


def _child(child: SObject, link: Field) -> dict[str, Any]:
    return {
        "cascadeDelete": link.cascades,
        "childSObject": child.name,
        "deprecatedAndHidden": False,
        "field": link.name,
        "junctionIdListNames": [],
        "junctionReferenceTo": [],
        "relationshipName": link.children or None,
        "restrictedDelete": False,
    }


def listed(entity: SObject, *, version: str) -> dict[str, Any]:
    """The object's entry in the list of all."""
    root = f"/services/data/{version}/sobjects/{entity.name}"
    return {
        **_OBJECT,
        "createable": "c" in entity.abilities,
        "updateable": "u" in entity.abilities,
        "deletable": "d" in entity.abilities,
        "undeletable": entity.can_come_back,
        "mergeable": "m" in entity.abilities,
        "custom": entity.name.endswith("__c"),
        "keyPrefix": entity.prefix,
        "label": entity.label,
        "labelPlural": entity.plural,
        "name": entity.name,
        "urls": {
            "rowTemplate": root + "/{ID}",
            "describe": root + "/describe",
            "sobject": root,
        },
    }


def _field(entity: SObject, field: Field, *, may_edit: bool) -> dict[str, Any]:
    is_text = field.sql_type == "VARCHAR" and field.is_stored
    # Observed in recorded describes: ids count 18 bytes, other text three a character.
    width = 1 if field.type in ("id", "reference") else 3
    return {
        **_FIELD,
        "name": field.name,
        "label": field.label,
        "type": field.type,
        "soapType": _SOAP_TYPES.get(field.type, "xsd:string"),
        "length": field.length if is_text else 0,
        "byteLength": field.length * width if is_text else 0,
        "digits": field.length if field.type == "int" else 0,
        "precision": field.precision,
        "scale": field.scale,
        "nillable": field.is_nillable,
        "createable": field.is_createable and may_edit and "c" in entity.abilities,
        "updateable": field.is_updateable and may_edit and "u" in entity.abilities,
        "defaultedOnCreate": field.is_defaulted,
        "defaultValue": False if field.type == "boolean" else None,
        "custom": field.is_custom,
        "nameField": field.is_name,
        "idLookup": field.is_key,
        "externalId": field.is_external_id,
        "unique": field.is_unique,
        "calculated": field.is_calculated,
        "namePointing": len(field.refers_to) > 1,
        "polymorphicForeignKey": len(field.refers_to) > 1,
        "queryByDistance": field.type == "address",
        "permissionable": field.is_custom
        or (field.is_nillable and field.is_updateable),
        "filterable": field.may_filter or field.type == "address",
        "sortable": field.may_filter and field.type != "address",
        "groupable": field.may_group,
        "aggregatable": field.may_aggregate,
        "restrictedPicklist": field.is_restricted,
        "picklistValues": [
            {
                "active": value not in field.inactive,
                "defaultValue": False,
                "label": value,
                "validFor": None,
                "value": value,
            }
            for value in field.values
        ],
        "referenceTo": sorted(field.refers_to),
        "relationshipName": field.relationship or None,
    }
