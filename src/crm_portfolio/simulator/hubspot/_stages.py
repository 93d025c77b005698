"""Which pipelines does the portal have, and what does a stage make of a deal?

vendor docs: ids of stages are unique, their labels only within a pipeline; the default
pipeline's ids are words, those of stages that people added are numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.errors import DataError
from crm_portfolio.simulator._given import Given
from crm_portfolio.simulator.hubspot._text import exact_text

__all__ = ["DealStages", "lead_pipelines", "pipeline", "stage", "ticket_pipelines"]

# recorded: a new portal's pipeline.
_STANDARD: Final = (
    ("appointmentscheduled", "Appointment Scheduled", "open", 0.2),
    ("qualifiedtobuy", "Qualified To Buy", "open", 0.4),
    ("presentationscheduled", "Presentation Scheduled", "open", 0.6),
    ("decisionmakerboughtin", "Decision Maker Bought-In", "open", 0.8),
    ("contractsent", "Contract Sent", "open", 0.9),
    ("closedwon", "Closed Won", "won", 1.0),
    ("closedlost", "Closed Lost", "lost", 0.0),
)
_KNOWN: Final = {label.lower(): name for name, label, _, _ in _STANDARD}
_STATUSES: Final = ("open", "won", "lost")
_DEFAULT: Final = "default"
_FIRST_STAGE: Final = 998_001
_FIRST_PIPELINE: Final = 99_001
_NEVER: Final = "1970-01-01T00:00:00Z"  # recorded: of what a portal is born with
# unverified: the ids of tickets' and leads' stages, but 0, 1 and 4 of tickets
_TICKETS: Final = (
    ("1", "New"),
    ("2", "Waiting on contact"),
    ("3", "Waiting on us"),
    ("4", "Closed"),
)
_LEADS: Final = (
    ("new-stage-id", "New"),
    ("attempting-stage-id", "Attempting"),
    ("connected-stage-id", "Connected"),
    ("qualified-stage-id", "Qualified"),
    ("unqualified-stage-id", "Unqualified"),
)


@attrs.frozen
class _Stage:
    line: str
    label: str
    position: int
    status: str
    probability: float
    is_archived: bool = False


class DealStages:
    """Pipelines and stages of deals: those of the table, else of the deals, else new."""

    def __init__(
        self, table: pa.Table | None, deals: Given, changes: Given | None = None
    ) -> None:
        self._deals = deals
        if table is not None and table.num_rows:
            stages = _from_table(Given("stage", table))
        elif "status" in deals and "stage" in deals:
            stages = _from_deals(deals)
        else:
            stages = ()
        if not stages:
            stages = tuple(
                _Stage(_DEFAULT, label, at, status, odds)
                for at, (_, label, status, odds) in enumerate(_STANDARD)
            )
        stages = (*stages, *_renamed(stages, deals, changes))
        self._lines = list(dict.fromkeys(each.line for each in stages))
        self._stages = stages
        self._ids = _stage_ids(stages, self._lines[0])
        self._line_ids = {
            line: _DEFAULT if at == 0 else str(_FIRST_PIPELINE + at)
            for at, line in enumerate(self._lines)
        }

    def pipelines(self) -> list[dict[str, Any]]:
        """As the API shows them."""
        return [
            pipeline(
                self._line_ids[line],
                line,
                at,
                [
                    stage(
                        self._ids[each.line, each.label],
                        each.label,
                        each.position,
                        _metadata(each),
                        archived=each.is_archived,
                    )
                    for each in self._stages
                    if each.line == line
                ],
            )
            for at, line in enumerate(self._lines)
        ]

    def of_deals(self) -> dict[str, pa.Array]:
        """The pipeline, the stage and the odds of each deal."""
        given = self._deals
        line = pc.coalesce(given.get("pipeline"), self._lines[0])
        said, status = given.get("stage"), given.get("status")
        named = self._place(line, said)
        self._check(named, said, status)
        firsts = self._firsts()
        first = pc.index_in(_key(line, status), value_set=pa.array(list(firsts)))
        places = pc.coalesce(
            named, pa.array(list(firsts.values()), pa.int32()).take(first)
        )
        if pc.any(pc.is_null(places)).as_py():
            example = given.keys().filter(pc.is_null(places))[0].as_py()
            raise DataError(
                f"opportunity {example!r}, for one: no stage of its pipeline fits it"
            )
        ids = pa.array([self._ids[s.line, s.label] for s in self._stages])
        odds = pa.array([exact_text(s.probability) for s in self._stages])
        lines = pa.array([self._line_ids[s.line] for s in self._stages])
        return {
            "pipeline": lines.take(places),
            "dealstage": ids.take(places),
            "hs_deal_stage_probability": odds.take(places),
        }

    def ids_of(self, line: pa.Array, label: pa.Array) -> pa.Array:
        """The stages' ids for a pipeline's name and a stage's label."""
        places = self._place(pc.coalesce(line, self._lines[0]), label)
        return pa.array([self._ids[s.line, s.label] for s in self._stages]).take(places)

    def line_ids_of(self, line: pa.Array) -> pa.Array:
        known = pa.array(list(self._line_ids))
        ids = pa.array(list(self._line_ids.values()))
        return ids.take(pc.index_in(line, value_set=known))

    def all_ids(self) -> list[str]:
        return list(self._ids.values())

    def _place(self, line: pa.Array, label: pa.Array) -> pa.Array:
        keys = pa.array([f"{each.line}\x1f{each.label}" for each in self._stages])
        return pc.index_in(_key(line, label), value_set=keys)

    def _firsts(self) -> dict[str, int]:
        """Where the first stage of each status stands in each pipeline."""
        found: dict[str, int] = {}
        for at, each in enumerate(self._stages):
            if not each.is_archived:
                found.setdefault(f"{each.line}\x1f{each.status}", at)
        return found

    def _check(self, named: pa.Array, said: pa.Array, status: pa.Array) -> None:
        of_stage = pa.array([s.status for s in self._stages]).take(named)
        unknown = pc.and_(pc.is_valid(said), pc.is_null(named))
        wrong = pc.fill_null(pc.not_equal(status, of_stage), fill_value=False)
        homeless = pc.and_(
            pc.is_null(said), pc.invert(pc.is_in(status, pa.array(_STATUSES)))
        )
        for rows, problem in (
            (unknown, "is in a stage that its pipeline lacks"),
            (wrong, "has a status that its stage contradicts"),
            (homeless, "has no status: it is open, won or lost"),
        ):
            if pc.any(rows).as_py():
                example = self._deals.keys().filter(rows)[0].as_py()
                count = pc.sum(rows).as_py()
                raise DataError(
                    f"{count} opportunities: {example!r}, for one, {problem}"
                )


def pipeline(
    name: str, label: str, at: int, stages: list[dict[str, Any]]
) -> dict[str, Any]:
    """A pipeline as the API shows it."""
    return {
        "label": label,
        "displayOrder": at,
        "id": name,
        "stages": stages,
        "createdAt": _NEVER,
        "updatedAt": _NEVER,
        "archived": False,
    }


def stage(
    name: str,
    label: str,
    at: int,
    metadata: Mapping[str, str],
    *,
    archived: bool = False,
) -> dict[str, Any]:
    """A stage as the API shows it. vendor docs: metadata are texts."""
    return {
        "label": label,
        "displayOrder": at,
        "metadata": dict(metadata),
        "id": name,
        "createdAt": _NEVER,
        "updatedAt": _NEVER,
        "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
        "archived": archived,
    }


def ticket_pipelines() -> list[dict[str, Any]]:
    """unverified: a new portal's pipeline of tickets."""
    last = len(_TICKETS) - 1
    stages = [
        stage(name, label, at, {"ticketState": "CLOSED" if at == last else "OPEN",
                                "isClosed": "true" if at == last else "false"})
        for at, (name, label) in enumerate(_TICKETS)
    ]  # fmt: skip
    return [pipeline("0", "Support Pipeline", 0, stages)]


def lead_pipelines(more: Iterable[str]) -> list[dict[str, Any]]:
    """unverified: a new portal's pipeline of leads, and stages that people added."""
    known = {label for _, label in _LEADS}
    added = [label for label in dict.fromkeys(more) if label not in known]
    numbered = [
        (str(_FIRST_STAGE - 1000 + at), label) for at, label in enumerate(added)
    ]
    stages = [
        stage(name, label, at, {"leadState": "OPEN"})
        for at, (name, label) in enumerate((*_LEADS, *numbered))
    ]
    return [pipeline("lead-pipeline-id", "Lead pipeline", 0, stages)]


def _key(line: pa.Array, label: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(line, label, "\x1f")


def _metadata(each: _Stage) -> dict[str, str]:
    # vendor docs: won is closed with probability 1.0, lost is closed with 0.0
    closed = "false" if each.status == "open" else "true"
    return {"isClosed": closed, "probability": str(each.probability)}


def _odds(status: str, said: float | None) -> float:
    if status == "open":
        return 0.5 if said is None else float(said)
    return 1.0 if status == "won" else 0.0


def _stage_ids(stages: Iterable[_Stage], first: str) -> dict[tuple[str, str], str]:
    """Words for the standard stages of the first pipeline, numbers for all others."""
    found: dict[tuple[str, str], str] = {}
    for at, each in enumerate(stages):
        word = _KNOWN.get(each.label.lower()) if each.line == first else None
        taken = word is None or word in found.values()
        found[each.line, each.label] = str(_FIRST_STAGE + at) if taken else str(word)
    return found


def _from_table(given: Given) -> tuple[_Stage, ...]:
    columns = ("pipeline", "stage", "position", "status", "default_probability")
    rows = zip(*(given.get(name).to_pylist() for name in columns), strict=True)
    found: dict[tuple[str, str], _Stage] = {}
    for line, label, position, status, odds in rows:
        if label is None or status not in _STATUSES:
            raise DataError(
                f"stage {label!r} needs a name and a status open, won or lost"
            )
        line = line or _DEFAULT  # noqa: PLW2901
        made = _Stage(line, label, position or 0, status, _odds(status, odds))
        if found.setdefault((line, label), made).status != status:
            raise DataError(f"stage {label!r} stands twice in the pipeline {line!r}")
    order = {line: at for at, line in enumerate(dict.fromkeys(key[0] for key in found))}
    return tuple(
        sorted(found.values(), key=lambda s: (order[s.line], s.position, s.label))
    )


def _from_deals(deals: Given) -> tuple[_Stage, ...]:
    line = pc.coalesce(deals.get("pipeline"), _DEFAULT)
    columns = {"line": line, "stage": deals.get("stage"), "status": deals.get("status")}
    seen = pa.table(columns).group_by(list(columns)).aggregate([]).to_pylist()
    known = [row for row in seen if row["stage"] and row["status"] in _STATUSES]
    known.sort(key=lambda r: (r["line"], _STATUSES.index(r["status"]), r["stage"]))
    pairs = [(row["line"], row["stage"]) for row in known]
    doubted = sorted({stage for line, stage in pairs if pairs.count((line, stage)) > 1})
    if doubted:
        raise DataError(f"stage {doubted[0]!r} has opportunities of different status")
    return tuple(
        _Stage(row["line"], row["stage"], at, row["status"], _odds(row["status"], None))
        for at, row in enumerate(known)
    )


def _renamed(
    stages: tuple[_Stage, ...], deals: Given, changes: Given | None
) -> Iterable[_Stage]:
    """Stages that only the history knows: they were archived since."""
    if changes is None or not changes.count:
        return
    first = stages[0].line
    lines = pc.coalesce(deals.get("pipeline"), first)
    whose = pc.index_in(changes.get("opportunity_id"), value_set=deals.keys())
    line = pc.coalesce(lines.take(whose), first)
    about = pc.equal(changes.get("field"), "stage")
    known = {(each.line, each.label) for each in stages}
    for side in ("old", "new"):
        said = pa.table({"line": line, "label": changes.get(side)}).filter(about)
        for row in said.group_by(["line", "label"]).aggregate([]).to_pylist():
            key = (row["line"], row["label"])
            if key[1] is not None and key not in known:
                known.add(key)
                yield _Stage(*key, 1000, "open", 0.5, is_archived=True)
