"""How do I reach a source by its name?

The registry holds import strings, so that choosing one source loads no other. A package
of someone else's adds a source by an entry point of the group
``crm_portfolio.connectors``: a class or function called with the keywords of `connect`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from crm_portfolio.errors import SettingsError, did_you_mean

if TYPE_CHECKING:
    from crm_portfolio.connectors.files import FilesSettings
    from crm_portfolio.connectors.hubspot import HubSpotSettings
    from crm_portfolio.connectors.salesforce import SalesforceSettings
    from crm_portfolio.connectors.warehouse import (
        LayoutName,
        Warehouse,
        WarehouseSettings,
    )
    from crm_portfolio.protocols import Connector, Source

__all__ = ["connect"]

GROUP = "crm_portfolio.connectors"
REGISTRY: Mapping[str, str] = {
    "files": "crm_portfolio.connectors.files:Files",
    "hubspot": "crm_portfolio.connectors.hubspot:HubSpot",
    "salesforce": "crm_portfolio.connectors.salesforce:Salesforce",
    "warehouse": "crm_portfolio.connectors.warehouse:Warehouse",
}


@overload
def connect(
    name: Literal["files"],
    folder: str | Path,
    *,
    dialect: str | None = None,
    settings: FilesSettings | None = None,
) -> Source: ...
@overload
def connect(
    name: Literal["hubspot"],
    *,
    settings: HubSpotSettings | None = None,
    environment: Mapping[str, str] | None = None,
) -> Connector: ...
@overload
def connect(
    name: Literal["salesforce"],
    *,
    settings: SalesforceSettings | None = None,
    environment: Mapping[str, str] | None = None,
) -> Connector: ...
@overload
def connect(
    name: Literal["warehouse"],
    folder: object,
    *,
    layout: LayoutName | None = None,
    settings: WarehouseSettings | None = None,
) -> Warehouse: ...
@overload
def connect(
    name: str,
    folder: object | None = None,
    *,
    dialect: str | None = None,
    layout: str | None = None,
    settings: Any = None,
    environment: Mapping[str, str] | None = None,
) -> Any: ...
def connect(
    name: str,
    folder: object | None = None,
    *,
    dialect: str | None = None,
    layout: str | None = None,
    settings: Any = None,
    environment: Mapping[str, str] | None = None,
) -> Any:
    """The CRM, folder or replica of that name; the log-in comes from the environment.

    Args:
        folder: Where the files are, for ``files``; for ``warehouse`` the replica: a
            DuckDB file, a folder of Parquet files, or a DuckDB or Ibis connection.
        dialect: Whose headers the files have; None: guessed, and the guess is shown.
        layout: Who laid the replica down, such as ``fivetran-salesforce``.
        settings: The source's own settings class.
        environment: Where the log-in is looked for instead of the process's own, for
            whoever reaches several orgs.

    Raises:
        SettingsError: No such source, or it does not take these arguments.
    """
    source = _registered(name)
    given = {
        key: value
        for key, value in (
            ("folder", folder),
            ("dialect", dialect),
            ("layout", layout),
            ("settings", settings),
            ("environment", environment),
        )
        if value is not None
    }
    try:
        inspect.signature(source).bind(**given)
    except TypeError as error:
        raise SettingsError(f"connect({name!r}): {error}") from error
    return source(**given)


def _registered(name: str) -> Any:
    from importlib.metadata import EntryPoint, entry_points

    if name in REGISTRY:
        return EntryPoint(name, REGISTRY[name], GROUP).load()
    others = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name in others:
        return others[name].load()
    known = sorted({*REGISTRY, *others})
    hint = did_you_mean(name, known) or f"; there is {', '.join(known)}"
    raise SettingsError(f"no source is called {name!r}{hint}")
