"""The whole book in a folder on DuckDB, and single reductions of it against SQL by hand.

The book is drawn once and stays where it lies: each contender reads what it needs of it,
in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks._stage import Measured
from benchmarks._triage_by_hand import by_hand as triaged
from benchmarks._whole_book import ZONE

__all__ = ["REDUCTIONS", "analysed", "reduced_in_turn", "scanned_by_hand"]

AS_OF: Final = date(2026, 6, 30)
_START, _END, _BEFORE = date(2025, 7, 1), date(2026, 7, 1), date(2024, 7, 1)
LONG: Final = (
    "opportunity",
    "opportunity_change",
    "activity",
    "revenue_line",
    "invoice",
)
_FIELDS: Final = ("cpu_seconds", "wall_seconds", "peak_mb", "baseline_mb", "rows")
_MEMORY, _THREADS = "3GB", 2  # DuckDB's, ours and by hand


def analysed(folder: Path) -> tuple[Measured, Mapping[str, Measured]]:
    """The whole book, and what each analysis added to those made before it."""
    told = _told("analyse", "ours", folder)
    return Measured(**told["measured"]), {
        name: Measured(**each) for name, each in told["nouns"].items()
    }


def scanned_by_hand(folder: Path) -> Measured:
    """One scan of every column of the long tables, each reduction by hand, and triage."""
    return Measured(**_told("floor", "by_hand", folder)["measured"])


def reduced_in_turn(
    folder: Path, name: str, *, times: int
) -> tuple[Measured, Measured]:
    """One reduction, ours and by hand, so many times in turn; the least CPU of each.

    Raises:
        AssertionError: They did not find the same.
    """
    rounds = [
        [_told(name, who, folder) for who in ("ours", "by_hand")] for _ in range(times)
    ]
    found = {json.dumps(each["sums"]) for one in rounds for each in one}
    assert len(found) == 1, (name, found)
    ours, other = (
        min((Measured(**e["measured"]) for e in of_one), key=lambda e: e.cpu_seconds)
        for of_one in zip(*rounds, strict=True)
    )
    return ours, other


def _told(what: str, who: str, folder: Path) -> Any:
    command = [sys.executable, "-m", "benchmarks._whole", what, who, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


# In the processes


def _revenue(book: Any) -> Any:
    from crm_portfolio.analysis import _facts
    from crm_portfolio.analysis._facts._revenue import _by_account, _months
    from crm_portfolio.portfolio import Period

    days = _facts.account_days(book, "net_revenue")
    span, before = Period.between(_START, _END), Period.between(_BEFORE, _START)
    table = _by_account(days, span, before)
    assert _months(days, span).num_rows <= table.num_rows
    return table.select(["account_id", "revenue", "lines", "revenue_previous"])


def _bought(book: Any) -> Any:
    from crm_portfolio.analysis import _facts
    from crm_portfolio.analysis._facts._signals import purchase_days

    days = _facts.account_days(book, "net_revenue")
    return purchase_days(days, _END).select(["account_id", "days"])


def _paid(book: Any) -> Any:
    from crm_portfolio.analysis import _facts

    found = _facts.payments(book["invoice"], start=_START, as_of=AS_OF, digits=2)
    return found.select(["payer_id", "weight", "floored"])


def _inbound(book: Any) -> Any:
    from datetime import UTC, datetime

    from crm_portfolio.analysis._facts._signals import activities_in

    edges = tuple(
        datetime(each.year, each.month, each.day, tzinfo=UTC)
        for each in (_BEFORE, _START, _END)
    )
    return activities_in(book["activity"], edges).select(
        ["account_id", "now", "before"]
    )


def _opened(book: Any) -> Any:
    from crm_portfolio.analysis import _facts

    days = [date(2026, month, 1) for month in range(1, 7)]
    names = ["owner_id", *(f"at_{at}" for at in range(6))]
    return _facts.open_by_owner(book, days).select(names)


def _after(book: Any) -> Any:
    from crm_portfolio.analysis import _facts

    found = _facts.after_losses(book, _facts.Contacts())
    return found.select(["opportunity_id", "attempts", "answers"])


_LATE: Final = """
SELECT payer_id, sum(weight)::BIGINT, sum(weight * greatest(days, 0))::BIGINT,
  sum(weight * days)::BIGINT, sum(CASE WHEN days > 0 THEN weight END)::BIGINT, count(*),
  count(*) FILTER (WHERE days > 0), sum(days)::BIGINT, sum(greatest(days, 0))::BIGINT,
  max(greatest(days, 0)), max(CASE WHEN days > 0 AND is_paid THEN paid_on END),
  min(CASE WHEN NOT is_paid THEN due_on END) FROM (
  SELECT account_id AS payer_id, is_disputed, due_on, paid_on, is_paid,
    CASE WHEN is_paid THEN net ELSE least(coalesce(still, net), net) END AS weight,
    date_diff('day', due_on, coalesce(CASE WHEN is_paid THEN paid_on END,
      DATE '2026-06-30')) AS days
  FROM (SELECT *, coalesce(paid_on <= DATE '2026-06-30', false) AS is_paid,
    round(amount * 100)::BIGINT AS net, round(open_amount * 100)::BIGINT AS still
    FROM invoice WHERE amount > 0 AND issued_on <= DATE '2026-06-30'))
WHERE weight > 0 AND (is_paid OR due_on < DATE '2026-06-30')
  AND (NOT is_paid OR due_on >= DATE '2025-07-01')
GROUP BY payer_id, is_disputed"""
_AFTER: Final = """
WITH lost AS (SELECT opportunity_id, closed_on,
    timezone('Europe/Berlin', (closed_on + 1)::TIMESTAMP) AS since
    FROM opportunity WHERE status = 'lost' AND closed_on IS NOT NULL)
SELECT opportunity_id, count(*) FILTER (WHERE is_out), count(*) FILTER (WHERE is_in) FROM (
  SELECT opportunity_id, kind = 'meeting' OR coalesce(direction, 'out') <> 'in' AS is_out,
    kind = 'meeting' OR direction = 'in' AS is_in
  FROM activity JOIN lost USING (opportunity_id)
  WHERE coalesce(status, 'held') = 'held' AND occurred_at >= since
    AND occurred_at < TIMESTAMPTZ '2026-06-30 22:00:00+00')
GROUP BY opportunity_id"""

REDUCTIONS: Final[Mapping[str, tuple[Callable[[Any], Any], str]]] = {
    "revenue by account": (
        _revenue,
        """SELECT account_id, coalesce(sum(minor) FILTER (WHERE booked_on >= '2025-07-01'), 0),
        count(*) FILTER (WHERE booked_on >= '2025-07-01'),
        coalesce(sum(minor) FILTER (WHERE booked_on >= '2024-07-01'
          AND booked_on < '2025-07-01'), 0), count(DISTINCT date_trunc('month', booked_on)),
        min(booked_on)
        FROM (SELECT *, round(amount * 100)::BIGINT AS minor FROM revenue_line)
        WHERE booked_on < '2026-07-01' GROUP BY account_id""",
    ),
    "days of purchases": (
        _bought,
        """SELECT account_id, count(*) FROM (SELECT account_id, booked_on FROM revenue_line
        WHERE booked_on < '2026-07-01' GROUP BY ALL
        HAVING sum(round(amount * 100)::BIGINT) > 0) GROUP BY account_id""",
    ),
    "lateness of payers": (_paid, _LATE),
    "inbound activities": (
        _inbound,
        """SELECT account_id, count(*) FILTER (WHERE occurred_at >= '2025-07-01 00:00:00+00'),
        count(*) FILTER (WHERE occurred_at < '2025-07-01 00:00:00+00') FROM activity
        WHERE direction = 'in' AND coalesce(status, 'held') = 'held'
        AND account_id IS NOT NULL AND occurred_at >= '2024-07-01 00:00:00+00'
        AND occurred_at < '2026-07-01 00:00:00+00' GROUP BY account_id""",
    ),
    "open by owner": (
        _opened,
        "SELECT coalesce(owner_id, ''), "
        + ", ".join(
            f"count(*) FILTER (WHERE created_at < timezone('Europe/Berlin', "
            f"TIMESTAMP '2026-{month:02}-01') AND (closed_on IS NULL "
            f"OR closed_on >= '2026-{month:02}-01'))"
            for month in range(1, 7)
        )
        + " FROM opportunity WHERE status = 'open' OR closed_on IS NOT NULL GROUP BY ALL",
    ),
    "contacts after losses": (_after, _AFTER + " HAVING bool_or(is_out OR is_in)"),
}


def _load(folder: Path) -> Any:
    from crm_portfolio import Portfolio

    return Portfolio.load(folder, backend="duckdb")


def _peak_mb() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _timed(run: Callable[[], Any]) -> tuple[dict[str, Any], Any]:
    clock = _Clock()
    found = run()
    return clock.told(getattr(found, "num_rows", 0)), found


class _Clock:
    """CPU, time and the largest resident set, from when it is made."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        self._before = _peak_mb()
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def told(self, rows: int) -> dict[str, Any]:
        cpu = time.process_time() - self._cpu
        wall = time.perf_counter() - self._wall
        told = (cpu, wall, _peak_mb(), self._before, rows)
        return dict(zip(_FIELDS, told, strict=True))


def _whole(folder: Path) -> dict[str, Any]:
    """As a user has it made; each analysis takes what it needs and is not there yet."""
    from crm_portfolio import analyse

    nouns: dict[str, dict[str, Any]] = {}
    clocks: dict[str, _Clock] = {}

    def tell(name: str, done: int, _total: int | None) -> None:
        if not done:
            clocks[name] = _Clock()
            return
        its = nouns[name] = clocks[name].told(0)
        far = f"{len(nouns)}: {name}, {its['cpu_seconds']:.1f} s of CPU"
        print(f"{far}, {its['peak_mb']:.0f} MB", file=sys.stderr, flush=True)

    before = _peak_mb()
    cpu, wall = time.process_time(), time.perf_counter()
    found = analyse(_load(folder), progress=tell)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    peak = max(_peak_mb(), *(each["peak_mb"] for each in nouns.values()))
    told = (cpu, wall, peak, before, len(found))
    return {"measured": dict(zip(_FIELDS, told, strict=True)), "nouns": nouns}


def _connected(folder: Path) -> Any:
    """DuckDB, in which every table of the folder has its name."""
    import duckdb

    connection = duckdb.default_connection()
    for path in folder.glob("*.parquet"):
        connection.execute(f"CREATE VIEW {path.stem} AS FROM '{path}'")
    return connection


def _floor(folder: Path) -> dict[str, Any]:
    connection = _connected(folder)

    def run() -> None:
        for table in LONG:
            columns = connection.table(table).columns
            largest = ", ".join(f'max("{name}")' for name in columns)
            connection.sql(f"SELECT {largest} FROM {table}").to_arrow_table()
        for _, by_hand in REDUCTIONS.values():
            connection.sql(by_hand).to_arrow_table()
        triaged(connection, ZONE)

    return {"measured": _timed(run)[0]}


def _reduction(name: str, who: str, folder: Path) -> dict[str, Any]:
    from crm_portfolio.analysis import _facts
    from crm_portfolio.portfolio import Period

    assert _facts.one_of
    assert Period.between  # imported before the clock starts
    ours, by_hand = REDUCTIONS[name]
    book, connection = _load(folder), _connected(folder)
    if who == "ours":
        measured, found = _timed(lambda: ours(book))
    else:
        measured, found = _timed(lambda: connection.sql(by_hand).to_arrow_table())
    columns = len(ours(book).column_names) if who == "by_hand" else found.num_columns
    sums = [int(sum(found.column(at).to_pylist())) for at in range(1, columns)]
    return {"measured": measured, "sums": [found.num_rows, *sums]}


@contextmanager
def _bounded() -> Iterator[None]:
    """DuckDB with so much memory and so many cores, and a folder for the rest."""
    import duckdb

    connection = duckdb.default_connection()
    with TemporaryDirectory() as place:
        connection.execute(f"SET threads = {_THREADS}")
        connection.execute(f"SET memory_limit = '{_MEMORY}'")
        connection.execute(f"SET temp_directory = '{place}'")
        yield


if __name__ == "__main__":
    what, who, place = sys.argv[1:]
    with _bounded():
        if what in ("analyse", "floor"):
            told = {"analyse": _whole, "floor": _floor}[what](Path(place))
        else:
            told = _reduction(what, who, Path(place))
    print(json.dumps(told))
