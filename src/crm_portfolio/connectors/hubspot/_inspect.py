"""What does this set-up lack, and what of it ends on a day that is known?"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from crm_portfolio.connectors.hubspot import _paths
from crm_portfolio.connectors.hubspot._exports import EXPORT_SCOPE
from crm_portfolio.connectors.hubspot._fields import (
    OUR_PROPERTIES,
    SOURCES,
    RecordSource,
)
from crm_portfolio.connectors.hubspot._login import AccessToken, Login
from crm_portfolio.connectors.hubspot._metadata import SMALL, Portal
from crm_portfolio.connectors.hubspot._settings import HubSpotSettings
from crm_portfolio.connectors.hubspot._setup import property_of, shortcomings
from crm_portfolio.errors import RightMissingError
from crm_portfolio.protocols import Finding, FindingState
from crm_portfolio.schema import (
    HUMAN,
    MANAGED,
    ManagedField,
    TableName,
    WritableTable,
)

__all__ = ["findings"]

_SETUP: Final = "Run setup (crm-portfolio setup hubspot --apply): it creates it."


def findings(
    portal: Portal,
    sources: Mapping[TableName, Sequence[RecordSource]],
    settings: HubSpotSettings,
    login: Login,
) -> Iterator[Finding]:
    """One thing after the other; each kind of record costs two calls at most."""
    # Whoever has just mended something asks to see it.
    portal.refresh(anyway=True)
    for own in OUR_PROPERTIES:
        portal.forget(SOURCES[own][0].kind)
    yield from _dates(settings, login)
    is_all = settings.tables == "all"
    wanted = (*sources, *SMALL) if is_all else settings.named
    for table in wanted:
        is_asked_for = not is_all or table in ("account", "opportunity")
        lacking: FindingState = "missing" if is_asked_for else "warning"
        if table in SMALL:
            yield _small(portal, table, lacking)
        else:
            yield from _table(portal, table, sources[table], lacking)
    if settings.exports != "never":
        yield _export(portal, settings)
    for own in OUR_PROPERTIES:
        # Who does not pull a table writes nothing in it: accounts are always written.
        is_of_use = own == "account" or own in wanted
        told = list(_managed(portal, own)) if is_of_use else []
        yield from told
        if told:
            yield Finding(
                f"scope {_paths.write_scope(SOURCES[own][0].kind)}",
                "warning",
                "Whether the login has it shows at the first write only.",
            )


def _dates(settings: HubSpotSettings, login: Login) -> Iterator[Finding]:
    # vendor docs: announced ends.
    if settings.paths == "v3":
        mend = (
            "v4 (associations) ends on 30 March 2027 and v3 in September 2027: set "
            'paths = "2026-09" by then.'
        )
        yield Finding("API paths: v3 and v4", "warning", mend)
    else:
        mend = "A dated version is not supported any more after 18 months: March 2028."
        yield Finding(f"API paths: {settings.paths}", "good", mend)
    if isinstance(login, AccessToken):
        mend = (
            "Tokens of private apps keep working, but no new private app can be made "
            "since 26 October 2026: a new login is a service key."
        )
        yield Finding("log-in: AccessToken", "good", mend)
    else:
        yield Finding(f"log-in: {type(login).__name__}", "good")


def _small(portal: Portal, table: TableName, lacking: FindingState) -> Finding:
    try:
        rows = portal.small(table)
    except RightMissingError as error:
        return Finding(f"table {table}", lacking, f"{error.message}.")
    return Finding(f"table {table}: {rows.num_rows:,} rows", "good")


def _table(
    portal: Portal,
    table: TableName,
    sources: Sequence[RecordSource],
    lacking: FindingState,
) -> Iterator[Finding]:
    for source in sources:
        what = f"table {table}: {source.kind}"
        try:
            portal.must_be_readable(source.kind)
            known = portal.kinds(source.kind)
        except RightMissingError as error:
            yield Finding(what, lacking, f"{error.message}.")
            continue
        yield Finding(what, "good")
        for field in source.fields:
            absent = [name for name in field.sources if name not in known]
            is_ours = field.column in OUR_PROPERTIES.get(table, ())  # type: ignore[arg-type]
            if not absent or absent[0].startswith("$") or is_ours:
                continue
            state: FindingState = "missing" if field.is_required else "warning"
            told = f"column {table}.{field.column}: {source.kind}.{absent[0]}"
            mend = "The org has no such property, or this login may not read it."
            yield Finding(told, state, mend)


def _export(portal: Portal, settings: HubSpotSettings) -> Finding:
    what = f"scope {EXPORT_SCOPE}"
    if portal.may_export():
        return Finding(what, "good")
    if settings.exports == "always":
        return Finding(what, "missing", 'Grant it, or set exports = "never".')
    mend = "Without it the first load of a very large portal reads pages, which takes long."
    return Finding(what, "warning", mend)


def _managed(portal: Portal, table: WritableTable) -> Iterator[Finding]:
    kind = SOURCES[table][0].kind
    try:
        known = portal.definitions(kind)
    except RightMissingError as error:
        if table == "account":
            yield Finding(f"properties of {kind}", "missing", f"{error.message}.")
        return
    for field in (*MANAGED[table], *HUMAN[table]):
        name = property_of(field)
        if not _is_due(field, known):
            continue
        what = f"property {name}" + (" of deals" if table == "opportunity" else "")
        if name not in known:
            yield Finding(what, "missing", _SETUP)
            continue
        steps = list(shortcomings(field, known[name]))
        for step in steps:
            mend = step.needs.partition(": ")[2].capitalize()
            yield Finding(step.what, "missing", f"{mend}.")
        if not steps:
            yield Finding(what, "good")


def _is_due(field: ManagedField, known: Collection[str]) -> bool:
    """Whether it must be there: always, or since something asked for with it is."""
    if field.opt_in is None and field.table == "account":
        return True
    ours = MANAGED[field.table]
    together = (each for each in ours if field.opt_in in (None, each.opt_in))
    return any(property_of(each) in known for each in together)
