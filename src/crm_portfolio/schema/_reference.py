"""What does the reference page of the tables say?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from crm_portfolio.schema._faults import FAULTS
from crm_portfolio.schema._fields import HUMAN, MANAGED
from crm_portfolio.schema._vocabulary import Column, ManagedField, Table, TableName

__all__ = ["markdown"]

_HEAD = """\
# Tables

<!-- Made from the schema by `crm_portfolio.schema.reference_markdown()`. -->

A portfolio is made of these tables. Only `account` must be there; an analysis that needs
another one says so. A column that a source cannot give is absent; a value that nobody
knows is null, never 0 and never empty text. Names end in `_id` (text), `_on` (a day in
the calendar's time zone), `_at` (a moment in UTC), `_share` (0 to 1), or begin with `is_`.

**must**: the column is required. **known** says since when the value was known: *at
creation*, with the row; *with* another column, since the day it names; *from changes*,
rebuilt from `opportunity_change`; *now only*, nobody can say what it was before. What
[follows from it](#what-was-known-then) for an earlier day stands at the end.
A *volatile* column may change in a CRM without a new modified stamp; a *derived* one is
filled by the library, whatever a source says.

Columns come typed, or as canonical text: days as `2026-06-30`, moments as
`2026-06-30T14:05:00Z` (without a zone: UTC), numbers with a point, `true` and `false`.
"""

_THEN = """\
## What was known then

`portfolio.at(day)` is the portfolio as it was known at the end of an earlier day, in the
calendar's time zone. Nothing that came later leaves a trace in it, so an analysis of it
says what it would have said then.

```python
from datetime import date
from crm_portfolio import samples

firm = samples.firm(backend="pyarrow")
then = firm.at(date(2025, 11, 30))
assert then.row_counts["opportunity"] == 6  # the other six were entered later
assert then.arrow("opportunity")["status"].to_pylist().count("open") == 3
assert firm.arrow("opportunity")["status"].to_pylist().count("open") == 3
```

- **Rows** that were born later are left out. A contract, an event, a project and a span of
  capacity may lie ahead, and nobody knows since when they are planned: they are shown from
  the day they begin. Rows without a day stay; where the whole column lacks, the fault
  `not_dated` says so. Stages, products and owners have no day.
- **What was closed by then although its record was entered later** is shown: records that
  were moved from another CRM are all born on the day of the move. It counts as known since
  it was closed, and says what it was first entered with.
- **Later closings and payments** are undone: the opportunity is open, its loss has no
  reason, the ticket is unsettled, the invoice unpaid. A part payment has no day in this
  model, so an unpaid invoice is open with its whole `amount`. The end of a contract is
  known since it came: until then the contract is open-ended, for an end ahead may have been
  agreed or may have been brought forward since.
- **An opportunity** says what its last change up to the day made of it; where there was
  none yet, what the first later one replaced. What nobody changed stands as it is, if by
  that day the source kept the changes of that column at all, that is of any opportunity.
  If it did not, nobody can tell "never changed" from "not kept", and the value is null;
  but an opportunity that was closed by then keeps what the table above calls known *with*
  `closed_on`: it ended with that. Amounts are converted anew, at the rates known then.
  What changed within a minute of `created_at` was entered with the record.
- **An opportunity that was closed and opened again**, whatever became of it since, was
  closed in between, if the changes of `stage` are kept and the `stage` table says what
  each stage means (and all pipelines agree on it). Its `closed_on` is then the day of
  the change that closed it. What was said of its end and overwritten since
  (`loss_reason`, `competitor`, the amount) is null unless the changes of that column
  are kept. So where they are not, the null itself tells that it was opened again: learn
  nothing from it. Where no stage tells, it counts as open until it was last closed. By its
  stages, one whose day of closing was set back is open until its stage said otherwise.
- **Closed without a day**: shown as closed; why it was lost is null, for nobody knows
  since when it was known.
- **An enquiry** had turned into its opportunity since that one was born.
- **Now only** becomes null: names, owners, groups, segments, counts, and the fields of ours.
  So every account is its own group. The fault `not_known_then` names each such column.

The faults are those of the tables as they were then; what was left out when the portfolio
was made stays left out, and what had no exchange rate by then (`no_rate`) is told
again. `portfolio.at(portfolio.as_of)` is the portfolio itself: what is
known now, with all that is known *now only*. A later day is refused. Looking back from an
earlier day gives the same: `p.at(b).at(a)` is `p.at(a)`.
"""

_TYPES = {
    "id": "id (text)",
    "text": "text",
    "code": "code (text)",
    "integer": "integer",
    "number": "number",
    "share": "share",
    "money": "money",
    "boolean": "true or false",
    "day": "day",
    "moment": "moment",
}


def markdown(tables: Mapping[TableName, Table]) -> str:
    """The reference page: tables, managed fields, faults."""
    shown = (_table(table) for table in tables.values())
    return "\n".join([_HEAD, *shown, _fields(), _THEN, _faults()])


def _table(table: Table) -> str:
    rows = (
        (
            f"`{column.name}`",
            _TYPES[column.type],
            column.unit,
            "must" if column.required else "",
            _known(column),
            _meaning(column),
        )
        for column in table.columns
    )
    lines = [f"## `{table.name}`", "", table.meaning, ""]
    if table.key:
        lines += [
            "One row for each " + ", ".join(f"`{k}`" for k in table.key) + ".",
            "",
        ]
    head = ("column", "type", "unit", "", "known", "meaning")
    return "\n".join([*lines, *_grid(head, rows), ""])


def _known(column: Column) -> str:
    if column.is_derived:
        return "derived"
    if column.when == "dated_by":
        return f"with `{column.dated_by}`"
    if column.settled_by:
        return f"from changes, or with `{column.settled_by}`"
    known = column.when.replace("_", " ")
    return known + (", volatile" if column.is_volatile else "")


def _meaning(column: Column) -> str:
    said = column.meaning
    if column.choices:
        said += " One of " + ", ".join(f"`{choice}`" for choice in column.choices) + "."
    if column.refers_to:
        said += f" Refers to `{column.refers_to}`."
    return said


def _fields() -> str:
    rows = (
        (f"`{table}.{f.column}`", _kind(f), _hand(f), f.meaning)
        for table in MANAGED
        for f in (*MANAGED[table], *HUMAN[table])
    )
    head = ("column", "type", "who fills it", "meaning")
    return "\n".join(["## Fields of ours in the CRM", "", *_grid(head, rows), ""])


def _kind(field: ManagedField) -> str:
    if field.choices:
        return "one of " + ", ".join(f"`{choice}`" for choice in field.choices)
    return f"{field.type}, {field.scale} places" if field.scale else field.type


def _hand(field: ManagedField) -> str:
    if field.is_human:
        return "people"
    return f"`apply`, on request: `{field.opt_in}`" if field.opt_in else "`apply`"


def _faults() -> str:
    effects = {"stops": "the run stops", "left_out": "left out", "kept": "kept"}
    rows = (
        (f"`{kind.code}`", effects[kind.effect], kind.meaning, kind.hint)
        for kind in FAULTS.values()
    )
    head = ("fault", "effect on the row", "meaning", "what to do")
    said = "All faults are reported at once, as a frame: `portfolio.faults`, or "
    said += "`SchemaError.faults` where they stop the run."
    return "\n".join(["## Faults", "", said, "", *_grid(head, rows), ""])


def _grid(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield _line(head)
    yield _line(("---",) * len(head))
    yield from map(_line, rows)


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cells) + " |"
