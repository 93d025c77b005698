"""Which open work waits for us today, and for what?"""

from __future__ import annotations

from typing import Any, Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import nw
from crm_portfolio.analysis._facts import (
    Contacts,
    collected,
    enquired,
    open_pursuits,
    tallied,
    with_segment,
)
from crm_portfolio.analysis._lost._triage import Triage
from crm_portfolio.results import Json

__all__ = ["CAUSES", "OPEN_BY", "Waiting"]

CAUSES: Final = ("unanswered", "silent", "no_next_step", "overdue", "unassigned")
"""What a record waits for: an answer past the time we set ourselves, any activity, a next
step, a day that is still to come, somebody of ours."""
OPEN_BY: Final = ("source", "segment", "pipeline", "stage", "created_day", "owner_id")

_HOUR: Final = 3600
_LISTED: Final = ("record_id", "account_id", "owner_id", "source")
_NUMBERS: Final = ("created_day", "last_day", "silent_days", "waited_s", "minor")


@attrs.frozen(eq=False)
class Waiting:
    """Open opportunities, and enquiries that became none, with what each waits for.

    Attributes:
        knows_steps: Whether the source can say what the next step is.
    """

    triage: Triage
    contacts: Contacts
    knows_steps: bool

    @classmethod
    def of(cls, triage: Triage) -> Waiting:
        frame = nw.from_native(triage.portfolio["opportunity"])
        own = triage.settings
        return cls(
            triage,
            Contacts(own.automatic_kinds, own.two_way_kinds),
            "next_step" in frame.collect_schema().names(),
        )

    def opportunities(self) -> Any:
        """Open ones, lazily: 1 where a cause holds, else 0, also where nobody knows.

        Where the activities of the owner are not kept, only what the CRM itself says of
        the last one tells of silence, and nothing of an answer.
        """
        limits, triage = self.triage.limits, self.triage
        rows = open_pursuits(triage.portfolio, triage.clock, self.contacts)
        rows = triage.with_capture(rows)
        is_kept = nw.col("is_captured") == 1
        is_told = is_kept | ~nw.col("noted_day").is_null()
        late = nw.col("waited_s") > limits.response_s
        holds = {
            "unanswered": is_kept & nw.col("answered_s").is_null() & late,
            "silent": is_told & (nw.col("silent_days") >= limits.silent_days),
            "no_next_step": (nw.col("has_next_step") == 0) & nw.lit(self.knows_steps),
            "overdue": nw.col("expected_close_on") < triage.portfolio.as_of,
            "unassigned": self._unassigned(),
        }
        return _flagged(rows, holds)

    def enquiries(self) -> Any:
        """Those of the period without an answer past the time we set ourselves, lazily."""
        triage = self.triage
        rows = enquired(triage.portfolio, triage.span, triage.clock, self.contacts)
        late = nw.col("waited_s") > triage.limits.response_s
        is_unanswered = nw.col("answered_s").is_null() & late
        is_kept = nw.lit(self.keeps_answers)
        holds: dict[str, Any] = dict.fromkeys(CAUSES, nw.lit(value=False))
        holds["unanswered"] = is_unanswered & is_kept
        holds["unassigned"] = self._unassigned() & nw.col("answered_s").is_null()
        return _flagged(rows, holds)

    @property
    def keeps_answers(self) -> bool:
        """Whether enough say when they were answered that one without is unanswered."""
        told, answered = self.triage.answers or (0, 0)
        least = self.triage.settings.min_capture_share
        return answered > 0 and answered >= least * told

    def _unassigned(self) -> Any:
        """Nobody has it, or somebody who no longer works in the CRM."""
        nobody, gone = nw.col("owner_id").is_null(), self._gone()
        return nobody | nw.col("owner_id").is_in(gone) if gone else nobody

    def _gone(self) -> list[str]:
        if "owner" not in self.triage.portfolio:
            return []
        owners = self.triage.portfolio.arrow("owner")
        if "is_active" not in owners.column_names:
            return []
        is_gone = pc.equal(owners["is_active"], False)  # noqa: FBT003 - Arrow's own
        return sorted(owners.filter(is_gone)["owner_id"].to_pylist())

    def counted(self) -> pa.Table:
        """Open opportunities by cause, and by what tells where they are neglected."""
        rows = with_segment(self.opportunities(), self.triage.portfolio)
        return tallied(rows, [*CAUSES, *OPEN_BY], ["waits"])

    def listed(self, limit: int | None = None) -> pa.Table:
        """What waits: enquiries first, then by amount, then who waits for longest.

        Args:
            limit: Only so many of each; None: all of them.
        """
        parts = [_rows(self.opportunities(), "opportunity", limit)]
        if "enquiry" in self.triage.portfolio:
            rows = self.enquiries().with_columns(minor=_nobody_knows())
            parts.insert(0, _rows(rows, "enquiry", limit))
        return pa.concat_tables(
            [_told(each, self.triage.portfolio.minor_digits) for each in parts]
        )


def told_open(counts: pa.Table, digits: int) -> dict[str, Json]:
    """How many are open, how many wait, and for what, from `Waiting.counted`."""
    of_all = counts.filter(pc.equal(counts["by"], CAUSES[0]))
    waiting = of_all.filter(pc.equal(of_all["waits"], "1"))
    causes: dict[str, Json] = {}
    for cause in CAUSES:
        own = counts.filter(pc.equal(counts["by"], cause))
        own = own.filter(pc.equal(own["group"], "1"))
        causes[cause] = {"count": _sum(own, "count"), "amount": _amount(own, digits)}
    return {
        "open_count": _sum(of_all, "count"),
        "open_amount": _amount(of_all, digits),
        "waiting_count": _sum(waiting, "count"),
        "waiting_amount": _amount(waiting, digits),
        "causes": causes,
    }


def _sum(rows: pa.Table, column: str) -> int:
    return int(pc.sum(rows[column]).as_py() or 0)


def _amount(rows: pa.Table, digits: int) -> float | None:
    """Unknown where there are some, and the amount of none is known."""
    if _sum(rows, "count") and not _sum(rows, "priced_count"):
        return None
    return _sum(rows, "minor") / float(10**digits)


def _flagged(rows: Any, holds: dict[str, Any]) -> Any:
    flags = {
        name: nw.when(each.fill_null(value=False)).then(1).otherwise(0)
        for name, each in holds.items()
    }
    waits = sum((nw.col(name) for name in CAUSES), nw.lit(0, dtype=nw.Int64))
    return rows.with_columns(**flags).with_columns(
        waits=nw.when(waits > 0).then(1).otherwise(0)
    )


def _nobody_knows() -> Any:
    return nw.when(nw.col("waited_s") != nw.col("waited_s")).then(nw.col("waited_s"))


def _rows(rows: Any, record: str, limit: int | None) -> pa.Table:
    """The rows that wait, in their order, with only the columns that are told."""
    kept = rows.filter(nw.col("waits") == 1).select(
        *_LISTED,
        *(nw.col(name).cast(nw.Int64) for name in (*CAUSES, *_NUMBERS)),
        record=nw.lit(record),
        key=nw.col("minor").cast(nw.Int64).fill_null(-1),
    )
    order = ("key", "created_day", "record_id")
    first = kept.sort(*order, descending=[True, False, False], nulls_last=True)
    found = collected(first if limit is None else first.head(limit))
    ways = zip(order, ("descending", "ascending", "ascending"), strict=True)
    return found.sort_by([*ways]).combine_chunks()


def _told(rows: pa.Table, digits: int) -> pa.Table:
    """In the words of the frame: days, hours and the currency."""
    spoken = [pc.if_else(pc.equal(rows[name], 1), f"{name}, ", "") for name in CAUSES]
    causes = pc.binary_join_element_wise(*spoken, "")
    texts = {name: rows[name].cast(pa.string()) for name in ("record", *_LISTED)}
    return pa.table(
        {
            **texts,
            "causes": pc.utf8_rtrim(causes, characters=", "),
            "created_on": _day(rows["created_day"]),
            "last_contact_on": _day(rows["last_day"]),
            "silent_days": rows["silent_days"].cast(pa.int64()),
            "waited_hours": pc.round(
                pc.divide(rows["waited_s"].cast(pa.float64()), _HOUR), ndigits=1
            ),
            "amount": pc.divide(rows["minor"].cast(pa.float64()), float(10**digits)),
        }
    )


def _day(days: pa.ChunkedArray) -> pa.ChunkedArray:
    return days.cast(pa.int32()).cast(pa.date32())
