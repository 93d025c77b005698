"""Does a night that changes everything fit into the memory of one that changes a quarter?

A plan is made, saved, read and applied; its run is taken back by another plan, which is
applied too. The pretend CRM is a process of its own, so that what is measured is the
client alone.

    python -m benchmarks._nights salesforce 1000000
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from inspect import isfunction
from pathlib import Path
from typing import Any, Final

import attrs

from benchmarks._write import _connected, _served

__all__ = ["Night", "allowed_mb", "nights"]

# Of each account: what is assigned below, and the stamp.
_CHANGES: Final = 5
# What may still grow with the changes: some bytes for each of them.
_BYTES_EACH: Final = 40
_RUN: Final = "run"


@attrs.frozen
class Night:
    """What plan, apply, undo and its apply took of one process.

    Attributes:
        cpu_seconds: Of all of it.
        archive_seconds: Of that, what was spent inside the archive.
        start_mb: The largest resident set when the results were there; ``peak_mb`` in
            the end.
        steps: The seconds of CPU of each step.
    """

    changes: int
    cpu_seconds: float
    archive_seconds: float
    start_mb: float
    peak_mb: float
    steps: Mapping[str, float]


def nights(crm: str, changes: int) -> tuple[Night, Night]:
    """A night of a quarter of so many changes, and one of all."""
    return _spent(crm, changes // 4), _spent(crm, changes)


def allowed_mb(small: Night, large: Night) -> float:
    """What the larger night may take where memory is flat.

    What its results took, before it began, is not the night's.
    """
    more = large.changes - small.changes
    return max(small.peak_mb * 1.1 + more * _BYTES_EACH / 1e6, large.start_mb)


def _spent(crm: str, changes: int) -> Night:
    count = max(changes // _CHANGES, 100)
    with _served(crm, count) as environment:
        command = [sys.executable, "-m", "benchmarks._nights", _RUN, crm]
        done = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, text=True, env=environment
        )
    return Night(**json.loads(done.stdout.splitlines()[-1]))


# In the process of the client


def _night(crm: str) -> Night:
    from crm_portfolio.archive import Archive
    from crm_portfolio.writeback import Limits, Plan, apply, plan, undo

    connector, steps = _connected(crm), dict[str, float]()
    result = _result(connector)
    start_mb, cpu = _peak_mb(), time.process_time()
    with tempfile.TemporaryDirectory() as folder, _timed() as spent:
        archive = Archive(Path(folder) / "archive")
        file = Path(folder) / "plan.jsonl"
        limits = Limits(settle_seconds=0)
        with _step(steps, "plan"):
            made = plan([result], connector, limits=limits, archive=archive)
            made.save(file)
        with _step(steps, "apply"):
            made = Plan.load(file)
            journal = apply(made, connector, archive=archive, sleep=lambda _: None)
        count = len(made.changes)
        assert journal.counts == {"written": count}, journal
        with _step(steps, "undo"):
            back = undo(archive.journal(made.id), connector, limits=limits)
            back.save(file)
        with _step(steps, "apply undo"):
            back = Plan.load(file)
            journal = apply(back, connector, archive=archive, sleep=lambda _: None)
        assert journal.counts == {"written": count}, journal
    whole = time.process_time() - cpu
    return Night(count, whole, sum(spent), start_mb, _peak_mb(), steps)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def _step(steps: dict[str, float], name: str) -> Iterator[None]:
    started = time.process_time()
    yield
    steps[name] = round(time.process_time() - started, 1)


@contextmanager
def _timed() -> Iterator[list[float]]:
    """The CPU of every call into the archive, and into what it knows of a run.

    A call within another is not counted twice. What is read lazily, an entry of a journal
    at a time, is not the archive's: whoever asks for it decides what to do with it.
    """
    from crm_portfolio.archive import Archive, Heard, Standing

    # A sum, not a list: some are called for every change.
    spent, within = [0.0], [0]

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any, **more: Any) -> Any:
            within[0] += 1
            started = time.process_time()
            try:
                return call(*given, **more)
            finally:
                within[0] -= 1
                if not within[0]:
                    spent[0] += time.process_time() - started

        return timed

    own = [
        (owner, name, call)
        for owner in (Archive, Heard, Standing)
        for name, call in vars(owner).items()
        if isfunction(call) and not name.startswith("_")
    ]
    for owner, name, call in own:
        setattr(owner, name, counted(call))
    yield spent
    for owner, name, call in own:
        setattr(owner, name, call)


def _result(connector: Any) -> Any:
    """What every account of the CRM gets, with the reasons of a tier."""
    from datetime import date

    import numpy as np
    import pyarrow as pa

    from crm_portfolio._wording import Reason
    from crm_portfolio.results import Result

    because = (
        Reason("slice", {"tier": "B", "share": 0.04, "edge": 150_000.0}),
        Reason("young", {"first_on": date(2026, 6, 1), "months": 1}),
    )

    class Assigned(Result):
        name, compared = "assigned", "tier"

        def assignments(self) -> pa.Table:
            return self._table

        def assigned_because(self, ids: Any) -> Any:
            return dict.fromkeys(ids, because)

        def _reasons(self, row: Any) -> Any:
            raise NotImplementedError

        def plot(self, **_: Any) -> Any:
            raise NotImplementedError

    batches = (batch.rows["account_id"] for batch in connector.pull("account"))
    ids = pa.concat_arrays([chunk for rows in batches for chunk in rows.chunks])
    places = np.arange(len(ids))
    return Assigned(
        table=pa.table(
            {
                "account_id": ids.cast(pa.string()),
                "tier": np.array(list("ABCD"))[places % 4],
                "tier_since_on": np.full(len(ids), np.datetime64("2026-06-30")),
                "portfolio_rank": places + 1,
                "revenue_share": places % 1_000 / 1e6,
            }
        ),
        rejected=pa.table({}),
        backend="pyarrow",
        summary={},
        params={"as_of": "2026-06-30", "portfolio": "p1"},
        coverage=1.0,
        warnings=(),
    )


def main() -> None:
    if sys.argv[1] == _RUN:
        print(json.dumps(attrs.asdict(_night(sys.argv[2]))))
        return
    crm, changes = sys.argv[1], int(sys.argv[2])
    small, large = nights(crm, changes)
    for one in (small, large):
        print(
            f"{crm}: {one.changes:,} changes, peak {one.peak_mb:.0f} MB (before it "
            f"{one.start_mb:.0f}), CPU {one.cpu_seconds:.0f} s, of it the archive's "
            f"{one.archive_seconds / one.cpu_seconds:.0%}; {dict(one.steps)}"
        )
    is_flat = large.peak_mb <= allowed_mb(small, large)
    print(f"allowed {allowed_mb(small, large):.0f} MB:", "met" if is_flat else "MISSED")


if __name__ == "__main__":
    main()
