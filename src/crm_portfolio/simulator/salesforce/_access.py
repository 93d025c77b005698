"""What may the running user do and see?

Rights are named as in the setup pages. A field that needs a grant is invisible, and so
cannot be told from a missing one, until a permission set assigned to the user shows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.simulator._store import Store
from crm_portfolio.simulator.salesforce._metadata import Catalogue, Field, SObject
from crm_portfolio.simulator.salesforce._refusal import Refusal

__all__ = ["Access"]

_GRANTS = """
    SELECT f."SobjectType", f."Field",
           bool_or(f."PermissionsRead"), bool_or(f."PermissionsEdit")
    FROM "FieldPermissions" AS f
    JOIN "PermissionSetAssignment" AS a ON a."PermissionSetId" = f."ParentId"
    WHERE a."AssigneeId" = ? GROUP BY ALL
"""
_SETUP: Final = "View Setup and Configuration"
_SETS: Final = "Manage Profiles and Permission Sets"
_ASSIGN: Final = "Assign Permission Sets"
# vendor docs: of permission sets and what is in them. unverified: of the others.
_SETUP_OBJECTS: Final = (
    *("FieldPermissions", "PermissionSet", "PermissionSetAssignment"),
    *("Organization", "OpportunityStage", "User", "CurrencyType"),
    "DatedConversionRate",
)
# vendor docs: who is granted one right has these with it; history follows its object.
_WITH_IT: Final[Mapping[str, tuple[str, ...]]] = {
    _SETUP: tuple(f"Read {name}" for name in _SETUP_OBJECTS),
    "Customize Application": (_SETUP,),
    _SETS: (
        _SETUP,
        *(
            f"{verb} {name}"
            for verb in ("Create", "Edit", "Delete")
            for name in ("FieldPermissions", "PermissionSet")
        ),
    ),
    _ASSIGN: ("Create PermissionSetAssignment", "Delete PermissionSetAssignment"),
    "Read Account": ("Read AccountHistory",),
    "Read Opportunity": ("Read OpportunityHistory", "Read OpportunityFieldHistory"),
}


class Access:
    """The rights of one user; all of them until one is revoked."""

    def __init__(self, store: Store, catalogue: Catalogue, user_id: str) -> None:
        self._store = store
        self._catalogue = catalogue
        self._user_id = user_id
        self._revoked: set[str] = set()
        self._seen: dict[str, Mapping[str, Field]] = {}
        self._granted: dict[tuple[str, str], tuple[bool, bool]] = {}

    @property
    def rights(self) -> tuple[str, ...]:
        """Every right that can be revoked."""
        on_objects = (
            f"{verb} {entity.name}"
            for entity in self._catalogue.all()
            for verb in ("Read", "View All", "Create", "Edit", "Delete")
        )
        return (
            "API Enabled",
            "Access the identity URL service",
            "View All Data",
            _SETUP,
            "Customize Application",
            _SETS,
            _ASSIGN,
            *on_objects,
        )

    def revoke(self, right: str) -> None:
        self._must_be_known(right)
        self._revoked.add(right)
        self.look_again()

    def keep_only(self, rights: Iterable[str]) -> None:
        kept, waiting = set[str](), list(rights)
        for right in waiting:
            self._must_be_known(right)
        while waiting:
            right = waiting.pop()
            kept.add(right)
            waiting += _WITH_IT.get(right, ())
        self._revoked = set(self.rights) - kept
        self.look_again()

    def _must_be_known(self, right: str) -> None:
        if right not in self.rights:
            raise SettingsError(
                f"no right is called {right!r}{did_you_mean(right, self.rights)}"
            )

    def may(self, right: str) -> bool:
        return right not in self._revoked

    def demand(self, right: str, code: str) -> None:
        """Refuse unless the user has an administrator's right."""
        if not self.may(right):
            # unverified: the service's message names no right, its code varies.
            message = "insufficient access rights on cross-reference id"
            raise Refusal(code, message, status=403)

    def look_again(self) -> None:
        """Forget what was seen: fields, permission sets or rights have changed."""
        found = self._store.rows(_GRANTS, [self._user_id])
        self._granted = {(o, f): (bool(read), bool(edit)) for o, f, read, edit in found}
        self._seen.clear()

    def fields(self, name: str) -> Mapping[str, Field] | None:
        """The object's readable fields by lower-case name; None: it is not readable."""
        if not self._may_read(name):
            return None
        if name not in self._seen:
            entity = self._catalogue.object(name)
            self._seen[name] = {
                field.name.lower(): field
                for field in entity.fields.values()
                if self._grant(entity, field)[0]
            }
        return self._seen[name]

    def sees_all(self, name: str) -> bool:
        """Whether records of others are seen, in an org that shares with nobody."""
        return self.may("View All Data") or self.may(f"View All {name}")

    def _may_read(self, name: str) -> bool:
        if name in _SETUP_OBJECTS and not self.may(_SETUP):
            return False
        return self.may(f"Read {name}")

    def may_edit(self, entity: SObject, field: Field) -> bool:
        return self._grant(entity, field)[1]

    def as_seen(self, entity: SObject) -> SObject:
        """The object with the abilities that the user's rights leave it."""
        verbs = {"c": "Create", "u": "Edit", "d": "Delete"}
        kept = (
            ability
            for ability in entity.abilities
            if ability not in verbs or self.may(f"{verbs[ability]} {entity.name}")
        )
        return attrs.evolve(entity, abilities="".join(kept))

    def _grant(self, entity: SObject, field: Field) -> tuple[bool, bool]:
        if not field.needs_grant:
            return True, True
        return self._granted.get(
            (entity.name, f"{entity.name}.{field.name}"), (False, False)
        )
