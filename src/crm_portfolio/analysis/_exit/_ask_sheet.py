"""How are the questions put to people, in a sheet that teaches how to answer them?"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._inert import inert
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.analysis._exit._criteria import CRITERIA, VETOES
from crm_portfolio.analysis._exit._questions import BEST, QUESTIONS, ROLES, WORST
from crm_portfolio.errors import MissingExtraError

__all__ = ["ASKED", "COLUMNS", "ask_sheet", "id_of", "openpyxl", "shown_id"]

ASKED: Final = "ask"
"""The sheet that is filled in and read back."""
COLUMNS: Final = (
    *("account_id", "name", "criterion", "question", "who", "owner_id"),
    *("value", "rated_by", "rated_on", "comment"),
)
_FILLED_IN: Final = ("value", "rated_by", "rated_on", "comment")
_WIDTHS: Final = {
    "account_id": 20,
    "name": 30,
    "criterion": 16,
    "question": 60,
    "who": 24,
    "comment": 50,
    "worst": 40,
    "best": 40,
}
_USUAL_WIDTH: Final = 14
_MORE_ROWS: Final = 500
"""Below the questions, for those who add their own."""
_TEACHES: Final = (
    "ask_teach_scale",
    "ask_teach_empty",
    "ask_teach_who",
    "ask_teach_facts",
    "ask_teach_rows",
    "ask_teach_formula",
    "ask_teach_order",
    "ask_teach_tables",
    "ask_teach_back",
)
# What a spreadsheet or XML would change: controls, blanks at an end, and our own mark.
_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]|^[\s"]|\s$')


def openpyxl() -> Any:
    """The package, or what to install."""
    try:
        import openpyxl as found
    except ImportError as error:
        raise MissingExtraError("openpyxl", "excel") from error
    return found


def ask_sheet(
    questions: pa.Table,
    people: Sequence[str],
    *,
    file: str,
    accounts: int | None,
    lang: Lang,
) -> bytes:
    """A workbook: how to answer, the questions, what 0 and 10 mean, what tables would say.

    Args:
        people: Ids of owners, to sign with.
        file: As it will be called, for the line that reads it back.
        accounts: Only those of whom answers matter most; None: all.
    """
    book = openpyxl().Workbook()
    teach = book.active
    teach.title = "read me"
    _fill(teach, [sentence(Reason("ask_teach_title"), lang)], _taught(file, lang), 110)
    ask = book.create_sheet(ASKED)
    rows = [*_asked(questions, accounts, lang)]
    _fill(ask, COLUMNS, rows)
    _fill(
        book.create_sheet("criteria"),
        ("criterion", "question", "worst", "best", "who"),
        _meant(lang),
    )
    _fill(
        book.create_sheet("tables"),
        ("table", "question", "who", "account_count"),
        _supplied(questions, lang),
    )
    _fill(book.create_sheet("people"), ("owner_id",), [(each,) for each in people])
    _guide(ask, len(rows) + 1 + _MORE_ROWS, len(people), lang)
    _styled(ask, len(rows) + 1)
    book.active = book.index(ask)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _taught(file: str, lang: Lang) -> Iterator[tuple[str]]:
    for code in _TEACHES:
        values = {"file": inert(file)} if code == "ask_teach_back" else {}
        yield (sentence(Reason(code, values), lang),)


def _asked(
    questions: pa.Table, accounts: int | None, lang: Lang
) -> Iterator[tuple[Any, ...]]:
    """Account by account, those first of whom an answer matters most."""
    single = questions.filter(pc.equal(questions["answer"], "rating"))
    first = pc.unique(single["account_id"])[:accounts]
    mine = single.filter(pc.is_in(single["account_id"], first))
    of: dict[str, list[dict[str, Any]]] = {}
    for row in mine.to_pylist():
        of.setdefault(row["account_id"], []).append(row)
    for account_id, rows in of.items():
        for row in rows:
            yield (
                shown_id(account_id),
                inert(row.get("name") or ""),
                row["rated_as"],
                row["question"],
                sentence(Reason(ROLES[row["ask"]]), lang),
                shown_id(row["owner_id"]) if row["owner_id"] else None,
            )


def _meant(lang: Lang) -> Iterator[tuple[str | None, ...]]:
    for code, one in CRITERIA.items():
        told = (QUESTIONS[code], WORST[code], BEST[code], ROLES[one.ask])
        yield (one.name, *(sentence(Reason(each), lang) for each in told))
    for name in VETOES:
        yield (name, None, None, None, sentence(Reason(ROLES["owner"]), lang))


def _supplied(questions: pa.Table, lang: Lang) -> Iterator[tuple[Any, ...]]:
    shared = questions.filter(pc.equal(questions["answer"], "table"))
    for row in shared.to_pylist():
        who = sentence(Reason(ROLES[row["ask"]]), lang)
        yield row["table"], row["question"], who, row["account_count"]


def _fill(
    sheet: Any, heads: Sequence[str], rows: Any, width: int | None = None
) -> None:
    from openpyxl.styles import Alignment, Font
    from openpyxl.utils import get_column_letter

    for at, row in enumerate([heads, *rows], 1):
        for column, value in enumerate(row, 1):
            cell = sheet.cell(at, column)
            _put(cell, value)
            cell.alignment = Alignment(wrap_text=True, vertical="top")
            if at == 1:
                cell.font = Font(bold=True)
    for column, name in enumerate(heads, 1):
        wide = width or _WIDTHS.get(name, _USUAL_WIDTH)
        sheet.column_dimensions[get_column_letter(column)].width = wide
    sheet.freeze_panes = "A2"


def _put(cell: Any, value: Any) -> None:
    """Text as text: whatever it begins with, a spreadsheet computes nothing from it."""
    cell.value = value
    if isinstance(value, str):
        cell.data_type = "s"
        cell.quotePrefix = True


def _guide(sheet: Any, last: int, people: int, lang: Lang) -> None:
    """What may be typed where; a spreadsheet then says no at once."""
    from openpyxl.worksheet.datavalidation import DataValidation

    rules = {
        "value": ("ask_wrong_value", {"type": "decimal", "operator": "between"}),
        "rated_on": ("ask_wrong_day", {"type": "date", "operator": "greaterThan"}),
        "criterion": ("ask_wrong_criterion", {"type": "list"}),
        "rated_by": (None, {"type": "list"}),
    }
    names = len(CRITERIA) + len(VETOES) + 1
    bounds = {
        "value": ("0", "10"),
        "rated_on": ("36526", None),  # 2000-01-01, as spreadsheets count days
        "criterion": (f"criteria!$A$2:$A${names}", None),
        "rated_by": (f"people!$A$2:$A${people + 1}", None),
    }
    for name, (code, kind) in rules.items():
        if name == "rated_by" and not people:
            continue
        first, second = bounds[name]
        rule = DataValidation(formula1=first, formula2=second, allow_blank=True, **kind)
        if code:
            rule.error = sentence(Reason(code), lang)
            rule.showErrorMessage = True
        letter = _letter(name)
        rule.add(f"{letter}2:{letter}{last}")
        sheet.add_data_validation(rule)


def _styled(sheet: Any, last: int) -> None:
    """The cells to be filled in stand out, in grey too."""
    from openpyxl.styles import PatternFill

    for name in _FILLED_IN:
        for row in range(2, last + 1):
            cell = sheet[f"{_letter(name)}{row}"]
            cell.fill = PatternFill("solid", start_color="FFF2CC")
            if name == "rated_on":
                cell.number_format = "yyyy-mm-dd"


def _letter(name: str) -> str:
    return "ABCDEFGHIJ"[COLUMNS.index(name)]


def shown_id(record_id: str) -> str:
    """An id as a cell can hold it; one that a cell would change, as JSON says it."""
    return json.dumps(record_id) if _UNSAFE.search(record_id) else record_id


def id_of(shown: str) -> str:
    """The id that `shown_id` showed."""
    if not shown.startswith('"'):
        return shown
    try:
        found = json.loads(shown)
    except ValueError:
        return shown
    return found if isinstance(found, str) else shown
