"""Where did the hours go: core, new, unfinished, and what was kept free?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import to_arrow
from crm_portfolio._methods._buffer import under, under_run
from crm_portfolio._methods._indices import effective_number, hhi
from crm_portfolio._methods._ranking import Flags
from crm_portfolio.analysis._facts import (
    NOWHERE,
    RevenueFacts,
    first_noted,
    hours_spent,
    kinds_noted,
    young_revenue,
)
from crm_portfolio.analysis._time._lines import CLASSES, Lines, shared
from crm_portfolio.analysis._time._projects import DROPPED, FINISHED, UNKNOWN, Projects
from crm_portfolio.analysis._time._settings import INNOVATION_KINDS, FocusSettings
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.results import Json, significant

__all__ = ["BUCKETS", "Hours", "steps_of"]

BUCKETS: Final = ("new", "unfinished", "core", "other", "unclassified")
"""What an hour is counted as: the first of these that it is."""

_HOUR: Final = 3600
_SLACK: Final = timedelta(days=31)


def steps_of(facts: RevenueFacts, settings: FocusSettings) -> list[Period]:
    """Whole spans counted back from the end of the period, the oldest first."""
    edges = [
        facts.period.months_before_end(settings.step_months * at)
        for at in range(settings.steps, -1, -1)
    ]
    return [Period.between(start, end) for start, end in pairwise(edges)]


@attrs.frozen(eq=False)
class Hours:
    """Every hour noted in the period and the steps, by what it was for.

    Attributes:
        notes: Seconds by all that tells them apart; None without time sheets.
        kinds: The kinds of effort and project that are work on the new; empty where
            nobody knows.
        table: One row a step.
    """

    settings: FocusSettings
    notes: pa.Table | None
    kinds: tuple[str, ...]
    kinds_noted: tuple[str, ...]
    table: pa.Table

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        facts: RevenueFacts,
        settings: FocusSettings,
        lines: Lines,
        projects: Projects,
    ) -> Hours:
        steps, notes, begins = steps_of(facts, settings), None, None
        noted: tuple[str, ...] = ()
        if "effort" in portfolio:
            noted, begins = kinds_noted(portfolio), first_noted(portfolio)
            notes = hours_spent(
                portfolio,
                facts.period,
                steps,
                products=lines.products,
                projects=projects.codes,
            )
        kinds = _new_kinds(settings, noted, projects)
        table = _steps(portfolio, facts, settings, steps)
        found = cls(settings, notes, kinds, noted, table)
        whole = [begins is not None and begins - s.start <= _SLACK for s in steps]  # type: ignore[operator]
        free = _capacity(portfolio, steps)
        return attrs.evolve(found, table=found.followed(table, whole, free))

    def seconds(self, which: Flags) -> int:
        assert self.notes is not None
        return int(self.notes["seconds"].to_numpy()[which].sum())

    def _column(self, name: str) -> npt.NDArray[Any]:
        assert self.notes is not None
        found: npt.NDArray[Any] = self.notes[name].to_numpy()
        return found

    @property
    def is_main(self) -> Flags:
        """The rows of the period."""
        main: Flags = self._column("is_main") == 1
        return main

    @property
    def is_new(self) -> Flags:
        kinds = pa.array(self.kinds, pa.string())
        assert self.notes is not None
        found = pc.or_(
            pc.is_in(self.notes["kind"], kinds),
            pc.is_in(self.notes["project_kind"], kinds),
        )
        new: Flags = found.to_numpy()
        return new

    @property
    def is_unsorted(self) -> Flags:
        """What says neither its kind nor the kind of its project: it may be new."""
        unsorted: Flags = (self._column("kind") == "") & (
            self._column("project_kind") == ""
        )
        return unsorted

    @property
    def core(self) -> npt.NDArray[np.int64]:
        """Of the product, else of the project."""
        own, of_project = self._column("is_core"), self._column("of_core")
        found: npt.NDArray[np.int64] = np.where(own == NOWHERE, of_project, own)
        return found

    @property
    def bucket(self) -> npt.NDArray[np.int64]:
        """The place of each row in `BUCKETS`."""
        standing, core = self._column("standing"), self.core
        is_unfinished = ~np.isin(standing, (NOWHERE, FINISHED, UNKNOWN))
        return np.select(
            [self.is_new, is_unfinished, core == 1, core == 0],
            [0, 1, 2, 3],
            default=4,
        ).astype(np.int64)

    def by_place(self, count: int) -> npt.NDArray[np.int64] | None:
        """Seconds of the period by line, what names none last; None without notes."""
        if self.notes is None:
            return None
        sums = np.zeros(count + 1, dtype=np.int64)
        main = self.is_main
        np.add.at(sums, self._column("place")[main], self._column("seconds")[main])
        return sums

    def core_seconds(self) -> int:
        """Noted in the period for products that are core."""
        return self.seconds(self.is_main & (self._column("is_core") == 1))

    def sale_seconds(self) -> int:
        """Noted in the period for any sale."""
        return self.seconds(self.is_main & (self._column("sale") != ""))

    def shares(self) -> dict[str, Json]:
        """Of the hours of the period, by class; null where none is noted."""
        if self.notes is None:
            return shared({})
        main, core = self.is_main, self.core
        codes = (0, 1, NOWHERE)
        return shared(
            {
                name: self.seconds(main & (core == code))
                for name, code in zip(CLASSES, codes, strict=True)
            }
        )

    def index(self, which: Flags, by: str) -> dict[str, Json]:
        """HHI of these hours by kind of work or by line, over those that say it."""
        if self.notes is None:
            return dict.fromkeys(_INDEX)
        values = self._column("kind" if by == "kind" else "place")
        nothing = "" if by == "kind" else NOWHERE
        is_said = which & (values != nothing)
        names, at = np.unique(values[is_said], return_inverse=True)
        sums = np.zeros(names.size, dtype=np.int64)
        np.add.at(sums, at, self._column("seconds")[is_said])
        total = self.seconds(which)
        return {
            "index": significant(hhi(sums)),
            "effective_number": significant(effective_number(sums)),
            "count": int((sums > 0).sum()),
            "known_share": significant(self.seconds(is_said) / total)
            if total > 0
            else None,
        }

    def spent(self, which: Flags) -> dict[str, Json]:
        """Hours in all, by bucket, and on what came to nothing."""
        total = self.seconds(which)
        if total <= 0:
            return dict.fromkeys(_SPENT)
        bucket, sale = self.bucket, self._column("sale")
        dropped = self.seconds(which & (self._column("standing") == DROPPED))
        new = self.seconds(which & self.is_new) if self.kinds else None
        found: dict[str, Json] = {"hours": total / _HOUR}
        for at, name in enumerate(BUCKETS):
            found[f"hours_{name}"] = self.seconds(which & (bucket == at)) / _HOUR
        if new is None:
            found["hours_new"] = None
        return found | {
            "innovation_share": None if new is None else significant(new / total),
            "unsorted_share": significant(
                self.seconds(which & self.is_unsorted) / total
            ),
            "abandoned_share": significant(dropped / total),
            "lost_sales_share": significant(
                self.seconds(which & (sale == "lost")) / total
            ),
            "is_under_target": under(
                new,
                self.seconds(which & self.is_unsorted),
                total,
                self.settings.innovation_target_share,
            ),
        }

    def followed(
        self, table: pa.Table, whole: Sequence[bool], free: Sequence[float | None]
    ) -> pa.Table:
        """The table of the steps with the hours of each; null where the notes begin."""
        rows = table.to_pylist()
        for at, row in enumerate(rows):
            spent: Mapping[str, Json] = dict.fromkeys(_SPENT)
            index = None
            if self.notes is not None and whole[at]:
                which = self._column("step") == at
                spent, index = self.spent(which), self.index(which, "kind")["index"]
            row.update({name: spent[name] for name in _SPENT}, focus_index=index)
            row["hours_capacity"] = free[at]
            row["hours_free"] = None
            if free[at] is not None and row["hours"] is not None:
                row["hours_free"] = free[at] - row["hours"]
        schema = pa.schema(
            [*table.schema]
            + [(name, pa.float64()) for name in _SPENT[:-1]]
            + [(_SPENT[-1], pa.bool_()), ("focus_index", pa.float64())]
            + [("hours_capacity", pa.float64()), ("hours_free", pa.float64())]
        )
        return pa.Table.from_pylist(rows, schema=schema)

    @property
    def under_count(self) -> int:
        """How many of the last steps are under the target, without a break."""
        return under_run(self.table["is_under_target"].to_pylist())


_INDEX: Final = ("index", "effective_number", "count", "known_share")
_SPENT: Final = (
    "hours",
    *(f"hours_{name}" for name in BUCKETS),
    *("innovation_share", "unsorted_share", "abandoned_share", "lost_sales_share"),
    "is_under_target",
)


def _new_kinds(
    settings: FocusSettings, noted: Sequence[str], projects: Projects
) -> tuple[str, ...]:
    """The kinds chosen, or our own guess; none where nobody ever noted any of them."""
    chosen = settings.innovation_kinds
    kinds = INNOVATION_KINDS if chosen is None else chosen
    return () if {*noted, *projects.kinds}.isdisjoint(kinds) else kinds


def _steps(
    portfolio: Portfolio,
    facts: RevenueFacts,
    settings: FocusSettings,
    steps: Sequence[Period],
) -> pa.Table:
    """Revenue of each step, and what of it is young, where the book is old enough."""
    found = young_revenue(portfolio, facts.measure, steps, settings.young_months)
    told = {row["step"]: row for row in found.to_pylist()}
    first = facts.by_account.first_on[~np.isnat(facts.by_account.first_on)]
    begins = first.min().item() if first.size else date.max
    rows = []
    for at, step in enumerate(steps):
        own = told.get(at, {"minor": 0, "young": 0, "hidden": 0})
        is_known = not own["hidden"] and begins - step.start <= _SLACK  # type: ignore[operator]
        edge = step.months_before_end(settings.young_months)
        is_old = is_known and begins <= edge and own["minor"] > 0
        rows.append(
            {
                "starts_on": step.start,
                "ends_on": step.last_day,
                "revenue": facts.amount(own["minor"]) if is_known else None,
                "young_revenue_share": significant(own["young"] / own["minor"])
                if is_old
                else None,
            }
        )
    return pa.Table.from_pylist(rows, schema=_STEPS)


_STEPS: Final = pa.schema(
    {
        "starts_on": pa.date32(),
        "ends_on": pa.date32(),
        "revenue": pa.float64(),
        "young_revenue_share": pa.float64(),
    }
)


def _capacity(portfolio: Portfolio, steps: Sequence[Period]) -> list[float | None]:
    """Hours that people can give in each step; None where not all its days are told of."""
    if "capacity" not in portfolio:
        return [None] * len(steps)
    spans = to_arrow(portfolio["capacity"]).to_pylist()
    return [_within(step, spans) for step in steps]


def _within(step: Period, spans: Sequence[Mapping[str, Any]]) -> float | None:
    assert step.start is not None
    assert step.end is not None
    length = (step.end - step.start).days
    hours: dict[str, float] = {}
    days: dict[str, set[date]] = {}
    for span in spans:
        first, last = span["from_on"], span["to_on"]
        inside = (min(last, step.last_day) - max(first, step.start)).days + 1
        if inside > 0:
            role, part = span["role"], inside / ((last - first).days + 1)
            hours[role] = hours.get(role, 0.0) + span["hours"] * part
            begins = max(first, step.start)
            told = (begins + timedelta(days=at) for at in range(inside))
            days.setdefault(role, set()).update(told)
    if not days or min(map(len, days.values())) < length:
        return None
    return significant(sum(hours.values()))
