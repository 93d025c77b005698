"""Where are plans and journals kept, and how is the next segment written?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path, PurePath
from typing import Any, Final

import attrs

from crm_portfolio import _storage
from crm_portfolio._storage import Content
from crm_portfolio.archive._address import Address, address_of
from crm_portfolio.archive._chain import (
    INDEXED,
    list_listing,
    list_segment,
    overtaken,
    read_run,
)
from crm_portfolio.archive._heard import Heard
from crm_portfolio.archive._index import (
    IndexedRun,
    Listing,
    add_listing,
    add_quiet,
    indexed,
    read_index,
    sound_index,
)
from crm_portfolio.archive._journal import Journal
from crm_portfolio.archive._lease import LEASE_SECONDS, Lease, folder_name, take
from crm_portfolio.archive._place import Place
from crm_portfolio.archive._places import place_of
from crm_portfolio.archive._segments import (
    PLAN,
    RESTORE,
    Json,
    Segment,
    SegmentKind,
    name_of,
    sealed,
)
from crm_portfolio.archive._told import Told
from crm_portfolio.archive._usable import usable
from crm_portfolio.archive._verify import Verification, verified
from crm_portfolio.errors import (
    DamagedFileError,
    RefusedError,
    SettingsError,
    did_you_mean,
)
from crm_portfolio.protocols import Org

__all__ = ["Archive"]

_RUN_ID: Final = re.compile(r"[0-9a-z-]{1,64}")


@attrs.frozen
class Archive:
    """Where plans and journals are kept: a folder for its owner only, or a store.

    Attributes:
        address: A path, or what names a place in a store, such as ``s3://bucket/crm``.
            The login of a store is in the environment, never in its address.

    Raises:
        SettingsError: The address holds a login, or leads nowhere.
        MissingExtraError: A store needs the extra ``remote``.
    """

    address: Path | Address = attrs.field(converter=address_of)
    root: Place = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "root", place_of(self.address))

    def __reduce__(self) -> tuple[type[Archive], tuple[Any]]:
        """Another process opens the store anew, with the login of its environment."""
        given = self.address
        return type(self), (given if isinstance(given, PurePath) else str(given),)

    def __str__(self) -> str:
        return str(self.address)

    @property
    def folder(self) -> Path:
        """The folder on this machine.

        Raises:
            SettingsError: It is kept in a store.
        """
        if isinstance(self.address, Path):
            return self.address
        raise SettingsError(f"the archive {str(self)!r} is no folder of this machine")

    def inside(self, *names: str) -> Path | str:
        """Where a file of this name lies beside the runs: a path, or its address."""
        if isinstance(self.address, Path):
            return self.address.joinpath(*names)
        return "/".join((str(self), *names))

    def runs(self, org: Org | None = None) -> tuple[str, ...]:
        """The ids of all runs, or of those at one org, oldest first.

        Nights that found nothing to write are none.
        """
        return tuple(run.run_id for run in self.index(org) if not run.is_quiet)

    def index(self, org: Org | None = None) -> tuple[IndexedRun, ...]:
        """What the index tells of runs and quiet nights, oldest first; reads no run.

        A run that was killed before it did anything is not in it.

        Raises:
            DamagedFileError: The index was altered, or taken away; it names the first
                such line.
        """
        with usable(self.root):
            runs = indexed(sound_index(self.root))
        if org is None:
            return runs
        return tuple(run for run in runs if folder_name(run.org) == folder_name(org))

    def holds(self, run_id: str) -> bool:
        """Whether there is a folder of this run, be the index as it may."""
        is_id = _RUN_ID.fullmatch(run_id) is not None
        with usable(self.root):
            return is_id and (self.root / "runs" / run_id).exists()

    def journal(self, run_id: str, *, told: Told | None = None) -> Journal:
        """The journal of a run, every segment of it verified.

        Args:
            told: Empty so far; where what came of the changes is put aside.

        Raises:
            DamagedFileError: A segment was changed, dropped or swapped; it names the
                first.
            SettingsError: There is no such run.
        """
        heard = Heard(Told() if told is None else told)
        segments = self.outline(run_id, heard.hear)
        if not segments:
            if run_id in self.runs():
                raise DamagedFileError(run_id, "this run is missing", RESTORE)
            raise self._unknown(run_id)
        begun = [segment for segment in segments if segment.kind == "begin"]
        return Journal.after(run_id, begun[-1], segments[-1], heard.all())

    def outline(
        self, run_id: str, each: Callable[[Segment], object]
    ) -> tuple[Segment, ...]:
        """The segments of a run without what they say of single changes.

        Args:
            each: Told of each segment, whole, as it is read.

        Raises:
            DamagedFileError: As `journal`; what was told until then is worth nothing.
        """
        with usable(self.root):
            return read_run(self._run(run_id), run_id, each).segments

    def segments(self, run_id: str) -> tuple[Segment, ...]:
        """The verified segments of a run, in order; none if it never began."""
        with usable(self.root):
            return read_run(self._run(run_id), run_id).segments

    def verify(self, run_id: str | None = None) -> Verification:
        """Whether all files of all runs, or of one, are those that were written.

        Nothing is raised for damage: the report names the first file of each run that
        was changed, dropped or swapped.

        Raises:
            SettingsError: There is no such run, or none at all.
        """
        if run_id is not None:
            self._run(run_id)
        with usable(self.root):
            report = verified(self.root, run_id)
        if not report.runs and not report.quiet_nights:
            if run_id is not None:
                raise self._unknown(run_id)
            raise SettingsError(
                f"there is no run in {str(self)!r}: nothing was verified. Name the "
                "folder that `apply` was given."
            )
        return report

    def plan(self, run_id: str) -> bytes:
        """The plan of a run as it was applied; it verifies itself when it is read.

        Raises:
            DamagedFileError: It was taken away, alone or with its run.
            SettingsError: There is no such run.
        """
        return b"".join(self.plan_parts(run_id))

    def plan_parts(self, run_id: str) -> Iterator[bytes]:
        """The same in pieces: a large one need not be in memory.

        Raises:
            DamagedFileError: It was taken away, alone or with its run.
            SettingsError: There is no such run.
        """
        folder = self._run(run_id)
        with usable(self.root), suppress(FileNotFoundError):
            return _usable_parts(self.root, folder.parts(PLAN))
        if not self.holds(run_id) and run_id not in self.runs():
            raise self._unknown(run_id)
        raise DamagedFileError(f"{run_id}/{PLAN}", "this plan is missing", RESTORE)

    def keep_plan(self, run_id: str, content: Content) -> None:
        """Store the plan of a run; the same plan may come again, another may not.

        Args:
            content: If in pieces, they can be asked for as often as need be.
        """
        folder = self._run(run_id)
        with usable(self.root):
            try:
                known = _storage.digest_of_all(folder.parts(PLAN))
            except FileNotFoundError:
                folder.make()
                folder.create(PLAN, content)
                return
        if known != _storage.digest_of_all(_storage.in_parts(content)):
            raise RefusedError(
                f"the archive holds another plan under the id {run_id}; nothing was "
                "written. Make a new plan."
            )

    def note_quiet(
        self,
        night_id: str,
        org: Org,
        *,
        as_of: date,
        population: int,
        compared: Mapping[str, int] | None = None,
    ) -> None:
        """Note that a night compared so many accounts and found nothing to write.

        It takes a line of the index and no run: there is nothing to take back.

        Args:
            compared: Of other tables: records compared for each column.

        Raises:
            DamagedFileError: The index was altered, or taken away.
        """
        told = {
            "org": attrs.asdict(org),
            "as_of": as_of.isoformat(),
            "population": population,
            "compared": compared or {},
            "change_count": 0,
            "undoes": "",
            "interrupted": "",
        }
        with usable(self.root):
            self.root.make()
            add_quiet(self.root, night_id, told)

    def append(
        self, run_id: str, kind: SegmentKind, content: Json, *, after: Segment | None
    ) -> Segment:
        """Write the next segment of a run and have it on disk on return.

        Raises:
            LockHeldError: Another process wrote that segment already.
            DamagedFileError: The run, or the index, was altered.
        """
        number = after.number + 1 if after else 1
        previous = (
            after.digest if after else _storage.digest_of_all(self.plan_parts(run_id))
        )
        segment, raw = sealed(run_id, number, kind, content, previous)
        folder = self._run(run_id)
        with usable(self.root):
            if kind == "begin":
                self._mend(folder)
            try:
                # A number is taken once, whatever its kind: two applies cannot mix.
                folder.create(name_of(number), raw)
            except FileExistsError as error:
                raise overtaken(run_id) from error
            self._list_segment(folder, segment, after)
            if kind in INDEXED:
                self._list(folder, segment)
        return segment

    def _mend(self, folder: Place) -> None:
        """List what a run that was killed had written and not listed yet."""
        run_id, chain = folder.name, read_run(folder, folder.name, lambda _: None)
        if not chain.segments:
            return
        last = chain.segments[-1]
        known = (
            next(iter(self._listings(run_id, last)), None) if chain.awaited else None
        )
        # An older version listed nothing, a run that was killed all but its last.
        before: tuple[Segment | None, ...] = (None, *chain.segments)
        for segment in chain.segments[chain.listed :]:
            self._list_segment(folder, segment, before[segment.number - 1])
            if segment.kind in INDEXED:
                self._list(folder, segment)
        if chain.awaited:
            self._list(folder, last, known)

    def _list_segment(
        self, folder: Place, segment: Segment, after: Segment | None
    ) -> None:
        told = self._listings(folder.name, after) if after else []
        list_segment(folder, segment, after, [each.digest for each in told])

    def _listings(self, run_id: str, segment: Segment) -> list[Listing]:
        """The lines of the index that tell of a segment: one, or none."""
        if segment.kind not in INDEXED:
            return []
        lines, _ = read_index(self.root)
        return [x for x in lines if (x.run_id, x.last) == (run_id, segment.digest)]

    def _list(
        self, folder: Place, segment: Segment, known: Listing | None = None
    ) -> None:
        listing = known or add_listing(self.root, folder.name, segment)
        list_listing(folder, segment, listing.number, listing.digest)

    @contextmanager
    def lock(
        self, org: Org, run_id: str = "", *, lease_seconds: float = LEASE_SECONDS
    ) -> Iterator[Lease]:
        """Hold an org, so that one run at a time writes to it.

        Args:
            org: Sandbox and production are two.
            run_id: Told to whoever finds the org held.
            lease_seconds: How long the holder may stand still before another run may
                take the org over; a living holder keeps it however long a batch takes.

        Raises:
            LockHeldError: Another run holds it; it says which, where, and since when.
            SettingsError: The store cannot keep two runs apart.
        """
        folder = self.root / "locks" / folder_name(org)
        with usable(self.root):
            self.root.ready()
            lease = take(folder, org, run_id, seconds=lease_seconds)
        with lease.kept():
            yield lease

    def _unknown(self, run_id: str) -> SettingsError:
        known = self.runs()
        latest = f"; its latest is {known[-1]!r}" if known else "; it holds no run"
        return SettingsError(
            f"the archive {str(self)!r} has no run {run_id!r}"
            + (did_you_mean(run_id, known) or latest)
        )

    def _run(self, run_id: str) -> Place:
        # An id comes from a command line: it must not lead out of the folder.
        if not _RUN_ID.fullmatch(run_id):
            raise SettingsError(f"{run_id!r} is no id of a run")
        return self.root / "runs" / run_id


def _usable_parts(root: Place, parts: Iterator[bytes]) -> Iterator[bytes]:
    with usable(root):
        yield from parts
