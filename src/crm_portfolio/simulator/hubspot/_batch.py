"""How are up to a hundred records read or written by one call, and what if some fail?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import attrs

from crm_portfolio.simulator._server import Reply
from crm_portfolio.simulator.hubspot._call import Call, Route, kind_of
from crm_portfolio.simulator.hubspot._kinds import Kind
from crm_portfolio.simulator.hubspot._objects import may_read, may_write
from crm_portfolio.simulator.hubspot._pages import wanted
from crm_portfolio.simulator.hubspot._portal import Portal, Values
from crm_portfolio.simulator.hubspot._refusal import Refusal, as_json, json_reply
from crm_portfolio.simulator.hubspot._time import iso
from crm_portfolio.simulator.hubspot._values import checked
from crm_portfolio.simulator.hubspot._written import (
    check_key,
    check_unique,
    linked,
    properties_of,
    rendered,
)

__all__ = ["ROUTES", "batch_reply", "inputs_of"]

_MOST: Final = 100  # vendor docs


@attrs.frozen
class _Asked:
    """One input. ``said`` is the record's id, or the value of its ``key``."""

    said: str
    key: str | None
    given: Mapping[str, Any]

    @classmethod
    def of(cls, entry: Mapping[str, Any], key: Any = None) -> _Asked:
        if "id" not in entry:
            raise Refusal('Some required fields were not set: ["id"]')
        named = entry.get("idProperty", key)
        return cls(str(entry["id"]), named and str(named), entry)


def inputs_of(call: Call, most: int) -> list[Mapping[str, Any]]:
    """The inputs of a batch; 400 for too many of them."""
    inputs = call.json().get("inputs")
    if not isinstance(inputs, list) or not all(isinstance(i, Mapping) for i in inputs):
        raise Refusal('Some required fields were not set: ["inputs"]')
    if len(inputs) > most:
        # unverified: the words
        raise Refusal(f"The maximum number of inputs is {most}, got {len(inputs)}")
    return inputs


def batch_reply(
    portal: Portal,
    call: Call,
    results: Iterable[str],
    errors: Sequence[Mapping[str, Any]],
    *,
    status: int = 200,
    partial_status: int = 207,
) -> Reply:
    """A batch's reply from results that are JSON.

    vendor docs: 207 if some inputs failed; in 2026-09 the same body has the usual status.
    """
    shown = list(results)
    now = iso(portal.clock.now)
    told: dict[str, Any] = {"status": "COMPLETE", "startedAt": now, "completedAt": now}
    if errors:
        told |= {"numErrors": len(errors), "errors": list(errors)}
        dated = portal.assumptions.dated_partial_status
        status = dated if call.is_dated else partial_status
    text = f'{{"results":[{",".join(shown)}],{as_json(told)[1:]}'
    return json_reply(text, status=status, rows=len(shown))


def _missing(kind: Kind, gone: Sequence[_Asked], act: str = "get") -> list[Any]:
    """One entry for all inputs that mean no record, as seen in an issue thread."""
    if not gone:
        return []
    context = {"ids": [each.said for each in gone]}
    traces = [t for each in gone if (t := each.given.get("objectWriteTraceId"))]
    if traces:
        context["objectWriteTraceId"] = traces
    message = (
        f"Could not {act} some {kind.label} objects, they may be deleted or not exist. "
        "Check that ids are valid."
    )
    refusal = Refusal(message, category="OBJECT_NOT_FOUND", context=context)
    return [refusal.entry()]


def _located(
    portal: Portal, kind: str, asked: Sequence[_Asked], *, act: str
) -> list[int | None]:
    """The record that each input means: by id, through merges, or by a unique key."""
    keys: dict[str | None, list[str]] = {}
    for each in asked:
        keys.setdefault(each.key, []).append(each.said)
    found: dict[tuple[str | None, str], int] = {}
    for key, said in keys.items():
        if key is None:
            live = portal.resolved(kind, [int(s) for s in said if s.isdecimal()])
            found |= {(None, str(asked_id)): now for asked_id, now in live.items()}
        else:
            check_key(portal, kind, key, act=act)
            held = portal.holders(kind, key, said)
            found |= {(key, value): record_id for value, record_id in held.items()}
    return [found.get((each.key, each.said)) for each in asked]


def _read(portal: Portal, call: Call) -> Reply:
    kind, body = kind_of(portal, call), call.json()
    history = [str(name) for name in body.get("propertiesWithHistory") or ()]
    most = portal.assumptions.history_batch if history else _MOST
    asked = [_Asked.of(each, body.get("idProperty")) for each in inputs_of(call, most)]
    is_archived = call.flag("archived")
    if is_archived:
        found = _in_the_bin(portal, kind.name, asked)
    else:
        found = _located(portal, kind.name, asked, act="read")
    want = wanted(
        portal,
        kind.name,
        [str(name) for name in body.get("properties") or ()],
        history=history,
        is_archived=is_archived,
    )
    ids = [record_id for record_id in found if record_id is not None]
    rows = call.pages.rows(want, list(dict.fromkeys(ids)))
    gone = [each for each, at in zip(asked, found, strict=True) if at is None]
    return batch_reply(portal, call, rows.values(), _missing(kind, gone))


def _in_the_bin(portal: Portal, kind: str, asked: Sequence[_Asked]) -> list[int | None]:
    numbers = [int(a.said) if a.said.isdecimal() else -1 for a in asked]
    known = portal.records(kind, numbers)
    return [n if n in known and known[n]["$archived"] else None for n in numbers]


def _update(portal: Portal, call: Call) -> Reply:
    kind = kind_of(portal, call)
    asked = _each_once(portal, [_Asked.of(each) for each in inputs_of(call, _MOST)])
    found = _located(portal, kind.name, asked, act="update")
    pairs = list(zip(asked, found, strict=True))
    changes = _changes(portal, call, kind.name, pairs)
    portal.write(kind.name, changes)
    shown = rendered(portal, kind.name, changes)
    gone = [each for each, record_id in pairs if record_id is None]
    if portal.assumptions.key_without_id_property == "silent":
        # seen in an issue thread: success, and nothing changed
        gone = [each for each in gone if each.said.isdecimal() or each.key]
    errors = _missing(kind, gone, "update")
    return batch_reply(portal, call, map(as_json, shown.values()), errors)


def _each_once(portal: Portal, asked: Sequence[_Asked]) -> list[_Asked]:
    """Unverified: a batch that names a record twice is refused."""
    once = {(each.key, each.said): each for each in asked}
    if len(once) < len(asked) and portal.assumptions.duplicates_in_batch == "refused":
        counts = Counter(each.said for each in asked)
        twice = [said for said, count in counts.items() if count > 1]
        raise Refusal(f"Duplicate IDs found in batch input: {', '.join(twice)}")
    return list(once.values())


def _changes(
    portal: Portal,
    call: Call,
    kind: str,
    pairs: Iterable[tuple[_Asked, int | None]],
) -> dict[int, Values]:
    """The checked values of the records that there are.

    vendor docs: one value that may not stand refuses the batch, whatever else it names.
    """
    known = list(pairs)
    before = portal.records(kind, [r for _, r in known if r is not None])
    changes: dict[int, Values] = {}
    for each, record_id in known:
        given = properties_of(each.given)
        state = {} if record_id is None else before[record_id]
        texts = checked(portal, kind, given, before=state, style=call.style)
        if record_id is not None:
            check_unique(portal, kind, texts, record_id)
            changes[record_id] = {**changes.get(record_id, {}), **texts}
    return changes


def _create(portal: Portal, call: Call) -> Reply:
    kind = kind_of(portal, call).name
    inputs = inputs_of(call, _MOST)
    rows = [checked(portal, kind, properties_of(i), style=call.style) for i in inputs]
    for texts in rows:
        check_unique(portal, kind, texts, None)
    made = dict(zip(portal.create(kind, rows), rows, strict=True))
    for record_id, entry in zip(made, inputs, strict=True):
        linked(portal, kind, record_id, entry.get("associations") or [])
    # recorded: the results do not stand in the order of the inputs
    shown = reversed(rendered(portal, kind, made).values())
    return batch_reply(portal, call, map(as_json, shown), (), status=201)


def _upsert(portal: Portal, call: Call) -> Reply:
    kind = kind_of(portal, call)
    asked = _each_once(portal, [_Asked.of(each) for each in inputs_of(call, _MOST)])
    found = _located(portal, kind.name, asked, act="upsert")
    pairs = list(zip(asked, found, strict=True))
    new = [each for each, record_id in pairs if record_id is None and each.key]
    changes = _changes(portal, call, kind.name, (p for p in pairs if p[0] not in new))
    rows: list[Values] = [
        checked(
            portal,
            kind.name,
            {str(each.key): each.said, **properties_of(each.given)},
            style=call.style,
        )
        for each in new
    ]
    portal.write(kind.name, changes)
    made = dict(zip(portal.create(kind.name, rows), rows, strict=True))
    shown = [
        as_json({**record, "new": record_id in made})
        for record_id, record in rendered(portal, kind.name, changes | made).items()
    ]
    gone = [each for each, record_id in pairs if record_id is None and not each.key]
    return batch_reply(portal, call, shown, _missing(kind, gone, "upsert"))


def _archive(portal: Portal, call: Call) -> Reply:
    kind = kind_of(portal, call).name
    said = [_Asked.of(each).said for each in inputs_of(call, _MOST)]
    live = portal.resolved(kind, [int(each) for each in said if each.isdecimal()])
    portal.archive(kind, list(dict.fromkeys(live.values())))
    return Reply(204)  # recorded


_V3: Final = "/crm/v3/objects/{kind}/batch/"
_DATED: Final = "/crm/objects/2026-09/{kind}/batch/"
ROUTES: Final[tuple[Route, ...]] = (
    Route("POST", _V3 + "read", _DATED + "read", _read, may_read),
    Route("POST", _V3 + "create", _DATED + "create", _create, may_write),
    Route("POST", _V3 + "update", _DATED + "update", _update, may_write),
    Route("POST", _V3 + "upsert", _DATED + "upsert", _upsert, may_write),
    Route("POST", _V3 + "archive", _DATED + "archive", _archive, may_write),
)
