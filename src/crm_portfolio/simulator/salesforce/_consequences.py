"""What else changes when a record is written?

vendor docs: closed, won, forecast and odds follow an opportunity's stage, and the past is
kept; an activity belongs to the account of what it is about, and is an account's last one
without a new stamp on the account.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from crm_portfolio.simulator._store import StoredValue, quoted
from crm_portfolio.simulator.salesforce._checks import Record
from crm_portfolio.simulator.salesforce._history import data_type, field_name
from crm_portfolio.simulator.salesforce._metadata import Field, SObject
from crm_portfolio.simulator.salesforce._org import Org
from crm_portfolio.simulator.salesforce._refusal import Refusal

__all__ = ["derive_last_activity", "followed", "settle"]

_FROM_STAGE: Final = """
    SELECT "IsClosed", "IsWon", "ForecastCategory", "ForecastCategoryName",
           "DefaultProbability"
    FROM "OpportunityStage" WHERE "MasterLabel" = ?
"""
_STAGED: Final = (
    "IsClosed", "IsWon", "ForecastCategory", "ForecastCategoryName", "Probability",
)  # fmt: skip
_SNAPSHOT: Final = ("StageName", "Amount", "CloseDate", "Probability")
Values = dict[str, StoredValue]


def followed(
    org: Org, entity: SObject, before: Record, values: Values, *, is_new: bool
) -> Values:
    """The values, and those that follow from them.

    Args:
        before: The record as it stands; empty for a new one.
    """
    rule = _RULES.get(entity.name)
    return {**values, **rule(org, before, values, is_new)} if rule else values


def _of_opportunity(org: Org, before: Record, values: Values, is_new: bool) -> Values:  # noqa: FBT001
    more: Values = {}
    if "StageName" in values:
        found = org.store.rows(_FROM_STAGE, [values["StageName"]])
        staged = dict(zip(_STAGED, found[0], strict=True)) if found else {}
        more = {"IsClosed": False, "IsWon": False, **staged}
        if values.get("Probability") is not None:
            more["Probability"] = values["Probability"]
        if is_new or values["StageName"] != before.get("StageName"):
            more["LastStageChangeDate"] = org.clock.stored
    after = {**before, **values, **more}
    amount, odds = after.get("Amount"), after.get("Probability")
    if isinstance(amount, float | int) and isinstance(odds, float | int):
        more["ExpectedRevenue"] = round(amount * odds / 100, 2)
    day, was = values.get("CloseDate"), before.get("CloseDate")
    if isinstance(day, date):
        more["FiscalYear"], more["FiscalQuarter"] = day.year, (day.month + 2) // 3
        if isinstance(was, date) and (day.year, day.month) > (was.year, was.month):
            more["PushCount"] = int(before.get("PushCount") or 0) + 1  # type: ignore[arg-type]
    return more


def _of_activity(org: Org, before: Record, values: Values, _new: bool) -> Values:  # noqa: FBT001
    """Vendor docs: the account of what it is about, else of the person it is with."""
    more: Values = {}
    if "WhatId" in values or "WhoId" in values:
        after = {**before, **values}
        about = (after.get("WhatId"), after.get("WhoId"))
        more["AccountId"] = next(
            filter(None, (_account_of(org, one) for one in about)), None
        )
    return more


def _account_of(org: Org, record_id: StoredValue) -> str | None:
    entity = org.catalogue.by_prefix(str(record_id or ""))
    if entity is None or entity.name == "Account":
        return str(record_id) if entity else None
    if "AccountId" not in entity.fields:
        return None
    found = org.store.records(entity.name, '"Id" = ?', [record_id])
    account = found[0]["AccountId"] if found else None
    return None if account is None else str(account)


def _of_task(org: Org, before: Record, values: Values, is_new: bool) -> Values:  # noqa: FBT001
    more = _of_activity(org, before, values, is_new)
    defaults: Values = {
        "Status": "Not Started",
        "Priority": "Normal",
        "TaskSubtype": "Task",
    }
    if is_new:
        more |= {k: v for k, v in defaults.items() if values.get(k) is None}
    status = {**values, **more}.get("Status", before.get("Status"))
    if status != before.get("Status"):
        more["IsClosed"] = status == "Completed"
        more["CompletedDateTime"] = org.clock.stored if more["IsClosed"] else None
    return more


def _of_event(org: Org, before: Record, values: Values, is_new: bool) -> Values:  # noqa: FBT001
    more = _of_activity(org, before, values, is_new)
    after = {**before, **values}
    start, minutes = after.get("StartDateTime"), after.get("DurationInMinutes")
    if isinstance(start, datetime):
        more |= {"ActivityDateTime": start, "ActivityDate": start.date()}
        if isinstance(minutes, int):
            more["EndDateTime"] = start + timedelta(minutes=minutes)
    return more


def _of_case(org: Org, before: Record, values: Values, is_new: bool) -> Values:  # noqa: FBT001
    status = values.get("Status", "New" if is_new else before.get("Status"))
    more: Values = {"Status": status} if is_new else {}
    if is_new:
        more["CaseNumber"] = f"{int(org.new_id('')[9:15], 36) % 10**8:08d}"
    if status != before.get("Status"):
        more["IsClosed"] = status == "Closed"
        more["ClosedDate"] = org.clock.stored if more["IsClosed"] else None
    return more


def _of_person(_org: Org, before: Record, values: Values, _new: bool) -> Values:  # noqa: FBT001
    after = {**before, **values}
    names = (after.get("FirstName"), after.get("LastName"))
    return {"Name": " ".join(str(name) for name in names if name)}


def _of_account(org: Org, before: Record, values: Values, is_new: bool) -> Values:  # noqa: FBT001
    if "IsPersonAccount" not in org.catalogue.object("Account").fields:
        return {}
    is_person = before.get("IsPersonAccount") or (is_new and values.get("LastName"))
    if not is_person:
        return {}
    if "Name" in values:
        # vendor docs: the name of a person account follows from its parts.
        message = "Account Name cannot be set for a person account"
        code = "INVALID_FIELD_FOR_INSERT_UPDATE"
        raise Refusal(code, message, fields=("Name",))
    return {"IsPersonAccount": True, **_of_person(org, before, values, is_new)}


_RULES: Final[Mapping[str, Callable[[Org, Record, Values, bool], Values]]] = {
    "Opportunity": _of_opportunity,
    "Task": _of_task,
    "Event": _of_event,
    "Case": _of_case,
    "Contact": _of_person,
    "Lead": _of_person,
    "Account": _of_account,
}


def settle(
    org: Org, entity: SObject, changes: Sequence[tuple[Record, Record]], *, by: str
) -> None:
    """What the org notes once records are written: each as it was, and as it is."""
    if entity.name == "Opportunity":
        _keep_past(org, entity, changes, by=by)
    elif entity.name == "Account":
        # vendor docs: the history of accounts has a row for each change of a tracked field
        _keep(org, "AccountHistory", "017", _account_lines(org, entity, changes), by)
    elif entity.name in ("Task", "Event"):
        about = {
            r.get(k) for pair in changes for r in pair for k in ("AccountId", "WhatId")
        }
        derive_last_activity(org, [str(one) for one in about if one])


def _keep_past(
    org: Org, entity: SObject, changes: Sequence[tuple[Record, Record]], *, by: str
) -> None:
    shots: list[Values] = []
    told: list[Values] = []
    for before, after in changes:
        changed = [name for name, value in after.items() if value != before.get(name)]
        if any(name in _SNAPSHOT for name in changed):
            shots.append(_shot(org, before, after))
        if before:
            named = (entity.fields[name] for name in changed)
            fields = (f for f in named if f.is_tracked or f.name in org.tracked)
            about = {"OpportunityId": after["Id"]}
            told += [
                {**about, **line}
                for f in fields
                for line in _told(org, f, before, after)
            ]
    _keep(org, "OpportunityHistory", "008", shots, by)
    _keep(org, "OpportunityFieldHistory", "017", told, by)


def _account_lines(
    org: Org, entity: SObject, changes: Sequence[tuple[Record, Record]]
) -> list[Values]:
    tracked = [field for field in entity.fields.values() if field.is_tracked]
    return [
        {"AccountId": after["Id"], **line}
        for before, after in changes
        if before
        for field in tracked
        if after.get(field.name) != before.get(field.name)
        for line in _told(org, field, before, after)
    ]


def _keep(org: Org, name: str, prefix: str, lines: Sequence[Values], by: str) -> None:
    if not lines or org.catalogue.find(name) is None:
        return
    made: Values = {
        "CreatedDate": org.clock.stored,
        "CreatedById": by,
        "IsDeleted": False,
    }
    kept = [{"Id": org.new_id(prefix), **line, **made} for line in lines]
    org.store.insert_records(name, kept)


def _shot(org: Org, before: Record, after: Record) -> Values:
    names = (*_SNAPSHOT, "ExpectedRevenue", "ForecastCategory", "CurrencyIsoCode")
    return {
        **{name: after[name] for name in names if name in after},
        "OpportunityId": after["Id"],
        "PrevAmount": before.get("Amount"),
        "PrevCloseDate": before.get("CloseDate"),
        "SystemModstamp": org.clock.stored,
    }


def _told(org: Org, field: Field, before: Record, after: Record) -> list[Values]:
    """The lines of one change; a link is told by names and by ids."""
    old, new = before.get(field.name), after.get(field.name)
    line: Values = {"Field": field_name(field)}
    by_value = {
        "DataType": data_type(field),
        "OldValue": _text(old),
        "NewValue": _text(new),
    }
    if field.type != "reference":
        return [{**line, **by_value}]
    names = {"OldValue": _name(org, old), "NewValue": _name(org, new)}
    return [{**line, "DataType": "Text", **names}, {**line, **by_value}]


def _text(value: StoredValue) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, date):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _name(org: Org, record_id: StoredValue) -> str | None:
    entity = org.catalogue.by_prefix(str(record_id or ""))
    if entity is None:
        return None
    found: list[tuple[Any, ...]] = org.store.rows(
        f'SELECT "Name" FROM {quoted(entity.name)} WHERE "Id" = ?',  # noqa: S608
        [record_id],
    )
    return found[0][0] if found else None


def derive_last_activity(org: Org, record_ids: Sequence[str]) -> None:
    """Vendor docs: the latest of past events and closed tasks.

    unverified: whether it moves the stamps of the record; believed not.
    """
    today = org.clock.now.astimezone(org.zone).date()
    for name, key in (("Account", "AccountId"), ("Opportunity", "WhatId")):
        if org.catalogue.find("Task") is None or org.catalogue.find("Event") is None:
            return
        last = (
            f'SELECT max("ActivityDate") FROM (SELECT "{key}" AS k, "ActivityDate" FROM "Task" '  # noqa: S608
            f'WHERE "IsClosed" AND NOT "IsDeleted" UNION ALL SELECT "{key}", "ActivityDate" '
            'FROM "Event" WHERE NOT "IsDeleted" AND "ActivityDate" <= $1) AS done '
            f'WHERE k = "{name}"."Id"'
        )
        stamps = ""
        if org.assumptions.derived_moves_stamp:
            stamps = ', "SystemModstamp" = $3'
        bound: list[Any] = [today, list(record_ids)]
        org.store.rows(
            f'UPDATE "{name}" SET "LastActivityDate" = ({last}){stamps} '  # noqa: S608
            'WHERE "Id" IN (SELECT unnest($2))',
            [*bound, org.clock.stored] if stamps else bound,
        )
