"""What did each run intend, and what came of it?

An archive is a folder. Each run has its own: the plan as it was applied, and a journal of
numbered segments that are written once, before and after each call to the CRM, and hold
the digest of the one before. Ids, managed values and codes stand in it, never names.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal, Self

import attrs

from crm_portfolio import _storage
from crm_portfolio._managed import canonical
from crm_portfolio.errors import (
    DamagedFileError,
    RefusedError,
    SettingsError,
    did_you_mean,
)
from crm_portfolio.protocols import Change, Org, OutcomeState, Value

__all__ = ["Archive", "ChangeState", "Entry", "Journal", "Segment", "SegmentKind"]

ChangeState = OutcomeState | Literal["not_sent"]
SegmentKind = Literal["begin", "intent", "outcome", "end"]
Json = Mapping[str, Any]

VERSION: Final = 1
_PLAN: Final = "plan.jsonl"
_RUN_ID: Final = re.compile(r"[0-9a-z-]{1,64}")
_SEGMENT: Final = re.compile(r"\d{6}\.json")
_RESTORE: Final = "Restore the run's folder from a backup; what follows is not proven."


@attrs.frozen
class Segment:
    """One file of a journal; ``digest`` covers all else in it."""

    number: int
    kind: SegmentKind
    content: Json
    digest: str


@attrs.frozen
class Entry:
    """What came of one change: its state, the CRM's code, and what was found instead."""

    change: Change
    state: ChangeState
    code: str = ""
    found: Value = None


@attrs.frozen(slots=False)
class Journal:
    """What an apply did, each change in exactly one state.

    Attributes:
        run_id: The id of the plan that was applied.
        change_count: Changes in the plan.
        entries: What came of them at the last apply of this run; those never looked at
            are not listed, only counted, as ``not_sent``.
        touched: Changes that were written, or may have been, at any apply of this run.
        interrupted: Why it stopped before its end, as a code; empty when it did not.
    """

    run_id: str
    org: Org
    as_of: date
    portfolio_id: str
    settings_digest: str
    population: int
    change_count: int
    entries: tuple[Entry, ...] = attrs.field(repr=False)
    touched: tuple[Change, ...] = attrs.field(repr=False)
    interrupted: str

    @cached_property
    def counts(self) -> Mapping[ChangeState, int]:
        """How many changes ended in which state; the sum is that of the plan."""
        found = Counter(entry.state for entry in self.entries)
        found["not_sent"] += self.change_count - len(self.entries)
        return {state: n for state, n in sorted(found.items()) if n}

    @cached_property
    def failed(self) -> tuple[Entry, ...]:
        """Changes that were looked at and do not stand in the CRM."""
        fine = {"written", "unchanged", "not_sent"}
        return tuple(entry for entry in self.entries if entry.state not in fine)

    @property
    def exit_code(self) -> int:
        """0 all done, 3 some failed, 5 interrupted: apply the same plan again."""
        if self.interrupted:
            return 5
        return 3 if self.failed else 0

    def __str__(self) -> str:
        counts = ", ".join(f"{n:,} {state}" for state, n in self.counts.items())
        end = f"; interrupted ({self.interrupted})" if self.interrupted else ""
        return f"Run {self.run_id} on {self.org}: {counts or 'nothing to do'}{end}"

    @classmethod
    def of(cls, run_id: str, segments: Sequence[Segment]) -> Self:
        """The journal that these segments make, the first of which is a ``begin``."""
        starts = [s.number for s in segments if s.kind == "begin"]
        begun = segments[starts[-1] - 1].content
        last = segments[-1]
        touched = {
            (entry.change.record_id, entry.change.column): entry.change
            for entry in _entries(segments)
            if entry.state in {"written", "unknown"}
        }
        return cls(
            run_id,
            org=Org(**begun["org"]),
            as_of=date.fromisoformat(begun["as_of"]),
            portfolio_id=begun["portfolio_id"],
            settings_digest=begun["settings_digest"],
            population=begun["population"],
            change_count=begun["change_count"],
            entries=tuple(_entries(segments[starts[-1] :])),
            touched=tuple(touched[key] for key in sorted(touched)),
            interrupted=last.content["interrupted"]
            if last.kind == "end"
            else "stopped",
        )


def _entries(segments: Sequence[Segment]) -> Iterator[Entry]:
    """Every change looked at; one that was sent and has no answer is ``unknown``."""
    answers = {
        s.content["intent"]: s.content["results"]
        for s in segments
        if s.kind == "outcome"
    }
    for segment in segments:
        if segment.kind != "intent":
            continue
        for *change, state, code, found in segment.content["left"]:
            left = _change(*change)
            yield Entry(left, state, code, canonical(left.column, found))
        sent = [_change(*change) for change in segment.content["send"]]
        unanswered = [("unknown", "")] * len(sent)
        results = answers.get(segment.number, unanswered)
        for change, (state, code) in zip(sent, results, strict=True):
            yield Entry(change, state, code)


def _change(record_id: str, column: str, before: object, after: object) -> Change:
    return Change(
        record_id, column, canonical(column, before), canonical(column, after)
    )


@attrs.frozen
class Archive:
    """The folder where plans and journals are kept, readable by its owner only."""

    folder: Path = attrs.field(converter=Path)

    def runs(self) -> tuple[str, ...]:
        """The ids of all runs, oldest first."""
        with self._usable():
            firsts = self.folder.glob(f"runs/*/{_name(1)}")
            begun = sorted((_begun_at(first), first.parent.name) for first in firsts)
        return tuple(run_id for _, run_id in begun)

    def journal(self, run_id: str) -> Journal:
        """The journal of a run, every segment of it verified.

        Raises:
            DamagedFileError: A segment was changed, dropped or swapped; it names the
                first.
        """
        segments = self.segments(run_id)
        if not segments:
            known = self.runs()
            latest = f"; its latest is {known[-1]!r}" if known else "; it holds no run"
            raise SettingsError(
                f"the archive {str(self.folder)!r} has no run {run_id!r}"
                + (did_you_mean(run_id, known) or latest)
            )
        return Journal.of(run_id, segments)

    def segments(self, run_id: str) -> tuple[Segment, ...]:
        """The verified segments of a run, in order; none if it never began."""
        folder = self._run(run_id)
        found: list[Segment] = []
        with self._usable():
            names = sorted(
                path.name
                for path in folder.glob("*.json")
                if _SEGMENT.fullmatch(path.name)
            )
            plan = folder / _PLAN
            previous = _storage.digest(plan.read_bytes()) if plan.is_file() else None
            for number, name in enumerate(names, 1):
                segment = _read_segment(folder / name, run_id, number, previous)
                found.append(segment)
                previous = segment.digest
        return tuple(found)

    def plan(self, run_id: str) -> bytes:
        """The plan of a run as it was applied; it verifies itself when it is read."""
        with self._usable():
            return (self._run(run_id) / _PLAN).read_bytes()

    def keep_plan(self, run_id: str, content: bytes) -> None:
        """Store the plan of a run; the same plan may come again, another may not."""
        folder = self._run(run_id)
        plan = folder / _PLAN
        with self._usable():
            if not plan.is_file():
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                _storage.write_atomically(plan, content, private=True)
            elif plan.read_bytes() != content:
                raise RefusedError(
                    f"the archive holds another plan under the id {run_id}; nothing was "
                    "written. Make a new plan."
                )

    def append(
        self, run_id: str, kind: SegmentKind, content: Json, *, after: Segment | None
    ) -> Segment:
        """Write the next segment of a run and have it on disk on return."""
        number = after.number + 1 if after else 1
        body = {
            "format": "crm-portfolio journal",
            "version": VERSION,
            "run": run_id,
            "number": number,
            "kind": kind,
            "at": _storage.now().isoformat(),
            "previous": after.digest if after else self._plan_digest(run_id),
            "content": content,
        }
        digest = _storage.digest(_storage.canonical_json(body))
        path = self._run(run_id) / _name(number)
        with self._usable():
            try:
                # A number is taken once, whatever its kind: two applies cannot mix.
                _storage.write_once(path, _sealed(body, digest), private=True)
            except FileExistsError as error:
                raise RefusedError(
                    f"another process writes the journal of run {run_id}; nothing more "
                    "was written by this one. Wait for it, then apply the plan again."
                ) from error
        return Segment(number, kind, content, digest)

    def _plan_digest(self, run_id: str) -> str:
        return _storage.digest(self.plan(run_id))

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """What the disk refuses, told so that a person can mend it."""
        try:
            yield
        except OSError as error:
            raise SettingsError(
                f"the archive {str(self.folder)!r} cannot be used: {error.strerror}. It "
                "must be a folder that this user may read and write, with room on its "
                "disk; then do the same again."
            ) from error

    def _run(self, run_id: str) -> Path:
        # An id comes from a command line: it must not lead out of the folder.
        if not _RUN_ID.fullmatch(run_id):
            raise SettingsError(f"{run_id!r} is no id of a run")
        return self.folder / "runs" / run_id


def _name(number: int) -> str:
    return f"{number:06d}.json"


def _begun_at(first: Path) -> str:
    try:
        return str(json.loads(first.read_bytes())["at"])
    except (LookupError, TypeError, ValueError) as error:
        name = f"{first.parent.name}/{first.name}"
        raise DamagedFileError(name, "this segment was changed", _RESTORE) from error


def _sealed(body: Json, digest: str) -> bytes:
    return _storage.canonical_json({**body, "sha256": digest}) + b"\n"


def _read_segment(
    path: Path, run_id: str, number: int, previous: str | None
) -> Segment:
    """One segment, if it is what was written and follows the one before."""
    name = f"{path.parent.name}/{path.name}"
    raw = path.read_bytes()
    try:
        body = dict(json.loads(raw))
    except (ValueError, TypeError):
        body = {}
    if isinstance(body.get("version"), int) and body["version"] > VERSION:
        raise DamagedFileError(
            name,
            f"this journal has format {body['version']}, this library reads up to {VERSION}",
            "Upgrade crm-portfolio.",
        )
    digest = str(body.pop("sha256", ""))
    if digest != _storage.digest(_storage.canonical_json(body)) or raw != _sealed(
        body, digest
    ):
        raise DamagedFileError(name, "this segment was changed", _RESTORE)
    if body["run"] != run_id or _name(body["number"]) != path.name:
        raise DamagedFileError(name, "this segment was swapped with another", _RESTORE)
    if body["number"] != number:
        missing = f"{path.parent.name}/{number:06d}"
        raise DamagedFileError(missing, "this segment is missing", _RESTORE)
    if previous is not None and body["previous"] != previous:
        what = (
            "the one before it was replaced" if number > 1 else "its plan was replaced"
        )
        raise DamagedFileError(name, f"this segment does not follow: {what}", _RESTORE)
    return Segment(number, body["kind"], body["content"], digest)
