"""How does a plan stand on file, and is the file what we wrote?

JSON Lines: a header with format and version, one line for each record, and at the end
the SHA-256 of all lines before it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final

import attrs

from crm_portfolio._managed import PIN, STAMP, canonical
from crm_portfolio._storage import canonical_json, digest
from crm_portfolio._wording import Reason, ReasonValue
from crm_portfolio.archive import Ref, Spool
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
    "Identity",
    "Json",
    "Line",
    "covered",
    "header_line",
    "in_lines",
    "is_unstamped",
    "knew_the_past",
    "read_header",
    "read_line",
    "read_record",
    "record_in",
    "renamed",
    "sealed",
    "to_line",
    "unsealed",
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
# The change of a stamp to one of a run; the first place where it can stand is its own.
_NEW_STAMP: Final = re.compile(
    rb'(\["%s",(?:null|"(?:[^"\\]|\\.)*"),)"v1:([0-9a-z-]+):([0-9a-f]{16})"'
    % STAMP.encode()
)


def sealed(header: Json, lines: Iterable[bytes], version: int) -> Iterator[bytes]:
    """Header and lines, each with its end, as one file that tells when it was altered."""
    head = {**header, "format": FORMAT, "version": version}
    found = hashlib.sha256()
    yield from _noted(found, canonical_json(head))
    for line in lines:
        yield from _noted(found, line)
    yield canonical_json({"sha256": found.hexdigest()}) + b"\n"


def _noted(found: Any, line: bytes) -> Iterator[bytes]:
    whole = line + b"\n"
    found.update(whole)
    yield whole


def unsealed(parts: Iterable[bytes], name: str) -> tuple[bytes, Json, Spool]:
    """The header of a sealed file, as it is and as it reads, and its lines put aside.

    Raises:
        DamagedFileError: It is no plan of ours, or a newer version wrote it.
        PlanAlteredError: It is not what was written.
    """
    lines, aside, found = in_lines(parts), Spool(), hashlib.sha256()
    first = last = next(lines, b"")
    head = _parsed(first)
    if head.get("format") != FORMAT:
        raise DamagedFileError(name, "this is no plan", _AGAIN)
    version = head.get("version")
    if version not in _VERSIONS:
        raise DamagedFileError(
            name,
            f"this plan has format {version}, this library reads up to {VERSION}",
            "Upgrade crm-portfolio, or make a new plan with this version.",
        )
    for number, line in enumerate(lines):
        found.update(last + b"\n")
        if number:
            aside.add(last)
        last = line
    if _parsed(last).get("sha256") != found.hexdigest():
        raise PlanAlteredError(
            f"{name} is not what `plan` wrote: it was cut or edited by hand; nothing was "
            f"written. {_AGAIN}"
        )
    return first, head, aside


def in_lines(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The lines, without their ends, of a file that comes in pieces."""
    rest = b""
    for part in parts:
        *whole, rest = (rest + part).split(b"\n")
        yield from whole
    if rest:
        yield rest


class Identity:
    """The id of a plan with this header and the lines it is told, which hold no id of it."""

    def __init__(self, header: Json, version: int) -> None:
        # Digests of lines, so that what is behind them need not be there at once.
        self._found = hashlib.sha256(b'{"header":%s,"lines":[' % canonical_json(header))
        self._is_first = True
        # What counts as a first fill depends on it; version 1 left it out.
        if version > 1:
            self.take(canonical_json({"version": version}))

    def take(self, line: bytes) -> None:
        between = b"" if self._is_first else b","
        self._found.update(b'%s"%s"' % (between, digest(line).encode()))
        self._is_first = False

    def __str__(self) -> str:
        whole = self._found.copy()
        whole.update(b"]}")
        return whole.hexdigest()[:12]


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


def is_unstamped(part: Line, version: int) -> bool:
    """Whether it tells that people took our stamp from a record."""
    is_edited = isinstance(part, Edited) and STAMP in part.edited
    return is_edited and version >= _EMPTIED


def read_line(raw: bytes, unstamped: Collection[Ref] = ()) -> Line:
    """The part of a plan that `to_line` made into this line of a file.

    Args:
        unstamped: Records from which people took our stamp.
    """
    return _read_line(_parsed(raw), unstamped)


def read_record(
    raw: bytes, *, unstamped: Collection[Ref] = (), is_bare: bool = False
) -> PlannedRecord:
    """The same of a line that is of a record.

    Args:
        unstamped: As above.
        is_bare: Without the reasons, which take longer than all else.
    """
    line = _parsed(raw)
    is_new = (line["kind"], line["record_id"]) not in unstamped
    return _read_record(line, line["kind"], is_new=is_new, is_bare=is_bare)


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
            return _read_record(line, table, is_new=is_new, is_bare=False)
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


def record_in(line: bytes, table: WritableTable) -> str | None:
    """The record of a table that a line on file changes, without parsing the rest of it.

    Raises:
        ValueError: It is not as it was written.
    """
    if not line.startswith(_RECORD):
        return None
    # A quote within a text has a backslash before it: this is no text.
    kind = line.partition(_KIND)[2].partition(b'"')[0]
    if kind != table.encode():
        return None
    return str(json.loads(line.rpartition(_ID)[2].rpartition(_STAMPED)[0]))


def knew_the_past(header: bytes) -> bool:
    """Whether a plan with this first line was made with what runs before had left."""
    head = _parsed(header)
    version = head.get("version")
    asks = version in _VERSIONS and version >= _EMPTIED
    return asks and head.get("previous") is not None


def covered(line: bytes, run_id: str) -> bytes:
    """What the plan's id covers of a record: all, but for that id in its new stamp."""
    found = _NEW_STAMP.search(line)
    if found is None or found[2] != run_id.encode():
        return line
    told = b'%s{"new":"%s"}' % (found[1], found[3])
    return line[: found.start()] + told + line[found.end() :]


def renamed(line: bytes, old: str, new: str) -> bytes:
    """The line of a record with another id in its new stamp."""
    found = _NEW_STAMP.search(line)
    if found is None or found[2] != old.encode():
        return line
    told = b'%s"v1:%s:%s"' % (found[1], new.encode(), found[3])
    return line[: found.start()] + told + line[found.end() :]


def _read_record(
    line: Json, table: WritableTable, *, is_new: bool, is_bare: bool
) -> PlannedRecord:
    reasons = line["reasons"]
    told = [() if is_bare else tuple(map(_read_reason, each)) for each in reasons]
    changes = []
    for column, before, after, place in line["changes"]:
        change = Change(
            line["record_id"],
            column,
            canonical(column, before),
            canonical(column, after),
            table,
        )
        is_first_fill = is_new and before is None and line["stamp"] is None
        changes.append(PlannedChange(change, is_first_fill, told[place]))
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
