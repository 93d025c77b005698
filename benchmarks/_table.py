"""How far is each goal for large books met? One table, each contender in its own process.

    python -m benchmarks table [ROW …] [--records N] [--folder FOLDER]

With ten million records the sizes are those of the goals; with fewer, all are in
proportion. The ratio of a line is made of two runs beside each other on one machine, so it
holds where the machine is busy; seconds alone do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import isnan, nan
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import attrs

from benchmarks import _longer, _nights
from benchmarks._buyers import fitted_in_turn, is_there
from benchmarks._draws import at_risk_and_textbook
from benchmarks._process import in_turn
from benchmarks._stage import Measured, measured, served
from benchmarks._starts import started
from benchmarks._whole import analysed, scanned_by_hand
from benchmarks._whole_book import drawn

__all__ = ["HEAD", "LEAST", "ROWS", "lines", "shown"]

LEAST: Final = 20_000
"""Of fewer records the smallest book of some row is too small to be drawn."""
_DRAWS: Final = 10_000
_NOT_FLAT: Final = 1.15  # times the peak of a quarter, beside three numbers a record
_MOST_MB: Final = 400


@attrs.frozen
class Line:
    """One goal and what came of it; ``is_met`` is None where nothing was measured."""

    what: str
    goal: str
    told: str
    is_met: bool | None
    sides: tuple[tuple[str, Measured], ...] = ()


def lines(records: int, rows: list[str], folder: Path | None) -> Iterator[Line]:
    """Those rows of the table, or all.

    Args:
        records: Opportunities of the whole book; all else is in proportion.
        folder: Where books are drawn, and stay; None: nowhere that stays.
    """
    if folder is None:
        with TemporaryDirectory() as place:
            yield from lines(records, rows, Path(place))
        return
    for row in rows or ROWS:
        yield from ROWS[row](records, folder)


def shown(line: Line) -> str:
    """As a row of a table in Markdown."""
    mark = {True: "met", False: "MISSED", None: "not measured"}[line.is_met]
    sides = [f"{name}: {_spent(its)}" for name, its in line.sides]
    return f"| {line.what} | {line.goal} | {line.told} | {mark} | {'; '.join(sides)} |"


def _spent(its: Measured) -> str:
    told = ((its.cpu_seconds, ".2f", "s"), (its.wall_seconds, ".2f", "s of the clock"))
    told = (*told, (its.peak_mb, ".0f", "MB"))
    return ", ".join(
        f"{each:{form}} {unit}" for each, form, unit in told if not isnan(each)
    )


HEAD: Final = "| what | goal | measured | | CPU, wall, peak of each |\n| --- | --- | --- | --- | --- |"


def _book(folder: Path, accounts: int) -> Path:
    """A book of so many accounts; one that was drawn there before stays as it is."""
    if (folder / "portfolio.json").exists():
        return folder
    return drawn(folder / f"accounts-{accounts}", accounts)


def whole(records: int, folder: Path) -> Iterator[Line]:
    """All analyses, against one scan of the columns and the reductions by hand."""
    book = _book(folder, records // 10)
    floor, (ours, _) = scanned_by_hand(book), analysed(book)
    ratio = ours.cpu_seconds / floor.cpu_seconds
    yield Line(
        f"whole book of {_longer.long_rows(book):,} long rows, DuckDB",
        "CPU ≤ 2 × the floor",
        f"{ratio:.2f} ×",
        ratio <= 2,
        (("ours", ours), ("floor", floor)),
    )


def plain(records: int, folder: Path) -> Iterator[Line]:
    """Concentration, tiers and triage, against pandas scripts with the same answer.

    The rules of triage as a user reads them out, a row at a time; and beside it, as the
    most that pandas can do, by whole columns.
    """
    book = _book(folder, records // 10)
    names = ("ours", "by_row", "by_column")
    ours, *scripts = in_turn("_plain", names, book, times=1)
    what = f"concentration, tiers, triage of {records // 10:,} accounts / pandas"
    for name, script in zip(names[1:], scripts, strict=True):
        faster = script.cpu_seconds / ours.cpu_seconds
        clock = script.wall_seconds / ours.wall_seconds
        less = script.peak_mb / ours.peak_mb
        yield Line(
            f"{what}, {name.replace('_', ' ')}",
            "CPU ≥ 5 × less, peak ≥ 3 × less",
            f"{faster:.2f} × (clock {clock:.2f} ×), {less:.2f} ×",
            faster >= 5 and less >= 3,
            (("ours", ours), ("script", script)),
        )


def spark(records: int, folder: Path) -> Iterator[Line]:
    """Six reductions on PySpark, against Spark's SQL by hand."""
    book = _book(folder, records // 10)
    ours, by_hand = in_turn("_spark", ("ours", "by_hand"), book, times=1)
    ratio = ours.cpu_seconds / by_hand.cpu_seconds
    yield Line(
        f"six reductions of {records // 10:,} accounts, PySpark local / SQL by hand",
        "CPU ≤ 1.3 ×",
        f"{ratio:.2f} ×",
        ratio <= 1.3,
        (("ours", ours), ("by hand", by_hand)),
    )


def growth(records: int, folder: Path) -> Iterator[Line]:
    """Three analyses of a book, and of one ten times as long."""
    small = _book(folder, records // 50)
    # Beside the books that are drawn; in no book that is only read.
    beside = None if small == folder else folder
    with TemporaryDirectory(dir=beside) as place:
        large = _longer.longer(small, Path(place) / "book")
        sizes = [_longer.long_rows(each) for each in (small, large)]
        before, after = (_longer.three_analyses(each) for each in (small, large))
    ratio = after.wall_seconds / before.wall_seconds
    yield Line(
        f"concentration, tiers, triage: {sizes[0]:,} → {sizes[1]:,} long rows, DuckDB",
        "wall ≤ 12 ×, peak < 8 GB",
        f"{ratio:.1f} × (CPU {after.cpu_seconds / before.cpu_seconds:.1f} ×), "
        f"{after.peak_mb / 1024:.1f} GB",
        ratio <= 12 and after.peak_mb < 8 * 1024,
        (("ten times", after), ("once", before)),
    )


def pull(records: int, _: Path) -> Iterator[Line]:
    """A pull to a folder: its peak beside that of a quarter, its CPU beside the floor."""
    size = records * 2 // 5
    for crm, floor, limit in (
        ("hubspot", "hubspot-floor", 2.2),
        ("salesforce", "bulk-floor", 1.8),
    ):
        with served(crm, size // 4) as environment:
            quarter = measured("folder", environment, crm)
        with served(crm, size) as environment:
            ours = measured("folder", environment, crm)
            base = measured(floor, environment)
        allowed = min(quarter.peak_mb * _NOT_FLAT + 24 * size / 4e6, _MOST_MB)
        ratio = ours.cpu_seconds / base.cpu_seconds
        yield Line(
            f"pull of {size:,} opportunities to a folder, {crm}",
            f"peak ≤ {allowed:.0f} MB, CPU ≤ {limit} × the floor",
            f"{ours.peak_mb:.0f} MB, {ratio:.2f} ×",
            ours.peak_mb <= allowed and ratio <= limit,
            (("ours", ours), ("a quarter", quarter), (floor, base)),
        )


def nights(records: int, _: Path) -> Iterator[Line]:
    """Plan, apply, undo and its apply: of so many changes, and of a quarter of them."""
    for crm in ("salesforce", "hubspot"):
        quarter, whole = _nights.nights(crm, records // 10)
        allowed, kept = _nights.allowed_mb(quarter, whole), whole.archive_seconds
        share = kept / whole.cpu_seconds
        yield Line(
            f"plan, apply and undo of {whole.changes:,} changes, {crm}",
            f"peak ≤ {allowed:.0f} MB, archive ≤ 20 % of the client's CPU",
            f"{whole.peak_mb:.0f} MB, {share:.0%}",
            whole.peak_mb <= allowed and share <= 0.2,
            (("all", _of_night(whole)), ("a quarter", _of_night(quarter))),
        )


def _of_night(its: _nights.Night) -> Measured:
    return Measured(its.cpu_seconds, nan, its.peak_mb, its.start_mb, its.changes)


def start(_: int, __: Path) -> Iterator[Line]:
    """The import and the command's help; the least wall time of many starts."""
    bare, imported, told = started()
    more = imported.wall_seconds - bare.wall_seconds
    sides = (("bare Python", bare), ("import", imported))
    yield Line(
        "import crm_portfolio",
        "≤ 0.15 s over bare Python",
        f"{more:.3f} s",
        more <= 0.15,
        sides,
    )
    yield Line(
        "crm-portfolio --help",
        "≤ 0.4 s",
        f"{told.wall_seconds:.3f} s",
        told.wall_seconds <= 0.4,
        (("help", told),),
    )


def buyers(records: int, _: Path) -> Iterator[Line]:
    """The law of who still buys, against the package that most use for it."""
    what = f"lifetime_value fit of {records // 10:,} customers / lifetimes 0.11.3"
    goal = "same optimum, CPU ≥ 5 × less"
    if not is_there():
        yield Line(what, goal, "lifetimes is not installed", None)
        return
    ours, theirs = fitted_in_turn(records // 10, times=2)
    faster = theirs.cpu_seconds / ours.cpu_seconds
    sides = (("ours", ours), ("lifetimes", theirs))
    yield Line(what, goal, f"the same, {faster:.1f} ×", faster >= 5, sides)


def draws(records: int, _: Path) -> Iterator[Line]:
    """Years of who leaves, against all clients of a thousand years drawn at once."""
    accounts = records // 100
    ours, textbook = at_risk_and_textbook(accounts, _DRAWS)
    ratio = ours.cpu_seconds / textbook.cpu_seconds
    less = textbook.peak_mb / ours.peak_mb
    yield Line(
        f"revenue_at_risk, {accounts:,} × {_DRAWS:,} / numpy, 1,000 years at once",
        "CPU ≤ 1.2 ×, peak ≥ 5 × less",
        f"{ratio:.2f} ×, {less:.1f} ×",
        ratio <= 1.2 and less >= 5,
        (("ours", ours), ("textbook", textbook)),
    )


ROWS: Final[Mapping[str, Callable[[int, Path], Iterator[Line]]]] = {
    "whole": whole,
    "plain": plain,
    "spark": spark,
    "growth": growth,
    "pull": pull,
    "nights": nights,
    "start": start,
    "buyers": buyers,
    "draws": draws,
}
