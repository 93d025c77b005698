"""What does keeping a record of every write add to the writing itself?

The same plan is applied twice, in processes of their own: with an archive on disk, and
with one that keeps nothing. All else is the same: the re-reads, the first slice, the
read-backs.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from benchmarks._stage import Measured

_TIMES: Final = 2


def ratios(crm: str, count: int) -> Iterator[tuple[str, float, float]]:
    """What was measured, with the archive and without: the best of a few times each."""
    with _served(crm, count) as environment:
        kept, bare = (
            [_measured(how, crm, environment) for _ in range(_TIMES)]
            for how in ("kept", "bare")
        )
    assert {one.rows for one in (*kept, *bare)} == {count}
    for what in ("cpu_seconds", "wall_seconds"):
        yield what, *(min(getattr(one, what) for one in each) for each in (kept, bare))


@contextmanager
def _served(crm: str, count: int) -> Iterator[Mapping[str, str]]:
    command = [sys.executable, "-m", "benchmarks._write", "serve", crm, str(count)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield {**os.environ, **json.loads(process.stdout.readline())}
        finally:
            process.stdin.close()
            process.wait(60)


def _measured(how: str, crm: str, environment: Mapping[str, str]) -> Measured:
    command = [sys.executable, "-m", "benchmarks._write", how, crm]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment
    )
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


# In the processes


def _serve(crm: str, count: int) -> None:
    import pyarrow as pa

    from crm_portfolio import setup, simulator

    ids = [f"a{number:07}" for number in range(count)]
    tables: Any = {"account": pa.table({"account_id": ids, "name": ids})}
    kinds = {"salesforce": simulator.Salesforce, "hubspot": simulator.HubSpot}
    more: dict[str, Any] = {} if crm == "salesforce" else {"limits_by": "nothing"}
    with kinds[crm](tables, daily_limit=10_000_000, **more) as pretend:
        os.environ.update(pretend.environment)
        setup(_connected(crm), dry_run=False)
        print(json.dumps(dict(pretend.environment)), flush=True)
        sys.stdin.read()


def _connected(crm: str) -> Any:
    from crm_portfolio import connect
    from crm_portfolio.connectors.hubspot import HubSpotSettings

    if crm == "hubspot":
        return connect("hubspot", settings=HubSpotSettings(burst_calls=1_000_000))
    return connect("salesforce")


def _applied(how: str, crm: str) -> Measured:
    from crm_portfolio.archive import Archive
    from crm_portfolio.writeback import apply

    connector = _connected(crm)
    proposal = _plan(connector)
    with tempfile.TemporaryDirectory() as folder:
        archive: Any = Archive(Path(folder)) if how == "kept" else _Bare(proposal)
        started, wall = time.process_time(), time.perf_counter()
        journal = apply(proposal, connector, archive=archive, sleep=lambda _: None)
        cpu, wall = time.process_time() - started, time.perf_counter() - wall
    assert set(journal.counts) == {"written"}, journal
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measured(cpu, wall, peak, 0.0, len(proposal.records))


def _plan(connector: Any) -> Any:
    """Every account gets what it does not have: the other of two values."""
    from datetime import date

    from crm_portfolio._managed import PIN, STAMP, VALUES
    from crm_portfolio.protocols import Change
    from crm_portfolio.writeback import Header, Limits, Plan, PlannedChange, Policy
    from crm_portfolio.writeback._compare import draft, made_now

    accounts = [row for batch in connector.pull("account") for row in _rows(batch.rows)]
    drafts = []
    for rank, row in enumerate(accounts, 1):
        wanted = {
            "tier": "A" if row["tier"] == "B" else "B",
            "tier_since_on": date(2026, 6, 30),
            "portfolio_rank": rank + (row["tier"] == "B"),
            "revenue_share": 0.5 if row["tier"] == "B" else 0.25,
        }
        changes = [
            PlannedChange(Change(row["account_id"], c, row[c], value), False)  # noqa: FBT003
            for c, value in wanted.items()
            if row[c] != value
        ]
        held = {
            name: row.get(name) for name in (*VALUES["account"], STAMP, *PIN["account"])
        }
        drafts.append(draft("account", row["account_id"], held, changes))
    header = Header(
        connector.org(),
        date(2026, 6, 30),
        made_now(),
        "p",
        "s",
        "0",
        len(accounts),
        Limits(max_share=1.0, settle_seconds=0, max_two_tier_jumps=len(accounts)),
        Policy(),
    )
    return Plan.of(header, drafts)


def _rows(table: Any) -> list[dict[str, Any]]:
    return list(table.to_pylist())


class _Bare:
    """An archive that keeps nothing, and is asked for nothing."""

    def __init__(self, proposal: Any) -> None:
        self._id = proposal.id

    def keep_plan(self, *_: object) -> None:
        pass

    def outline(self, *_: object) -> tuple[()]:
        return ()

    def append(self, _run: str, kind: Any, content: Any, *, after: Any) -> Any:
        from crm_portfolio.archive import Segment

        return Segment(after.number + 1 if after else 1, kind, content, "")

    @contextmanager
    def lock(self, *_: object) -> Iterator[_Bare]:
        yield self

    def check(self) -> None:
        pass


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        _serve(sys.argv[2], int(sys.argv[3]))
    else:
        import attrs

        print(json.dumps(attrs.asdict(_applied(sys.argv[1], sys.argv[2]))))
