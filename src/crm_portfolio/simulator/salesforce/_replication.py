"""Which records were deleted or changed in a span of time?

vendor docs: getDeleted and getUpdated look back 15 days at most and list 600,000 ids at most;
what the delete log has lost begins at ``earliestDateAvailable``.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from crm_portfolio.simulator._server import Reply
from crm_portfolio.simulator._store import quoted
from crm_portfolio.simulator.salesforce._call import DATA, Call, Route, readable
from crm_portfolio.simulator.salesforce._metadata import SObject
from crm_portfolio.simulator.salesforce._org import GONE, Org
from crm_portfolio.simulator.salesforce._refusal import Refusal, json_reply

__all__ = ["ROUTES"]

_KEPT: Final = timedelta(days=15)


def _deleted(org: Org, call: Call) -> Reply:
    entity, start, end = _asked(org, call)
    where = "" if org.assumptions.deleted_lists_hard else " AND NOT for_good"
    found = org.store.rows(
        f"SELECT id, max(moment) FROM {quoted(GONE)} WHERE object = ? "  # noqa: S608
        f"AND moment >= ? AND moment < ?{where} GROUP BY id ORDER BY 2, 1",
        [entity.name, start, end],
    )
    _must_be_few(org, len(found))
    oldest = org.clock.stored - _KEPT
    since = max(oldest, org.rules.delete_log_since or oldest)
    listed = [
        {"id": record_id, "deletedDate": _text(moment)}
        for record_id, moment in found
        if moment >= since
    ]
    return json_reply(
        {
            "deletedRecords": listed,
            "earliestDateAvailable": _text(since),
            "latestDateCovered": _text(min(end, org.clock.stored)),
        }
    )


def _updated(org: Org, call: Call) -> Reply:
    entity, start, end = _asked(org, call)
    alive = ' AND NOT "IsDeleted"' if entity.has_deleted else ""
    found = org.store.rows(
        f'SELECT "Id" FROM {quoted(entity.name)} WHERE "SystemModstamp" >= ? '  # noqa: S608
        f'AND "SystemModstamp" < ?{alive} ORDER BY "SystemModstamp", "Id"',
        [start, end],
    )
    _must_be_few(org, len(found))
    ids = [record_id for (record_id,) in found]
    covered = _text(min(end, org.clock.stored))
    return json_reply({"ids": ids, "latestDateCovered": covered})


def _asked(org: Org, call: Call) -> tuple[SObject, datetime, datetime]:
    entity, _ = readable(org, call.parts["object"])
    if not entity.has_deleted or "SystemModstamp" not in entity.fields:
        message = f"object type {entity.name} is not replicable"
        raise Refusal("INVALID_TYPE", message)  # unverified: the code
    start, end = (_moment(call, name) for name in ("start", "end"))
    # unverified: the code's texts.
    if start >= end or end - start < timedelta(minutes=1):
        message = "endDate must be at least one minute later than startDate"
        raise Refusal("INVALID_REPLICATION_DATE", message)
    if start < org.clock.stored - _KEPT:
        message = "startDate cannot be more than 15 days ago"
        raise Refusal("INVALID_REPLICATION_DATE", message)
    return entity, start, end


def _moment(call: Call, name: str) -> datetime:
    said: Any = call.request.query.get(name, "")
    try:
        # A plus that nobody encoded arrives as a blank.
        moment = datetime.fromisoformat(said.replace(" ", "+"))
    except ValueError as error:
        message = f"{name} is not a valid date"
        raise Refusal("INVALID_REPLICATION_DATE", message) from error
    if moment.tzinfo is None:
        return moment
    return moment.astimezone(UTC).replace(tzinfo=None)


def _must_be_few(org: Org, count: int) -> None:
    if count > org.rules.ids_max:
        message = f"the window holds more than {org.rules.ids_max} ids: make it smaller"
        raise Refusal("EXCEEDED_ID_LIMIT", message)


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


ROUTES: Final[tuple[Route, ...]] = (
    Route("GET", DATA + "sobjects/{object}/deleted", _deleted),
    Route("GET", DATA + "sobjects/{object}/updated", _updated),
)
