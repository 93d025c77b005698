"""Which orgs does the nightly job visit, and what holds for one of them only?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from crm_portfolio.archive import address_of, is_address
from crm_portfolio.errors import SettingsError, did_you_mean

__all__ = ["OWN", "SyncSettings", "of_org", "orgs_of", "with_sync"]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_VARIABLES: Final = re.compile(r"[A-Z][A-Z0-9_]*")
_CONNECTOR: Final = re.compile(r"[a-z][a-z0-9_-]{0,40}")


def _is_prefix(_: object, __: attrs.Attribute[str], value: str) -> None:
    if value and not _VARIABLES.fullmatch(value):
        raise SettingsError(
            "sync.environment is what the names of an org's log-in variables begin with, "
            f"such as 'EUROPE_', not {value!r}"
        )


def _is_connector(_: object, __: attrs.Attribute[str], value: str) -> None:
    if value and not _CONNECTOR.fullmatch(value):  # not shown: it may be anything
        raise SettingsError(
            "sync.crm is the name of a connector in small letters, such as salesforce"
        )


@attrs.frozen
class SyncSettings:
    """What the nightly job needs to know of one org.

    Attributes:
        org: Its name in the file; empty where the file has one org only.
        crm: ``salesforce``, ``hubspot``, or a connector of your own.
        org_id: The org that the log-in must reach; empty: the one in the folder, once
            there is one.
        environment: The org's log-in variables begin with this, so that one job can reach
            several orgs: ``EUROPE_`` looks for ``EUROPE_HUBSPOT_ACCESS_TOKEN``.
        folder: Where the pulled books are kept, each org in a folder of its name.
        archive: Where plans, journals and locks are kept: a folder, or an address in a
            store such as ``s3://bucket/crm``.
        summary: A file that is written anew after each run, for monitoring; each org has
            its name in it. Empty: none.
        analyses: Which results are written; empty: all that assign a field.

    Paths are those of the settings file: ``book`` is beside it.
    """

    org: str = ""
    crm: str = attrs.field(default="", validator=_is_connector)
    org_id: str = ""
    environment: str = attrs.field(default="", validator=_is_prefix)
    folder: str = "book"
    archive: str = "archive"
    summary: str = ""
    analyses: tuple[str, ...] = attrs.field(default=(), converter=tuple)

    def beside(self, file: Path) -> SyncSettings:
        """The same, with paths from where the settings file is."""
        for name in ("folder", "summary"):
            if "://" in getattr(self, name):
                raise SettingsError(
                    f"sync.{name} is a folder of this machine, not an address"
                )
        here, there = file.parent, self.archive
        return attrs.evolve(
            self,
            folder=str(here / self.folder),
            archive=str(address_of(there if is_address(there) else here / there)),
            summary=str(here / self.summary) if self.summary else "",
        )


OWN: Final = frozenset(field.name for field in attrs.fields(SyncSettings)) - {"org"}
"""What may stand right in an org's table, as if it were in its ``sync``."""


def with_sync(path: tuple[str, ...]) -> tuple[str, ...]:
    """Where the setting is that stands at this place of an org's table."""
    return ("sync", *path) if path[0] in OWN else path


def orgs_of(written: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """The orgs in a file, each with what is written of it.

    Raises:
        SettingsError: ``[orgs]`` is no table of tables, or a name cannot be a folder's.
    """
    orgs: Any = written.get("orgs", {})
    is_table = isinstance(orgs, Mapping)
    if not is_table or not all(isinstance(own, Mapping) for own in orgs.values()):
        raise SettingsError(
            "[orgs] holds one table for each org, such as [orgs.europe]"
        )
    for name in orgs:
        if not _NAME.fullmatch(name):
            raise SettingsError(
                f"[orgs.{name}]: an org's name is up to 64 letters, digits, - and _, "
                "because a folder is called so"
            )
    return dict(orgs)


def of_org(written: Mapping[str, Any], org: str | None, file: str) -> Mapping[str, Any]:
    """The file as if it were written for this org alone."""
    orgs = orgs_of(written)
    shared = {key: value for key, value in written.items() if key != "orgs"}
    if org is None:
        return shared
    if org not in orgs:
        known = ", ".join(orgs) or "none"
        hint = did_you_mean(org, orgs) or f"; there is {known}"
        raise SettingsError(f"{file} has no org {org!r}{hint}")
    own = dict(orgs[org])
    sync = {"org": org} | {key: own.pop(key) for key in OWN & own.keys()}
    common = shared.get("sync", {})
    if "folder" not in sync and isinstance(common, Mapping):
        # One org's book never lies in another's folder.
        sync["folder"] = f"{common.get('folder', SyncSettings().folder)}/{org}"
    return _laid_over(_laid_over(shared, {"sync": sync}), own)


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Table by table, what stands above; the rest from below."""
    found = dict(below)
    for key, value in above.items():
        old = found.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            value = _laid_over(old, value)  # noqa: PLW2901 - one table of two
        found[key] = value
    return found
