"""What did people decide about each account, what must be looked at again, what overruled?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._wording import Reason
from crm_portfolio.analysis._exit._criteria import ACTIONS, MILDER
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Row

__all__ = ["NOT_A_STEP", "Decisions", "of_people", "of_signed"]

Objects = npt.NDArray[np.object_]
NOT_A_STEP: Final = ("refer", "ask")
"""What is proposed where only a person can say more: no decision overrules it."""
_REPLACES: Final = "plan_replacement"


@attrs.frozen(slots=False, eq=False)
class Decisions:
    """The decisions on record, accounts in the order they were asked for.

    Attributes:
        table: All of them, by account and day, with ``place``.
        newest: By account the place in ``table`` of its newest; −1: nobody decided. Of
            two on one day the one that comes later among the steps.
        is_due: Its day to be looked at again has come.
        is_under_way: A milder step was decided, and its day to be looked at again has not.
        left_out: How many are none: without a reason, or of no step there is.
        signed: By account the newest that an owner signed, null where there is none; None
            where nobody keeps decisions, or knows the owners.
        is_in_doubt: A row that is none, or that nobody we know signed, or another one of
            a different step is as new as that: what was decided is not known.
    """

    ids: pa.Array
    table: pa.Table
    newest: Groups
    is_due: Flags
    is_under_way: Flags
    left_out: int
    signed: pa.Table | None
    is_in_doubt: Flags

    @classmethod
    def of(cls, portfolio: Portfolio, ids: pa.Array) -> Decisions:
        table, left_out = _on_record(portfolio, ids)
        newest = _newest(table, len(ids))
        place, review = table["place"].to_numpy(), _days(table, "review_on")
        as_of = np.datetime64(portfolio.as_of, "D")
        has = newest >= 0
        is_due = np.zeros(len(ids), dtype=bool)
        is_due[has] = review[newest[has]] <= as_of
        is_milder = pc.is_in(table["action"], pa.array(MILDER)).to_numpy()
        under_way = np.zeros(len(ids), dtype=bool)
        under_way[place[is_milder & (review > as_of)]] = True
        signed, in_doubt = _signed(portfolio, table, left_out, ids)
        count = left_out.num_rows
        return cls(ids, table, newest, is_due, under_way, count, signed, in_doubt)

    @property
    def count(self) -> int:
        return int(self.table.num_rows)

    @property
    def due_count(self) -> int:
        return int(self.is_due.sum())

    @cached_property
    def tried(self) -> Mapping[str, Flags]:
        """By action: the accounts that somebody ever decided it of."""
        action, place = self._texts("action"), self.table["place"].to_numpy()
        found = {name: np.zeros(len(self.ids), dtype=bool) for name in ACTIONS}
        for name in ACTIONS:
            found[name][place[action == name]] = True
        return {name: each for name, each in found.items() if name != _REPLACES}

    @property
    def has_led_nowhere(self) -> Flags:
        """Whether something milder than parting was tried, and none of it is under way."""
        tried: Flags = np.any([self.tried[step] for step in MILDER], axis=0)
        return tried & ~self.is_under_way

    @property
    def is_replaced(self) -> Flags:
        """Somebody has planned what takes the place of what it brings."""
        flags = np.zeros(len(self.ids), dtype=bool)
        rows = self._texts("action") == _REPLACES
        flags[self.table["place"].to_numpy()[rows]] = True
        return flags

    @property
    def action(self) -> Objects:
        """The newest of each account; None where nobody decided."""
        return self._of_newest("action")

    def overrules(self, proposed: Objects) -> Flags:
        """Where a person decided something else than is proposed now.

        A decision to plan what comes after is none against anything.
        """
        decided = self.action
        is_step = ~np.isin(proposed.astype(str), NOT_A_STEP)
        has = (decided != None) & (decided != _REPLACES)  # noqa: E711 - by element
        overruled: Flags = has & is_step & (decided != proposed)
        return overruled

    def columns(self, proposed: Objects) -> dict[str, pa.Array]:
        """What the dossier shows of the newest: who, when, until when; null: nobody."""
        kinds = dict.fromkeys(("action", "decided_by", "reason"), pa.string())
        at = pa.array(self.newest, mask=self.newest < 0)
        shown = {
            "decided_action": "action",
            "decided_by": "decided_by",
            "decided_on": "decided_on",
            "decision_reason": "reason",
            "review_on": "review_on",
        }
        return {
            name: self.table[column]
            .combine_chunks()
            .cast(kinds.get(column, pa.date32()))
            .take(at)
            for name, column in shown.items()
        } | {
            "is_review_due": pa.array(self.is_due),
            "is_overruled": pa.array(self.overrules(proposed)),
        }

    def learned(self, proposed: Objects) -> pa.Table:
        """What people made of each proposal: how often it was followed, and what instead."""
        decided, overruled = self.action, self.overrules(proposed)
        has = (decided != None) & (decided != _REPLACES)  # noqa: E711 - by element
        rows = []
        for name in sorted({str(each) for each in proposed[has]}):
            mine = has & (proposed == name)
            others = sorted(str(each) for each in decided[mine & overruled])
            most = max(others, key=others.count, default=None)
            rows.append(
                {
                    "proposed": name,
                    "decided_count": int(mine.sum()),
                    "overruled_count": int((mine & overruled).sum()),
                    "mostly_decided": most,
                }
            )
        return pa.Table.from_pylist(rows, schema=_LEARNED)

    def _texts(self, name: str) -> Objects:
        found = np.full(self.table.num_rows, None, dtype=object)
        found[:] = self.table[name].to_pylist()
        return found

    def _of_newest(self, name: str) -> Objects:
        found = np.full(len(self.ids), None, dtype=object)
        has = self.newest >= 0
        found[has] = self._texts(name)[self.newest[has]]
        return found


def of_signed(row: Row) -> Iterator[Reason]:
    """What a person decided, of a row of ``signed``."""
    if row["action"]:
        told = {name: row[name] for name in ("decided_on", "decided_by")}
        yield Reason("exit_decided", told | {"action": row["action"]})


def of_people(row: Row) -> Iterator[Reason]:
    """What a person decided, whether to look again, and whether chance wants a fresh look."""
    if row["decided_action"]:
        told = {name: row[name] for name in ("decided_on", "decided_by")}
        yield Reason("exit_decided", told | {"action": row["decided_action"]})
        if row["is_review_due"]:
            yield Reason("exit_review_due", {"review_on": row["review_on"]})
        if row["is_overruled"]:
            yield Reason("exit_overruled", {"action": row["decided_action"]})
    if row["is_drawn_again"]:
        yield Reason("exit_drawn_again")


def _on_record(portfolio: Portfolio, ids: pa.Array) -> tuple[pa.Table, pa.Table]:
    """The decisions on these accounts, in order, and the rows that are left out.

    Who signed it and when every row says, or there is no such table; what a table from
    elsewhere calls a decision may lack a reason, or be none of the steps.
    """
    if "decision" not in portfolio:
        return _NONE, _NONE
    held = portfolio.arrow("decision")
    names = _NONE.column_names[:-1]
    for name in names:
        if name not in held.column_names:
            kind = _NONE.schema.field(name).type
            held = held.append_column(name, pa.nulls(held.num_rows, kind))
    place = pc.index_in(held["account_id"].combine_chunks(), ids)
    table = held.select(names).append_column("place", place)
    table = table.filter(pc.is_valid(place))
    rank = pc.index_in(table["action"].combine_chunks(), pa.array(ACTIONS))
    says_why = pc.not_equal(pc.utf8_trim_whitespace(table["reason"]), "")
    is_one = pc.fill_null(pc.and_(pc.is_valid(rank), says_why), fill_value=False)
    kept = table.append_column("rank", rank).filter(is_one)
    # Of two that are else alike, the one that says when to look again.
    kept = kept.append_column("is_dated", pc.is_valid(kept["review_on"]))
    keys = ("place", "decided_on", "rank", "action", "decided_by", "reason")
    last = ("is_dated", "review_on")
    kept = kept.sort_by([(name, "ascending") for name in (*keys, *last)])
    left_out = table.filter(pc.invert(is_one))
    return kept.select(table.column_names).combine_chunks(), left_out


def _newest(table: pa.Table, count: int) -> Groups:
    """By account the place of its last row; −1: it has none."""
    newest = np.full(count, -1, dtype=np.int64)
    newest[table["place"].to_numpy()] = np.arange(table.num_rows)
    return newest


def _signed(
    portfolio: Portfolio, table: pa.Table, left_out: pa.Table, ids: pa.Array
) -> tuple[pa.Table | None, Flags]:
    """By account the newest decision of an owner, and whether it may be another."""
    if "decision" not in portfolio or "owner" not in portfolio:
        return None, np.zeros(len(ids), dtype=bool)
    owners = portfolio.arrow("owner")["owner_id"].combine_chunks()
    is_ours = pc.is_in(table["decided_by"], value_set=owners)
    rows = table.filter(is_ours)
    newest = _newest(rows, len(ids))
    at = pa.array(newest, mask=newest < 0)
    told = ("action", "decided_by", "decided_on", "review_on")
    signed = pa.table(
        {"account_id": ids, **{name: rows[name].take(at) for name in told}}
    )
    # On one day nobody knows which came first.
    others = pa.concat_tables([left_out, table.filter(pc.invert(is_ours))])
    last, last_other = _last_day(rows, len(ids)), _last_day(others, len(ids))
    is_in_doubt = (last_other >= last) & (last_other >= _FIRST_DAY)
    return signed, is_in_doubt | _differ(rows, newest)


def _differ(rows: pa.Table, newest: Groups) -> Flags:
    """By account: whether two decisions of its last day are of different steps."""
    has = newest > 0
    action = np.array(rows["action"].to_pylist(), dtype=object)
    place, day = rows["place"].to_numpy(), _days(rows, "decided_on")
    last, before = newest[has], newest[has] - 1
    is_same_day = (place[last] == place[before]) & (day[last] == day[before])
    differ = np.zeros(newest.size, dtype=bool)
    differ[has] = is_same_day & (action[last] != action[before])
    return differ


def _last_day(table: pa.Table, count: int) -> npt.NDArray[np.datetime64]:
    """By account the day of its newest row; before all days: it has none."""
    last = np.full(count, _FIRST_DAY - np.timedelta64(1, "D"))
    np.maximum.at(last, table["place"].to_numpy(), _days(table, "decided_on"))
    return last


def _days(table: pa.Table, name: str) -> npt.NDArray[np.datetime64]:
    days: npt.NDArray[np.datetime64] = (
        table[name].combine_chunks().to_numpy(zero_copy_only=False)
    ).astype("datetime64[D]")
    return days


_FIRST_DAY: Final = np.datetime64("0001-01-01", "D")
_NONE: Final = pa.schema(
    {
        "account_id": pa.string(),
        "action": pa.string(),
        "decided_by": pa.string(),
        "decided_on": pa.date32(),
        "reason": pa.string(),
        "review_on": pa.date32(),
        "place": pa.int32(),
    }
).empty_table()
_LEARNED: Final = pa.schema(
    {
        "proposed": pa.string(),
        "decided_count": pa.int64(),
        "overruled_count": pa.int64(),
        "mostly_decided": pa.string(),
    }
)
