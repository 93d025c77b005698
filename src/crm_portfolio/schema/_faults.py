"""What can be wrong with a table, what follows from it, and what should be done?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import attrs
import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "FAULTS",
    "FAULT_COLUMNS",
    "Effect",
    "FaultKind",
    "fault_table",
    "faults_of",
    "join_faults",
    "stopping",
]

Effect = Literal["stops", "left_out", "kept"]


@attrs.frozen
class FaultKind:
    """One thing that can be wrong.

    Attributes:
        effect: The run stops; the row is left out; the row is kept. All are reported.
    """

    code: str
    effect: Effect
    hint: str
    meaning: str


FAULTS: Mapping[str, FaultKind] = {
    kind.code: kind
    for kind in (
        FaultKind(
            "missing_table",
            "stops",
            "supply the table; nothing can be said without it",
            "There is no `account` table.",
        ),
        FaultKind(
            "unknown_table",
            "stops",
            "use a table of the model",
            "The model has no table of that name.",
        ),
        FaultKind(
            "unknown_column",
            "stops",
            "rename or drop it",
            "The table has no column of that name.",
        ),
        FaultKind(
            "missing_column",
            "stops",
            "supply the column",
            "A required column is absent.",
        ),
        FaultKind(
            "missing_value",
            "stops",
            "fill it in; the column is required",
            "A required column holds no value.",
        ),
        FaultKind(
            "wrong_type",
            "stops",
            "write it as the column's type",
            "The value is not of the column's type.",
        ),
        FaultKind(
            "duplicate_id",
            "stops",
            "keep one of the rows",
            "Two rows have the same key; every row but the first is listed.",
        ),
        FaultKind(
            "unknown_status",
            "stops",
            "use one of the values the column allows",
            "A required column with closed choices holds something else.",
        ),
        FaultKind(
            "absurd_date",
            "stops",
            "the year must be from 1900 to 2200",
            "A date before 1900 or after 2200.",
        ),
        FaultKind(
            "absurd_amount",
            "stops",
            "the amount cannot be held to its minor unit; look at its decimal point",
            "An amount too large to be exact to the minor unit.",
        ),
        FaultKind(
            "out_of_bounds",
            "stops",
            "use the unit of the column",
            "A number outside the bounds of its column.",
        ),
        FaultKind(
            "unknown_currency",
            "stops",
            "use the three letters of ISO 4217",
            "A currency that ISO 4217 does not list.",
        ),
        FaultKind(
            "mixed_currencies",
            "stops",
            "add an exchange_rate, or convert the amounts",
            "Amounts in a currency that has no exchange rate to the portfolio's.",
        ),
        FaultKind(
            "amount_disagrees",
            "stops",
            "drop `original_amount` if `amount` was changed on purpose, else `amount`",
            "`amount` is not `original_amount` at the rate of the row's date.",
        ),
        FaultKind(
            "unknown_choice",
            "kept",
            "map it to one of the values the column allows",
            "An optional column with closed choices holds something else; set to null.",
        ),
        FaultKind(
            "opportunity_without_account",
            "kept",
            "it counts in totals of opportunities, and for no account",
            "An opportunity that names no account.",
        ),
        FaultKind(
            "open_without_amount",
            "kept",
            "its value is unknown, not zero",
            "An open opportunity without an amount.",
        ),
        FaultKind(
            "won_without_amount",
            "kept",
            "its value is unknown, not zero: what was booked is understated",
            "A won opportunity without an amount.",
        ),
        FaultKind(
            "home_amount_differs",
            "kept",
            "compare the CRM's exchange rates, and the day it closed, with ours",
            "A closed row in another currency that the CRM itself converted to another "
            "amount.",
        ),
        FaultKind(
            "closed_without_day",
            "kept",
            "it belongs to no period",
            "A won or lost opportunity without the day it was closed.",
        ),
        FaultKind(
            "dangling_account_id",
            "kept",
            "the account is not in the account table; set to null",
            "An account that the account table does not hold; the row is kept.",
        ),
        FaultKind(
            "dangling_opportunity_id",
            "kept",
            "the opportunity is not in the opportunity table; set to null",
            "An opportunity that the opportunity table does not hold; the row is kept.",
        ),
        FaultKind(
            "dangling_parent_id",
            "kept",
            "the account is its own root; pull the parent to keep the group whole",
            "A parent that the account table does not hold; set to null.",
        ),
        FaultKind(
            "parent_loop",
            "kept",
            "mend the hierarchy; until then the smallest id is the root",
            "Parents that lead back to the account; its parent is set to null.",
        ),
        FaultKind(
            "reopened_after_as_of",
            "kept",
            "it was still open on the as-of date",
            "Closed, settled or paid after the as-of date, so open on it.",
        ),
        FaultKind(
            "not_known_then",
            "kept",
            "nobody kept what it said on that day; set to null",
            "`portfolio.at(day)`: what the column said on an earlier day is not known.",
        ),
        FaultKind(
            "not_dated",
            "kept",
            "supply the column, and rows that came later go",
            "`portfolio.at(day)`: rows of which nobody says since when they are there.",
        ),
        FaultKind(
            "unreadable_change",
            "kept",
            "write it as the column it changed; set to null",
            "`portfolio.at(day)`: a past value in `opportunity_change` that cannot be read.",
        ),
        FaultKind(
            "after_as_of",
            "left_out",
            "it did not exist on the as-of date",
            "A row that was born after the as-of date.",
        ),
        FaultKind(
            "dangling_required_account_id",
            "left_out",
            "pull or supply the account",
            "A row that must have an account names one the account table lacks.",
        ),
        FaultKind(
            "vanished",
            "left_out",
            "it was not reported as deleted; look for it in the CRM",
            "A record of the last pull that the CRM no longer has, and of which it does "
            "not say that it left.",
        ),
        FaultKind(
            "no_rate",
            "left_out",
            "add a rate for its currency that holds on its date",
            "A row of a day before the first rate of its currency.",
        ),
    )
}

FAULT_COLUMNS: Mapping[str, pa.DataType] = {
    "table": pa.string(),
    "column": pa.string(),
    "row": pa.int64(),
    "value": pa.string(),
    "fault": pa.string(),
    "effect": pa.string(),
    "hint": pa.string(),
    "said": pa.string(),
}
"""``said`` is what a row that was left out told of itself, as JSON, where that is needed."""
_SCHEMA = pa.schema(list(FAULT_COLUMNS.items()))


def fault_table(rows: Iterable[Mapping[str, object]] = ()) -> pa.Table:
    """A fault frame from a few rows, mostly none."""
    return pa.Table.from_pylist(list(rows), schema=_SCHEMA)


def faults_of(
    table: str,
    column: str,
    code: str,
    *,
    rows: Sequence[int] | pa.Array | None = None,
    values: Sequence[str | None] | pa.Array | None = None,
    hint: str = "",
) -> pa.Table:
    """The same fault in many rows, or (``rows`` None) once for the whole column."""
    kind = FAULTS[code]
    at = pa.array([None] if rows is None else rows, pa.int64())
    shown = [None] * len(at) if values is None else values
    same = {
        "table": table,
        "column": column,
        "fault": code,
        "effect": kind.effect,
        "hint": hint or kind.hint,
    }
    columns = {name: pa.repeat(pa.scalar(text), len(at)) for name, text in same.items()}
    columns |= {"row": at, "value": pa.array(shown, pa.string())}
    columns |= {"said": pa.nulls(len(at), pa.string())}
    return pa.table([columns[name] for name in FAULT_COLUMNS], schema=_SCHEMA)


def join_faults(parts: Iterable[pa.Table]) -> pa.Table:
    """All faults in one frame: what stops first, then by table, column and row."""
    # Faults of an older book lack the columns that came since.
    joined = pa.concat_tables([fault_table(), *parts], promote_options="default")
    order: list[Effect] = ["stops", "left_out", "kept"]
    rank = pc.index_in(joined["effect"], pa.array(order))
    keys = [(name, "ascending") for name in ("rank", "table", "column", "row", "value")]
    places = pc.sort_indices(joined.append_column("rank", rank), sort_keys=keys)
    return joined.take(places).combine_chunks()


def stopping(faults: pa.Table) -> pa.Table:
    """The faults that stop the run."""
    return faults.filter(pc.equal(faults["effect"], "stops"))
