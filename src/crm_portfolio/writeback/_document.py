"""How does a plan stand on file, and is the file what we wrote?

JSON Lines: a header with format and version, one line for each record, and at the end
the SHA-256 of all lines before it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final

import attrs

from crm_portfolio._managed import PIN, STAMP, canonical, run_of
from crm_portfolio._storage import canonical_json, digest
from crm_portfolio._wording import Reason, ReasonValue
from crm_portfolio.archive import Ref
from crm_portfolio.errors import DamagedFileError, PlanAlteredError
from crm_portfolio.protocols import Change, Org, Quota, WritableTable
from crm_portfolio.writeback._limits import Limits, Policy
from crm_portfolio.writeback._planned import (
    Bordering,
    Edited,
    Ended,
    Header,
    Missing,
    Pinned,
    PlannedChange,
    PlannedRecord,
)

__all__ = [
    "VERSION",
    "Json",
    "Line",
    "covered",
    "header_line",
    "knew_the_past",
    "read_header",
    "read_lines",
    "records_in",
    "seal",
    "to_line",
    "unseal",
]

Json = Mapping[str, Any]
Line = Pinned | Ended | Edited | Bordering | Missing | PlannedRecord

FORMAT: Final = "crm-portfolio plan"
# Since version 2 what a person emptied is no first fill; since version 3 there are
# records of other tables than accounts.
VERSION: Final = 3
_EMPTIED: Final = 2
_OTHERS: Final = 3
_SINCE_OTHERS: Final = frozenset({"others", "compared", "filled", "compared_before"})
_VERSIONS: Final = (1, 2, VERSION)
_AGAIN: Final = "Make a new plan."
# How the line of a record begins, and what stands around its table and its id.
_RECORD: Final = b'{"changes":'
_KIND: Final = b'],"kind":"'
_ID: Final = b',"record_id":'
_STAMPED: Final = b',"stamp":'


def seal(header: Json, lines: Iterable[Json], version: int) -> bytes:
    """Header and lines as one file that tells when it was altered."""
    head = {**header, "format": FORMAT, "version": version}
    body = b"".join(canonical_json(line) + b"\n" for line in (head, *lines))
    return body + canonical_json({"sha256": digest(body)}) + b"\n"


def unseal(content: bytes, name: str) -> tuple[Json, Iterator[Json]]:
    """The header and the lines of a sealed file.

    Raises:
        DamagedFileError: It is no plan of ours, or a newer version wrote it.
        PlanAlteredError: It is not what was written.
    """
    head = _parsed(content.partition(b"\n")[0])
    if head.get("format") != FORMAT:
        raise DamagedFileError(name, "this is no plan", _AGAIN)
    version = head.get("version")
    if version not in _VERSIONS:
        raise DamagedFileError(
            name,
            f"this plan has format {version}, this library reads up to {VERSION}",
            "Upgrade crm-portfolio, or make a new plan with this version.",
        )
    body, _, last = content.removesuffix(b"\n").rpartition(b"\n")
    if _parsed(last).get("sha256") != digest(body + b"\n"):
        raise PlanAlteredError(
            f"{name} is not what `plan` wrote: it was cut or edited by hand; nothing was "
            f"written. {_AGAIN}"
        )
    return head, (_parsed(line) for line in body.split(b"\n")[1:])


def _parsed(raw: bytes) -> Json:
    try:
        value = json.loads(raw)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def header_line(header: Header, version: int) -> Json:
    """The header as a plan of this version tells it."""
    told = attrs.asdict(header)
    left_out = _SINCE_OTHERS if version < _OTHERS else ()
    return {name: value for name, value in told.items() if name not in left_out}


def read_header(head: Json) -> Header:
    """The header of a plan from its first line."""
    names = {field.name for field in attrs.fields(Header)}
    if head["version"] < _OTHERS:
        names -= _SINCE_OTHERS
    told = {name: head[name] for name in names}
    previous = head["previous_as_of"]
    return Header(
        **{
            **told,
            "org": Org(**head["org"]),
            "as_of": date.fromisoformat(head["as_of"]),
            "made_at": datetime.fromisoformat(head["made_at"]),
            "limits": Limits(**head["limits"]),
            "policy": Policy(**head["policy"]),
            "previous_as_of": date.fromisoformat(previous) if previous else None,
            "tiers": tuple(head["tiers"]),
            "quota": Quota(**head["quota"]) if head["quota"] else None,
        }
    )


def to_line(part: Line) -> Json:
    """One part of a plan as one line; that of an account does not name its table."""
    match part:
        case Pinned():
            return {"kind": "pinned", **attrs.asdict(part)}
        case Ended():
            return {"kind": "ended", **attrs.asdict(part)}
        case Edited() | Missing():
            told = {"kind": _KINDS[type(part)], **attrs.asdict(part)}
            if part.table == "account":
                del told["table"]
            return told
        case Bordering():
            reason = _reason_json(part.reason)
            return {"kind": "border", "record_id": part.record_id, "reason": reason}
        case PlannedRecord():
            return {"kind": part.table, **_record_line(part)}


_KINDS: Final = {Edited: "edited", Missing: "missing"}


def read_lines(lines: Iterable[Json], version: int) -> Iterator[Line]:
    """The parts of a plan that `to_line` made into the lines of such a file."""
    unstamped: set[Ref] = set()  # those from which people took our stamp, told first
    for line in lines:
        part = _read_line(line, unstamped)
        if version >= _EMPTIED and isinstance(part, Edited) and STAMP in part.edited:
            unstamped.add((part.table, part.record_id))
        yield part


def _read_line(line: Json, unstamped: Collection[Ref]) -> Line:
    told = {key: value for key, value in line.items() if key != "kind"}
    match line["kind"]:
        case "pinned":
            until_on = canonical("tier_pinned_until_on", line["until_on"])
            return Pinned(**{**told, "until_on": until_on})
        case "ended":
            until_on = date.fromisoformat(line["until_on"])
            return Ended(**{**told, "until_on": until_on})
        case "edited":
            columns, edited = tuple(line["columns"]), tuple(line["edited"])
            return Edited(**{**told, "columns": columns, "edited": edited})
        case "border":
            return Bordering(line["record_id"], _read_reason(line["reason"]))
        case "account" | "opportunity" as table:
            is_new = (table, line["record_id"]) not in unstamped
            return _read_record(line, table, is_new=is_new)
        case "missing":
            return Missing(**told)
        case kind:
            raise ValueError(f"no line of a plan is of kind {kind!r}")


def _record_line(record: PlannedRecord) -> Json:
    # The fields of one result share its reasons, which stand here once.
    told: list[tuple[Reason, ...]] = []
    for planned in record.changes:
        if planned.reasons not in told:
            told.append(planned.reasons)
    return {
        "record_id": record.record_id,
        "stamp": record.stamp,
        "pin": record.pin,
        "rank": record.rank,
        "reasons": [[_reason_json(reason) for reason in reasons] for reasons in told],
        "changes": [
            [c.change.column, c.change.before, c.change.after, told.index(c.reasons)]
            for c in record.changes
        ],
    }


def records_in(content: bytes, table: WritableTable) -> Iterator[str]:
    """The records of a table that a plan on file changes, without parsing the rest of it.

    Raises:
        ValueError: It is not as it was written.
    """
    for line in content.split(b"\n"):
        if line.startswith(_RECORD):
            # A quote within a text has a backslash before it: this is no text.
            kind = line.partition(_KIND)[2].partition(b'"')[0]
            if kind == table.encode():
                found = line.rpartition(_ID)[2].rpartition(_STAMPED)[0]
                yield str(json.loads(found))


def knew_the_past(content: bytes) -> bool:
    """Whether a plan on file was made with what runs before had left on bare accounts."""
    head = _parsed(content.partition(b"\n")[0])
    version = head.get("version")
    asks = version in _VERSIONS and version >= _EMPTIED
    return asks and head.get("previous") is not None


def covered(record: PlannedRecord, run_id: str) -> Json:
    """What the plan's id covers of an account: all, but for that id in its new stamp."""
    line = to_line(record)
    changes = [
        [column, before, _unmarked(column, after, run_id), *reasons]
        for column, before, after, *reasons in line["changes"]
    ]
    return {**line, "changes": changes}


def _unmarked(column: str, after: Any, run_id: str) -> Any:
    if column != STAMP or run_of(after) != run_id:
        return after
    return {"new": after.rpartition(":")[2]}


def _read_record(line: Json, table: WritableTable, *, is_new: bool) -> PlannedRecord:
    told = [tuple(map(_read_reason, reasons)) for reasons in line["reasons"]]
    changes = []
    for column, before, after, reasons in line["changes"]:
        change = Change(
            line["record_id"],
            column,
            canonical(column, before),
            canonical(column, after),
            table,
        )
        is_first_fill = is_new and before is None and line["stamp"] is None
        changes.append(PlannedChange(change, is_first_fill, told[reasons]))
    return PlannedRecord(
        record_id=line["record_id"],
        stamp=line["stamp"],
        pin=tuple(map(canonical, PIN[table], line["pin"])),
        rank=line["rank"],
        changes=tuple(changes),
        table=table,
    )


def _reason_json(reason: Reason) -> Json:
    return {
        "code": reason.code,
        "values": {
            key: {"day": value} if isinstance(value, date) else value
            for key, value in reason.values.items()
        },
    }


def _read_reason(line: Json) -> Reason:
    def value_of(value: Any) -> ReasonValue:
        return date.fromisoformat(value["day"]) if isinstance(value, dict) else value

    values = {key: value_of(value) for key, value in line["values"].items()}
    return Reason(line["code"], values)
