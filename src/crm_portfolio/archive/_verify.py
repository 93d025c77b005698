"""Is every file of the archive what was written, and is none missing?

The segments of a run hold each other, its chain holds them all, the index holds the runs,
and each run's chain holds its lines of the index: whatever file is changed, dropped or
swapped, another one tells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

import attrs

from crm_portfolio.archive._chain import Chain, chain_file, read_run
from crm_portfolio.archive._index import INDEX, Listing, altered, read_index
from crm_portfolio.archive._place import Place
from crm_portfolio.archive._segments import PLAN, RESTORE, name_of
from crm_portfolio.errors import DamagedFileError

__all__ = ["Verification", "VerifiedRun", "verified"]

RunState = Literal["whole", "open", "damaged"]


@attrs.frozen
class VerifiedRun:
    """What the files of one run, or of the index, prove.

    Attributes:
        run_id: Empty for the index.
        state: ``open`` while a run works, and after it was killed: what it wrote last
            may lack, and only that.
        file: The first that was changed, dropped or swapped; with ``problem`` and
            ``hint``.
    """

    run_id: str
    at: str
    segments: int
    state: RunState
    file: str = ""
    problem: str = ""
    hint: str = ""


@attrs.frozen
class Verification:
    """What was verified, the index first, then the runs, oldest first.

    Attributes:
        quiet_nights: How many nights the index tells of that found nothing to write.
    """

    runs: tuple[VerifiedRun, ...]
    quiet_nights: int = 0

    @property
    def damaged(self) -> tuple[VerifiedRun, ...]:
        return tuple(run for run in self.runs if run.state == "damaged")

    @property
    def exit_code(self) -> int:
        """0 all is as it was written, 7 something is not."""
        return DamagedFileError.exit_code if self.damaged else 0

    def __str__(self) -> str:
        segments = sum(run.segments for run in self.runs)
        count = sum(1 for run in self.runs if run.run_id)
        quiet = f", {self.quiet_nights:,} quiet night(s)" if self.quiet_nights else ""
        told = [f"{count:,} run(s), {segments:,} segment(s){quiet} read"]
        told += [f"{run.file}: {run.problem}. {run.hint}" for run in self.damaged]
        if not self.damaged:
            told.append("all as they were written")
        still = sum(1 for run in self.runs if run.state == "open")
        if still:
            told.append(
                f"{still:,} without an end: at work, or killed; of what a killed run wrote "
                "last, the last file cannot be proven"
            )
        return "\n".join(told)


def verified(folder: Place, run_id: str | None) -> Verification:
    """What the files of an archive prove; of one run, if it is named."""
    listings, damage = read_index(folder)
    told: defaultdict[str, list[Listing]] = defaultdict(list)
    for listing in listings:
        if listing.kind != "quiet":
            told[listing.run_id].append(listing)
    runs = folder / "runs"
    names = dict.fromkeys([*told, *runs.folders()])
    judged: list[VerifiedRun] = []
    chains: list[Chain] = []
    for name in names if run_id is None else names.keys() & {run_id}:
        chain = _read(runs / name, told[name])
        if isinstance(chain, VerifiedRun):
            judged.append(chain)
            continue
        judged.append(_judged(name, chain))
        chains.append(chain)
    if damage is None:
        # A run that was at work may have been listed since.
        since, _ = read_index(folder)
        missing = [fault for chain in chains for fault in _not_in(since, chain)]
        damage = min(missing, key=_line_number, default=None)
    if damage:
        judged.insert(0, _damaged("", "", 0, damage))
    quiet_nights = sum(listing.kind == "quiet" for listing in listings)
    return Verification(tuple(judged), 0 if run_id else quiet_nights)


def _read(folder: Place, told: Sequence[Listing]) -> Chain | VerifiedRun:
    """The run in this folder, or the first fault in it."""
    at = told[0].at if told else ""
    try:
        chain = read_run(folder, folder.name, lambda _: None)
    except DamagedFileError as error:
        return _damaged(folder.name, at, 0, error)
    fault = _fault(folder, chain, told)
    return _damaged(folder.name, at, len(chain.segments), fault) if fault else chain


def _fault(
    folder: Place, chain: Chain, told: Sequence[Listing]
) -> DamagedFileError | None:
    """What the run's segments and chain alone do not show: a plan or an end that lacks."""
    segments = chain.segments
    if not segments and not folder.exists():
        return DamagedFileError(folder.name, "this run is missing", RESTORE)
    if segments and not folder.holds(PLAN):
        name = f"{folder.name}/{PLAN}"
        return DamagedFileError(name, "this plan is missing", RESTORE)
    for listing in told:
        if listing.segments > len(segments):
            name = f"{folder.name}/{name_of(len(segments) + 1)}"
            return DamagedFileError(name, "this segment is missing", RESTORE)
        if segments[listing.segments - 1].digest != listing.last:
            name = f"{folder.name}/{name_of(listing.segments)}"
            return DamagedFileError(name, "this segment was replaced", RESTORE)
        if listing.segments > chain.listed:
            name = f"{folder.name}/{chain_file(chain.listed + 1)}"
            return DamagedFileError(name, "this chain was cut", RESTORE)
    return None


def _judged(run_id: str, chain: Chain) -> VerifiedRun:
    segments = chain.segments
    is_ended = bool(segments) and segments[-1].kind == "end"
    at = segments[0].at if segments else ""
    return VerifiedRun(run_id, at, len(segments), "whole" if is_ended else "open")


def _not_in(listings: Sequence[Listing], chain: Chain) -> Iterable[DamagedFileError]:
    """The lines of the index that this run's chain names and the index does not hold."""
    for number, digest in chain.listings:
        if number > len(listings):
            yield altered(number, "is missing")
        elif listings[number - 1].digest != digest:
            yield altered(number, "was replaced")


def _line_number(error: DamagedFileError) -> int:
    return int(error.file.removeprefix(f"{INDEX} line "))


def _damaged(
    run_id: str, at: str, segments: int, error: DamagedFileError
) -> VerifiedRun:
    return VerifiedRun(
        run_id, at, segments, "damaged", error.file, error.problem, error.hint
    )
