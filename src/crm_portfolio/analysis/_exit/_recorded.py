"""How does what people judge and decide come into a portfolio, all faults told at once?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import NativeFrame, to_arrow
from crm_portfolio.analysis._exit._criteria import ACTIONS, CRITERIA, VETOES
from crm_portfolio.errors import SchemaError, did_you_mean
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.schema import TABLES, fault_table, join_faults, read, stopping

__all__ = ["with_decisions", "with_ratings"]

Row = Mapping[str, Any]
Fault = dict[str, object]
_NAMES: Final = (*(each.name for each in CRITERIA.values()), *VETOES)


def with_decisions(portfolio: Portfolio, decisions: NativeFrame) -> Portfolio:
    """The portfolio with decisions that people took, beside those it had.

    Nothing is decided here and nothing is written to a CRM: it puts on record who decided
    what, when, why, and when it is to be looked at again. A row that is there already is
    not added twice.

    Args:
        decisions: ``account_id``, ``action``, ``decided_by`` (an owner's id),
            ``decided_on``, ``reason``, and ``review_on``, when to look again.

    Raises:
        SchemaError: With every fault of every row, at once.

    Example:
        >>> from datetime import date
        >>> import pyarrow as pa
        >>> from crm_portfolio import analysis, samples
        >>> decided = pa.table({
        ...     "account_id": ["A07"], "action": ["renegotiate"], "decided_by": ["U1"],
        ...     "decided_on": [date(2026, 6, 15)], "reason": ["Pays after 70 days."],
        ...     "review_on": [date(2026, 12, 15)],
        ... })
        >>> book = analysis.with_decisions(samples.firm(), decided)
        >>> book.row_counts["decision"]
        1
    """
    return _joined(portfolio, "decision", decisions, _of_decision)


def with_ratings(portfolio: Portfolio, ratings: NativeFrame) -> Portfolio:
    """The portfolio with what people judge of accounts, beside what it had.

    A rating is 0 (worst) to 10; the newest of each person counts. One that is there
    already is not added twice, so a sheet may be read again.

    Args:
        ratings: ``account_id``, ``criterion``, ``value``, and, where known, ``rated_by`` (an
            owner's id), ``rated_on`` and ``comment``; as ``read_answers`` reads them.

    Raises:
        SchemaError: With every fault of every row, at once.
    """
    return _joined(portfolio, "rating", ratings, _of_rating)


def _joined(
    portfolio: Portfolio,
    name: Literal["rating", "decision"],
    frame: NativeFrame,
    faults_of_row: Any,
) -> Portfolio:
    given = to_arrow(frame)
    typed, faults = read({name: given}, time_zone=portfolio.calendar.time_zone)
    own = [_without_account(faults)]
    table = typed[name]
    rows = table.to_pylist()
    known = _Known(portfolio)
    found = [
        {"table": name, "row": at, "effect": "stops", **fault}
        for at, row in enumerate(rows)
        for fault in faults_of_row(row, known)
    ]
    every = join_faults([*own, fault_table(found)])
    if every.num_rows:
        raise SchemaError(every)
    if name in portfolio:
        table = pa.concat_tables(
            [portfolio.arrow(name), table], promote_options="default"
        )
    distinct = table.group_by(table.column_names).aggregate([])
    return portfolio.with_tables(**{name: distinct})


def _without_account(faults: pa.Table) -> pa.Table:
    """Of the rows alone: that there is no table of accounts is no fault of theirs."""
    mine = pc.not_equal(faults["fault"], "missing_table")
    return stopping(faults.filter(mine))


class _Known:
    """Who and what the portfolio knows."""

    def __init__(self, portfolio: Portfolio) -> None:
        self.as_of = portfolio.as_of
        self.accounts = _ids(portfolio, "account")
        self.owners = _ids(portfolio, "owner") if "owner" in portfolio else None


def _ids(portfolio: Portfolio, name: Literal["account", "owner"]) -> set[str]:
    return set(portfolio.arrow(name)[TABLES[name].key[0]].to_pylist())


def _of_decision(row: Row, known: _Known) -> Iterable[Fault]:
    yield from _of_account(row, known)
    action, reason = row.get("action"), row.get("reason")
    if action is not None and action not in ACTIONS:
        near = did_you_mean(action, ACTIONS)
        hint = f"decide one of {', '.join(ACTIONS)}{near}"
        yield _fault("action", row, "unknown_action", hint)
    yield from _of_person(row, "decided_by", known)
    yield from _of_day(row, "decided_on", known)
    if reason is not None and not reason.strip():
        yield _fault("reason", row, "missing_value", "say why, in a sentence")
    on, again = row.get("decided_on"), row.get("review_on")
    if on and again and again <= on:
        hint = f"look again on a day after {on}, or leave it empty"
        yield _fault("review_on", row, "review_before_decision", hint)


def _of_rating(row: Row, known: _Known) -> Iterable[Fault]:
    yield from _of_account(row, known)
    yield from _of_person(row, "rated_by", known)
    yield from _of_day(row, "rated_on", known)
    name = row.get("criterion")
    near = did_you_mean(name, _NAMES) if name and name not in _NAMES else ""
    if near:
        yield _fault("criterion", row, "unknown_criterion", f"mend it{near}")


def _of_account(row: Row, known: _Known) -> Iterable[Fault]:
    account = row.get("account_id")
    if account is not None and account not in known.accounts:
        hint = "use an account of the portfolio" + did_you_mean(account, known.accounts)
        yield _fault("account_id", row, "unknown_account", hint)


def _of_person(row: Row, column: str, known: _Known) -> Iterable[Fault]:
    person = row.get(column)
    if person is not None and known.owners is not None and person not in known.owners:
        near = did_you_mean(person, known.owners)
        yield _fault(column, row, "unknown_person", f"use the id of an owner{near}")


def _of_day(row: Row, column: str, known: _Known) -> Iterable[Fault]:
    day = row.get(column)
    if day is not None and day > known.as_of:
        hint = f"the portfolio is of {known.as_of}: mend the day, or pull again"
        yield _fault(column, row, "after_as_of", hint)


def _fault(column: str, row: Row, code: str, hint: str) -> Fault:
    value = row[column]
    shown = None if value is None else str(value)
    return {"column": column, "value": shown, "fault": code, "hint": hint}
