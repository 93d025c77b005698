"""How is it shown who moves when the rules change, why, and what moves with them?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import typer

from crm_portfolio._inert import inert
from crm_portfolio.cli._print import say, show_csv, show_json, show_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from crm_portfolio._wording import Lang
    from crm_portfolio.cli._print import Output
    from crm_portfolio.results import Comparison

__all__ = ["show_comparisons"]

_ROWS_SHOWN: Final = 20
_SHORT: Final = {"account_count": "accounts"}


def show_comparisons(
    comparisons: Mapping[str, Comparison], output: Output, language: Lang
) -> None:
    """One after the other on stdout; as JSON they are one object, by name."""
    from crm_portfolio._frames import to_arrow

    if output == "json":
        show_json({name: each.to_dict() for name, each in comparisons.items()})
        return
    for name, comparison in comparisons.items():
        told = to_arrow(comparison.told(lang=language))
        if output == "csv":
            show_csv(told)
        else:
            _show(name, comparison, told)


def _show(name: str, comparison: Comparison, told: pa.Table) -> None:
    changed = [
        (path, before, after) for path, (before, after) in comparison.changed.items()
    ]
    if not changed and told.num_rows:
        say(f"{name}: its settings are the same; what it is made from is not.")
    elif not changed:
        say(f"{name}: the two files of settings say the same about it.")
        return
    show_rows(("setting", "before", "now"), changed, title=f"{name}: the rules")
    _show_groups(name, comparison)
    moves = [(*move, count) for move, count in comparison.moves.items()]
    show_rows(("from", "to", "accounts"), moves, title=f"{name}: moves")
    _show_moved(name, told)


def _show_groups(name: str, comparison: Comparison) -> None:
    """Each figure before and now, where it is known at all."""
    from crm_portfolio._frames import to_arrow

    groups = to_arrow(comparison.groups)
    if not groups.num_rows:
        return
    key, *figures = groups.column_names
    known = [each for each in figures if groups[each].null_count < groups.num_rows]
    rows = [tuple(row.values()) for row in groups.select([key, *known]).to_pylist()]
    show_rows((key, *map(_heading, known)), rows, title=f"{name}: before and now")
    if "hours_before" in figures and "hours_before" not in known:
        say(f"{name}: nobody noted hours, so none are compared.")


def _heading(figure: str) -> str:
    stem, _, when = figure.rpartition("_")
    short = _SHORT.get(stem, stem)
    return short if when == "before" else f"{short} now"


def _show_moved(name: str, told: pa.Table) -> None:
    if "revenue" in told.column_names:
        told = told.sort_by([("revenue", "descending")])
    key = told.column_names[0]
    shown = [key, "name", "before", "after", "revenue"]
    first = told.select([each for each in shown if each in told.column_names])
    rows = first.slice(0, _ROWS_SHOWN).to_pylist()
    columns = tuple(first.column_names)
    show_rows(columns, [tuple(row.values()) for row in rows], title=f"{name}: who")
    why = told["why"].slice(0, _ROWS_SHOWN).to_pylist()
    for row, reason in zip(rows, why, strict=True):
        typer.echo(inert(f"{row[key]}: {reason}"))
    if told.num_rows > _ROWS_SHOWN:
        more = told.num_rows - _ROWS_SHOWN
        say(f"… and {more} more (--output csv has them all).")
