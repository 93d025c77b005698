"""What did people answer in the sheet, and which of their cells cannot be read?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from crm_portfolio._frames import Backend, NativeFrame, from_arrow
from crm_portfolio.analysis._exit._ask_sheet import ASKED, COLUMNS, id_of, openpyxl
from crm_portfolio.analysis._exit._criteria import CRITERIA, VETOES
from crm_portfolio.errors import DamagedFileError, SchemaError, did_you_mean
from crm_portfolio.schema import RATING, arrow_type, fault_table

__all__ = ["read_answers"]

_NEEDED: Final = ("account_id", "criterion", "value")
_READ: Final = (*_NEEDED, "rated_by", "rated_on", "comment")
_NAMES: Final = (*(each.name for each in CRITERIA.values()), *VETOES)
_NUMBER: Final = re.compile(r"^\d+([.,]\d+)?$")
_MOST: Final = 10.0
_AGAIN: Final = "Save the questions anew and copy the answers over"
_SCHEMA: Final = pa.schema(
    [(each.name, arrow_type(each)) for each in RATING.columns if each.name in _READ]
)

Cells = Mapping[str, Any]
Fault = dict[str, object]


def read_answers(path: Path | str, *, backend: Backend = "pandas") -> NativeFrame:
    """What people answered in a sheet that ``save_questions`` made, as ratings.

    ``analysis.with_ratings`` takes them, as it takes any other frame of ratings.

    A question without an answer is left out: nothing stands in for it; but one that
    somebody commented on lacks its value. Rows that people added count like the others.

    Args:
        path: The filled workbook; its sheet ``ask`` is read.
        backend: The kind of frame to hand back.

    Raises:
        SchemaError: Cells that cannot be read, all of them; each with its sheet as
            ``table``, its cell as ``column``, its line as ``row``, and how to mend it.
        DamagedFileError: It is no workbook, or none with questions.
    """
    sheet = _opened(Path(path))
    lines = sheet.iter_rows()
    places = _columns(next(lines, ()), str(path))
    faults: list[Fault] = []
    found: list[dict[str, Any]] = []
    said: dict[tuple[Any, ...], tuple[str, float]] = {}
    for line in lines:
        cells = {name: line[at] for name, at in places.items()}
        if _is_empty(cells["value"]):
            faults += _left_empty(cells)
            continue
        row, wrong = _answered(cells)
        wrong += [] if wrong else [*_contradicted(row, cells["value"], said)]
        faults += wrong
        found.append(row)
    if faults:
        raise SchemaError(fault_table(faults))
    return from_arrow(pa.Table.from_pylist(found, schema=_SCHEMA), backend)


def _opened(path: Path) -> Any:
    package = openpyxl()
    try:
        book = package.load_workbook(path)
    except FileNotFoundError:
        raise
    except Exception as error:
        raise DamagedFileError(str(path), "it is no workbook", _AGAIN) from error
    if ASKED not in book.sheetnames:
        raise DamagedFileError(str(path), f"it has no sheet {ASKED!r}", _AGAIN)
    return book[ASKED]


def _columns(heads: Any, path: str) -> dict[str, int]:
    """Where each column stands; one that was renamed is not taken for one that is not there."""
    names = [str(each.value).strip().lower() if each.value else "" for each in heads]
    lacking = [name for name in _NEEDED if name not in names]
    if lacking:
        told = f"the sheet {ASKED!r} lacks the column {' and '.join(lacking)}"
        raise DamagedFileError(path, told, _AGAIN)
    twice = [name for name in _READ if names.count(name) > 1]
    if twice:
        told = f"the sheet {ASKED!r} has the column {' and '.join(twice)} twice"
        raise DamagedFileError(path, told, "Keep the one that was filled in")
    for name in names:
        near = did_you_mean(name, [each for each in _READ if each not in names])
        if name and name not in COLUMNS and near:
            told = f"the sheet {ASKED!r} has a column {name!r}{near}"
            raise DamagedFileError(path, told, "Name its columns as they were")
    return {name: names.index(name) for name in _READ if name in names}


def _answered(cells: Cells) -> tuple[dict[str, Any], list[Fault]]:
    """The rating of a line, and all that is wrong with it."""
    readers = {
        "account_id": _id,
        "criterion": _criterion,
        "value": _value,
        "rated_by": _id,
        "rated_on": _day,
        "comment": _text,
    }
    row: dict[str, Any] = dict.fromkeys(_READ)
    faults: list[Fault] = []
    for name, cell in cells.items():
        if _is_empty(cell):
            if name in _NEEDED:
                hint = "say which account and which criterion the value is of"
                faults.append(_fault(cell, "missing_value", hint))
        elif cell.data_type in ("f", "e"):
            hint = "type the value itself, or paste it as a value"
            faults.append(_fault(cell, "formula_or_error", hint))
        else:
            try:
                row[name] = readers[name](cell.value)
            except _WrongError as error:
                faults.append(_fault(cell, error.code, error.hint))
    return row, faults


def _left_empty(cells: Cells) -> Iterator[Fault]:
    """Who wrote why has not said how much."""
    if "comment" in cells and not _is_empty(cells["comment"]):
        hint = "write the value that is commented on, or take the comment away"
        yield _fault(cells["value"], "missing_value", hint)


def _contradicted(
    row: Mapping[str, Any], cell: Any, said: dict[tuple[Any, ...], tuple[str, float]]
) -> Iterator[Fault]:
    """One who signs says one thing of one account on one day."""
    if row["rated_by"] is None:
        return
    key = tuple(
        row[name] for name in ("account_id", "criterion", "rated_by", "rated_on")
    )
    where, value = said.setdefault(key, (cell.coordinate, row["value"]))
    if value != row["value"]:
        hint = f"{where} says something else; keep one of the two"
        yield _fault(cell, "contradicted", hint)


class _WrongError(Exception):
    """A cell that cannot be read, and how to mend it."""

    def __init__(self, code: str, hint: str) -> None:
        super().__init__(code, hint)
        self.code, self.hint = code, hint


def _is_empty(cell: Any) -> bool:
    value = cell.value
    return value is None or (isinstance(value, str) and not value.strip())


def _id(value: Any) -> str:
    """Spreadsheets make numbers of ids that look like one."""
    if isinstance(value, bool | datetime | date):
        raise _WrongError("wrong_type", "format the cell as text and type the id again")
    if isinstance(value, float):
        if not value.is_integer():
            hint = "format the cell as text and type the id again"
            raise _WrongError("wrong_type", hint)
        return str(int(value))
    return id_of(value.strip()) if isinstance(value, str) else str(value)


def _criterion(value: Any) -> str:
    name = str(value).strip().lower()
    if name in _NAMES:
        return name
    near = did_you_mean(name, _NAMES) or f"; there are {', '.join(_NAMES)}"
    raise _WrongError("unknown_criterion", f"use a name of the sheet criteria{near}")


def _value(value: Any) -> float:
    if isinstance(value, str) and _NUMBER.match(value.strip()):
        value = float(value.strip().replace(",", "."))
    hint = "write a number from 0 (worst) to 10 (best), or leave it empty"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _WrongError("wrong_type", hint)
    if not 0 <= value <= _MOST:
        raise _WrongError("out_of_bounds", hint)
    return float(value)


def _day(value: Any) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value).strip())
    except ValueError:
        raise _WrongError("wrong_type", "write a day, such as 2026-06-30") from None


def _text(value: Any) -> str:
    return str(value).strip()


def _fault(cell: Any, code: str, hint: str) -> Fault:
    return {
        "table": cell.parent.title,
        "column": cell.coordinate,
        "row": cell.row,
        "value": None if cell.value is None else str(cell.value),
        "fault": code,
        "effect": "stops",
        "hint": hint,
    }
