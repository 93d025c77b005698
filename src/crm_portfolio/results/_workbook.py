"""How does a result become a workbook that a manager can read?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from crm_portfolio import _html
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.results._values import Json, leaves

if TYPE_CHECKING:
    import pyarrow as pa

    from crm_portfolio.results._result import Result

__all__ = ["workbook"]

_EXPLAINED: Final = 10_000
"""Accounts whose reasons are written out; `explain` has those of all others."""


def workbook(result: Result, lang: Lang, *, explained: int = _EXPLAINED) -> bytes:
    """One sheet for each question: who, how much, beware of what, why, and made of what."""
    table = result._table  # noqa: SLF001
    rejected = result._rejected  # noqa: SLF001
    why = [*_why(result, lang, explained)]
    sheets: dict[str, pa.Table | _html.Lines] = {
        result.rows: table,
        **result._further(),  # noqa: SLF001
        "summary": _html.Lines(("name", "value"), [*_figures(result.summary)]),
        "warnings": _html.Lines(("code", "warning"), [*_warned(result, lang)]),
        "reasons": _html.Lines((result.key, "name", "reason"), why),
        "params": _html.Lines(("name", "value"), [*_params(result, lang)]),
    }
    if rejected.num_rows:
        sheets["rejected"] = rejected
    sheets |= result._own_sheets(lang, [*sheets])  # noqa: SLF001
    return _html.xlsx(sheets)


def _figures(summary: Mapping[str, Json]) -> Iterator[Sequence[Any]]:
    """Single figures first; then each list as a small table of its own."""
    lists: dict[str, Any] = {k: v for k, v in summary.items() if _is_table(v)}
    for name, value in summary.items():
        if name not in lists:
            yield from leaves(value, name)
    for name, rows in lists.items():
        columns = list(dict.fromkeys(key for row in rows for key in row))
        yield ()
        yield (name,)
        yield columns
        for row in rows:
            yield [_cell(row.get(column)) for column in columns]


def _is_table(value: Json) -> bool:
    if not isinstance(value, Sequence) or isinstance(value, str):
        return False
    return bool(value) and all(isinstance(row, Mapping) for row in value)


def _cell(value: Json) -> str | int | float | bool | None:
    """A value that fits one cell: lists and tables of a table in words."""
    if isinstance(value, Mapping):
        return ", ".join(str(each) for each in value.values())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "; ".join(str(_cell(each)) for each in value)
    return value


def _warned(result: Result, lang: Lang) -> Iterator[Sequence[Any]]:
    names = result._names(result.warnings)  # noqa: SLF001
    for warning in result.warnings:
        yield warning.code, sentence(warning, lang, names=names)


def _why(result: Result, lang: Lang, explained: int) -> Iterator[Sequence[Any]]:
    """A line for each reason of the first accounts, which are the largest."""
    table = result._table  # noqa: SLF001
    shown = table.slice(0, explained)
    for row in shown.to_pylist():
        reasons = result._reasons(row)  # noqa: SLF001
        names = result._names(reasons)  # noqa: SLF001
        for reason in reasons:
            yield row[result.key], row.get("name"), sentence(reason, lang, names=names)
    if table.num_rows > shown.num_rows:
        count = Reason("reasons_shown", {"shown": shown.num_rows, "n": table.num_rows})
        yield None, None, sentence(count, lang)


def _params(result: Result, lang: Lang) -> Iterator[Sequence[Any]]:
    for reason in result.basis():
        yield "", sentence(reason, lang)
    yield "coverage", result.coverage
    yield from leaves(result.params, "")
