"""What does this set-up lack, and what of it ends on a day that is known?"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from crm_portfolio.connectors import _assumptions
from crm_portfolio.connectors.salesforce._catalogue import CHANGE, RATE
from crm_portfolio.connectors.salesforce._fields import (
    LEAST_DECIMALS,
    OBJECTS,
    OUR_FIELDS,
    lacking_decimals,
)
from crm_portfolio.connectors.salesforce._login import Login
from crm_portfolio.connectors.salesforce._loss_reason import candidates
from crm_portfolio.connectors.salesforce._rates import RatesLeg
from crm_portfolio.connectors.salesforce._rest import Query
from crm_portfolio.connectors.salesforce._rights import IDENTITY
from crm_portfolio.connectors.salesforce._settings import SalesforceSettings
from crm_portfolio.connectors.salesforce._tables import Tables
from crm_portfolio.errors import (
    FieldNotFoundError,
    RightMissingError,
    SettingsError,
)
from crm_portfolio.protocols import Finding, FindingState
from crm_portfolio.schema import (
    HUMAN,
    MANAGED,
    ManagedField,
    TableName,
    WritableTable,
)

__all__ = ["findings"]

# vendor docs: versions 21 to 30 are retired; 31 to 40 end in Summer '28.
_FIRST_ALIVE: Final = 31
_FIRST_LASTING: Final = 41
_FIRST_WITH_BULK: Final = 47
_SETUP: Final = (
    "Run setup (crm-portfolio setup salesforce --apply): it creates the field and "
    "grants this login the right to it."
)


def findings(
    tables: Tables, settings: SalesforceSettings, login: Login
) -> Iterator[Finding]:
    """One thing after the other; each object is described or counted, a call each."""
    yield from _dates(settings, login)
    wanted = _asked_for(tables, settings)
    for table in wanted:
        is_asked_for = settings.tables != "all" or table == "account"
        yield from _table(tables, table, "missing" if is_asked_for else "warning")
    yield from _in_sight(tables, settings)
    yield from _loss_reason(tables, settings)
    for own in OUR_FIELDS:
        # Who does not pull a table writes nothing in it: accounts are always written.
        if own == "account" or own in wanted:
            yield from _managed(tables, own)
    yield _identity(tables)


def _dates(settings: SalesforceSettings, login: Login) -> Iterator[Finding]:
    number = int(float(settings.api_version))
    what = f"API version {settings.api_version}"
    if number < _FIRST_ALIVE:
        yield Finding(what, "missing", "It is retired: set api_version, like 66.0.")
    elif number < _FIRST_LASTING:
        mend = (
            "Versions 31 to 40 are not supported from Summer '27 on and retired in "
            "Summer '28: set api_version, like 66.0."
        )
        yield Finding(what, "warning", mend)
    else:
        yield Finding(what, "good")
    retires = getattr(login, "retires", "")
    if retires:
        mend = str(retires)[:1].upper() + str(retires)[1:] + "."
        yield Finding(f"log-in: {type(login).__name__}", "warning", mend)
    elif not login.is_renewable:
        mend = "It cannot be renewed: for a nightly job take client credentials or JWT."
        yield Finding(f"log-in: {type(login).__name__}", "warning", mend)
    if settings.bulk != "never" and number < _FIRST_WITH_BULK:
        mend = (
            f"It has no Bulk queries: set api_version to {_FIRST_WITH_BULK}.0 or later."
        )
        yield Finding("Bulk API 2.0", "warning", mend)


def _asked_for(tables: Tables, settings: SalesforceSettings) -> tuple[TableName, ...]:
    catalogue = tables.catalogue
    wanted = catalogue.mapped if settings.tables == "all" else tuple(settings.tables)
    own = tuple(name for name in catalogue.objects if name in settings.objects)
    return tuple(dict.fromkeys((*wanted, *own)))


def _table(
    tables: Tables, table: TableName, lacking: FindingState
) -> Iterator[Finding]:
    try:
        columns = tables.catalogue.columns(tables.rest, table)
        if table == RATE:
            rates = next(RatesLeg(tables.rest, columns).whole()).rows
            yield Finding(f"table {table}: {len(rates)} rates", "good")
            return
        _must_be_countable(tables, table)
    except FieldNotFoundError as error:
        yield Finding(f"table {table}: field {error.field}", "missing", error.hint)
        return
    except RightMissingError as error:
        yield Finding(f"table {table}", lacking, f"{error.message}.")
        return
    except SettingsError as error:
        yield Finding(f"table {table}", "missing", str(error))
        return
    yield Finding(f"table {table}: {len(columns)} columns", "good")
    yield from _hidden(tables, table, columns)


def _must_be_countable(tables: Tables, table: TableName) -> None:
    """Objects whose fields never vary are not described, so they are asked for."""
    for part in tables.catalogue.objects.get(table, ()):
        if part.kinds is not None:
            tables.rest.count(Query(part.name, ("Id",), part.where))


def _hidden(
    tables: Tables, table: TableName, columns: tuple[str, ...]
) -> Iterator[Finding]:
    if table == CHANGE:
        return
    for part in tables.catalogue.objects[table]:
        for field in part.fields:
            is_ours = field.column in OUR_FIELDS.get(table, ())  # type: ignore[arg-type]
            if field.column in columns or is_ours or field.column == "currency":
                continue
            named = " and ".join(f"{part.name}.{source}" for source in field.sources)
            yield Finding(
                f"column {table}.{field.column}: {named}",
                "warning",
                "The org has no such field, or this login may not read it; the column "
                "stays away.",
            )


def _in_sight(tables: Tables, settings: SalesforceSettings) -> Iterator[Finding]:
    """Salesforce hides in silence what is shared with nobody; the counts tell."""
    objects = {"account": "Account", "opportunity": "Opportunity"}
    names = [
        objects[table] for table in _asked_for(tables, settings) if table in objects
    ]
    try:
        recorded = tables.rest.recorded(names)
        seen = {name: tables.rest.count(Query(name, ("Id",))) for name in names}
    except RightMissingError:
        return  # told with its table, or with the log-in
    for name in names:
        count, there = seen[name], recorded.get(name, 0)
        what = f"right: View All on {name}"
        if count < there * _assumptions.LEAST_SHARE_IN_SIGHT:
            mend = (
                f"This login sees {count:,} of about {there:,}: grant it "
                f"View All on {name}, or the rest is missing from every number."
            )
            yield Finding(what, "warning", mend)
        elif _assumptions.RECORD_COUNT_IS_OF_ALL:
            yield Finding(what, "good")
        else:
            mend = (
                "The org counts what this login sees: whether that is all is unknown."
            )
            yield Finding(what, "warning", mend)


def _identity(tables: Tables) -> Finding:
    what = f"right: {IDENTITY}"
    try:
        tables.rest.user_id()
    except RightMissingError:
        mend = (
            "Add the scope openid or id to the app; without it the field history takes "
            "more calls, and setup cannot assign its permission set."
        )
        return Finding(what, "warning", mend)
    return Finding(what, "good")


def _loss_reason(tables: Tables, settings: SalesforceSettings) -> Iterator[Finding]:
    is_mapped = "loss_reason" in settings.fields.get("opportunity", {})
    if (
        is_mapped
        or settings.loss_reason is not None
        or "opportunity" in settings.objects
    ):
        return
    try:
        found = candidates(tables.catalogue.described(tables.rest, "Opportunity"))
    except RightMissingError:
        return
    if len(found) == 1:
        yield Finding(f"loss reason: Opportunity.{found[0]}", "good")
    elif found:
        mend = "Choose one with loss_reason in the settings."
        yield Finding(f"loss reason: {', '.join(found)}", "missing", mend)
    else:
        mend = (
            "No field is called or labelled like one; name it with loss_reason in the "
            "settings."
        )
        yield Finding("loss reason", "warning", mend)


def _managed(tables: Tables, table: WritableTable) -> Iterator[Finding]:
    try:
        described = tables.catalogue.described(tables.rest, OBJECTS[table][0].name)
    except RightMissingError:
        return
    seen = {str(field["name"]): field for field in described}
    for field in (*MANAGED[table], *HUMAN[table]):
        if _is_due(field, seen):
            yield from _field(field, seen.get(OUR_FIELDS[table][field.column]))


def _is_due(field: ManagedField, seen: Collection[str]) -> bool:
    """Whether it must be there: always, or since something asked for with it is."""
    ours = MANAGED[field.table]
    if field.opt_in is None and field.table == "account":
        return True
    together = (each for each in ours if field.opt_in in (None, each.opt_in))
    return any(OUR_FIELDS[each.table][each.column] in seen for each in together)


def _field(field: ManagedField, seen: Mapping[str, Any] | None) -> Iterator[Finding]:
    sobject = OBJECTS[field.table][0].name
    what = f"field {sobject}.{OUR_FIELDS[field.table][field.column]}"
    if seen is None:
        yield Finding(what, "missing", _SETUP)
        return
    if not field.is_human and not seen.get("updateable"):
        mend = f"Grant this login Edit on it; setup does so. ({_SETUP})"
        yield Finding(f"right: edit {what.removeprefix('field ')}", "missing", mend)
    if too_few := lacking_decimals(field.column, seen):
        is_of_use = not lacking_decimals(field.column, seen, least=LEAST_DECIMALS)
        yield Finding(what, "warning" if is_of_use else "missing", f"It {too_few}.")
        return
    if seen.get("type") != "picklist":
        yield Finding(what, "good")
        return
    options = {
        option.get("value")
        for option in seen.get("picklistValues") or ()
        if option.get("active", True)
    }
    lacking = [choice for choice in field.choices if choice not in options]
    if lacking:
        mend = "Add them to the values of the field, in the CRM."
        yield Finding(f"{what}: options {', '.join(lacking)}", "missing", mend)
    else:
        yield Finding(what, "good")
