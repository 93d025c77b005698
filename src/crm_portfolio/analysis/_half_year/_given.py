"""From gross to net: what was conceded on the way, to whom, by whom and why?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._indices import Amounts
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._methods._rates import wilson
from crm_portfolio.analysis._facts import (
    CONCESSIONS,
    DATED,
    RevenueFacts,
    Span,
    conceded,
    concessions,
    grossed,
    perhaps_twice,
    repeated,
)
from crm_portfolio.analysis._facts._days import with_places
from crm_portfolio.analysis._facts._lines import found_at, placed, places
from crm_portfolio.analysis._half_year._moves import Moves
from crm_portfolio.analysis._half_year._settings import ReviewSettings
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Json, significant

__all__ = ["NO_CONCESSIONS", "NO_STEPS", "STEPS", "Given"]

STEPS: Final = ("gross", "discount", "invoiced", *CONCESSIONS[1:], "net")
_SIDES: Final = {
    "as_issued": ("issued", "issued_before"),
    "as_origin": ("origin", "origin_before"),
}
_GESTURES: Final = CONCESSIONS[1:]
Sheet = dict[str, int]


@attrs.frozen(eq=False)
class Given:
    """What was conceded, in minor units and less than zero, account by account.

    Attributes:
        gross: By period (now, before) and account: list price times quantity where the
            line says both, else what was invoiced.
        kinds: By `DATED`, kind and account; the gap to the list price is a discount.
        rows: By reason and person: those of `conceded`, a refund told twice counted once.
        repeats: Of this period and the one before: refunds that a credit note had said.
    """

    facts: RevenueFacts
    dating: str
    sold: Mapping[str, Amounts]
    gross: tuple[Amounts, Amounts]
    gap: tuple[Amounts, Amounts]
    kinds: Mapping[str, npt.NDArray[np.int64]]
    rows: pa.Table
    repeats: tuple[int, int]
    repeat_count: int
    perhaps: tuple[int, int]

    @classmethod
    def of(
        cls,
        portfolio: Portfolio,
        facts: RevenueFacts,
        span: Span,
        settings: ReviewSettings,
    ) -> Given:
        ids = facts.by_account.ids
        given = concessions(portfolio)
        found, twice = conceded(given, span), repeated(given, span)
        sold = _sold(grossed(with_places(portfolio, "revenue_line"), span), ids)
        rows = _counted_once(found, twice)
        gap = sold["gap"], sold["gap_before"]
        kinds = _by_kind(rows, ids)
        for name in DATED:
            kinds[name][0] -= gap[name.endswith("_before")]
        issued = [
            int(pc.sum(pc.multiply(twice["repeats"], twice[name])).as_py() or 0)
            for name in _SIDES["as_issued"]
        ]
        return cls(
            facts,
            settings.dating,
            sold=sold,
            gross=(sold["invoiced"] + gap[0], sold["invoiced_before"] + gap[1]),
            gap=gap,
            kinds=kinds,
            rows=rows,
            repeats=(issued[0], issued[1]),
            repeat_count=_count(twice),
            perhaps=perhaps_twice(given, span),
        )

    def sheet(self, dating: str, *, before: bool = False) -> Sheet:
        """From gross to net, of all accounts."""
        kinds = self.kinds[_SIDES[dating][before]].sum(axis=1)
        told = {name: int(kinds[at]) for at, name in enumerate(CONCESSIONS)}
        gross = int(self.gross[before].sum())
        invoiced = {"invoiced": gross + told["discount"]}
        net = {"net": gross + sum(told.values())}
        return {"gross": gross, **told, **invoiced, **net}

    def told(self, dating: str, *, before: bool = False) -> dict[str, Json]:
        """The same in the currency, with the rate of what was conceded."""
        sheet = self.sheet(dating, before=before)
        figures: dict[str, Json] = {
            name: self.facts.amount(sheet[name]) for name in STEPS
        }
        lost = sheet["gross"] - sheet["net"]
        return figures | {
            "conceded": self.facts.amount(lost),
            "conceded_share": _share(lost, sheet["gross"]),
        }

    def of_accounts(self, *, before: bool = False) -> npt.NDArray[np.int64]:
        """By kind and account, in the dating that was chosen."""
        return self.kinds[_SIDES[self.dating][before]]

    @property
    def is_conceded(self) -> Flags:
        """Who was given more than a discount in the period before."""
        given: Flags = (self.kinds["issued_before"][1:] != 0).any(axis=0)
        return given

    @property
    def priced_share(self) -> float | None:
        """Of the lines of this period that sell something: those that say a list price."""
        lines = int(self.sold["sold_lines"].sum())
        return int(self.sold["priced_lines"].sum()) / lines if lines else None

    def steps_table(self, ledger: tuple[int | None, int | None]) -> pa.Table:
        """One row a step, then what the lines say twice, and what they come to."""
        sheets = {
            f"amount{when}{name}": self.sheet(dating, before=bool(when))
            for dating, name in (("as_issued", ""), ("as_origin", "_as_origin"))
            for when in ("", "_before")
        }
        columns: dict[str, list[Any]] = {"step": [*STEPS, "repeated", "booked"]}
        ends = {"amount": 0, "amount_before": 1}
        for name, sheet in sheets.items():
            minor: list[int | None] = [sheet[step] for step in STEPS]
            is_issued = name in ends
            at = ends.get(name, 0)
            minor += [-self.repeats[at], ledger[at]] if is_issued else [None, None]
            columns[name] = [
                None if each is None else self.facts.amount(each) for each in minor
            ]
        return pa.table(columns, schema=_STEPS)

    def who_and_why(self) -> pa.Table:
        """By kind, reason and person who granted it; the unknown ones first."""
        now, before = _SIDES[self.dating]
        gross = [int(self.gross[at].sum()) for at in (0, 1)]
        parts = []
        for by, column in (("kind", "kind"), ("reason", "reason"), ("owner", _OWNER)):
            found = self.rows.group_by(column, use_threads=False).aggregate(
                [(now, "sum"), (before, "sum"), ("lines", "sum")]
            )
            rows = found.to_pylist()
            each = {
                row[column]: [row[f"{now}_sum"], row[f"{before}_sum"], row["lines_sum"]]
                for row in rows
            }
            _add_gap(each, by, self.gap)
            parts += _lines(each, by, gross, self.facts)
        return pa.Table.from_pylist(parts, schema=_WHY)

    def retention(self, moves: Moves, *, is_known: bool) -> dict[str, Json]:
        """Who still buys a year on: those that were conceded something, and the others."""
        was = (moves.bridge.before > 0) & ~moves.is_unknown
        told: dict[str, Json] = {}
        for name, mine in (
            ("conceded", was & self.is_conceded),
            ("others", was & ~self.is_conceded),
        ):
            n, kept = int(mine.sum()), int((mine & (moves.later > 0)).sum())
            bounds = wilson(kept, n) if is_known else None
            told[name] = {
                "account_count": n,
                "kept_count": kept if is_known else None,
                "kept_share": significant(kept / n) if n and is_known else None,
                "low": significant(bounds[0]) if bounds else None,
                "high": significant(bounds[1]) if bounds else None,
            }
        return told


_OWNER: Final = "granted_by"
_WHY: Final = pa.schema(
    [
        ("by", pa.string()),
        ("value", pa.string()),
        ("amount", pa.float64()),
        ("amount_before", pa.float64()),
        ("line_count", pa.int64()),
        ("share", pa.float64()),
        ("share_before", pa.float64()),
    ]
)
_STEPS: Final = pa.schema(
    [
        ("step", pa.string()),
        ("amount", pa.float64()),
        ("amount_before", pa.float64()),
        ("amount_as_origin", pa.float64()),
        ("amount_before_as_origin", pa.float64()),
    ]
)
NO_STEPS: Final = _STEPS.empty_table()
NO_CONCESSIONS: Final = _WHY.empty_table()
"""Of bookings, of which no line says what was conceded."""


def _sold(found: pa.Table, ids: pa.Array) -> dict[str, Amounts]:
    at = found_at(found["account_id"], ids)
    return {
        name: placed(found[name], at)
        for name in found.column_names
        if name != "account_id"
    }


def _count(twice: pa.Table) -> int:
    in_one = pc.greater(pc.add(twice["issued"], twice["issued_before"]), 0)
    repeats = pc.and_(pc.not_equal(twice["repeats"], 0), in_one)
    return pc.sum(repeats).as_py() or 0


def _counted_once(found: pa.Table, twice: pa.Table) -> pa.Table:
    """Concessions, and what refunds say again as rows that take it back."""
    back = {name: twice[name] for name in found.column_names[:4]}
    back |= {name: pc.multiply(twice[name], twice["repeats"]) for name in DATED}
    rest = [name for name in found.column_names if name not in back]
    zeros = pa.array(np.zeros(twice.num_rows, dtype=np.int64))
    taken = pa.table(back | dict.fromkeys(rest, zeros)).select(found.column_names)
    return pa.concat_tables([found, taken.cast(found.schema)])


def _by_kind(rows: pa.Table, ids: pa.Array) -> dict[str, npt.NDArray[np.int64]]:
    """By `DATED`: what was conceded, by kind and account."""
    place = places(rows["account_id"], ids)
    kind = pc.index_in(rows["kind"].combine_chunks(), pa.array(CONCESSIONS))
    is_ours = pc.is_valid(place).to_numpy(zero_copy_only=False)
    where = [
        pc.fill_null(each, 0).to_numpy().astype(np.int64)[is_ours]
        for each in (kind, place)
    ]
    found = {name: np.zeros((len(CONCESSIONS), len(ids)), np.int64) for name in DATED}
    for name, sums in found.items():
        np.add.at(sums, (where[0], where[1]), rows[name].to_numpy()[is_ours])
    return found


def _share(part: int, whole: int) -> float | None:
    return significant(part / whole) if whole > 0 else None


def _add_gap(each: dict[str, list[int]], by: str, gap: tuple[Amounts, Amounts]) -> None:
    """The gap to the list price: a discount that no line gives, nobody and no reason."""
    sums = [-int(part.sum()) for part in gap]
    if any(sums):
        own = each.setdefault("discount" if by == "kind" else "list_price", [0, 0, 0])
        own[0] += sums[0]
        own[1] += sums[1]


def _lines(
    each: Mapping[str, list[int]], by: str, gross: list[int], facts: RevenueFacts
) -> list[dict[str, Any]]:
    ordered = sorted(
        each.items(), key=lambda item: (item[0] != "", item[1][0], item[0])
    )
    return [
        {
            "by": by,
            "value": value or None,
            "amount": facts.amount(now),
            "amount_before": facts.amount(before),
            "line_count": lines,
            "share": _share(-now, gross[0]),
            "share_before": _share(-before, gross[1]),
        }
        for value, (now, before, lines) in ordered
        if now or before or lines
    ]
