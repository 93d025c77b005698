"""Which rows of an export are no records: totals, notes and blank lines?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import reduce
from typing import Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.connectors.files._csv import Head, Ragged
from crm_portfolio.connectors.files._headers import Lexicon, fold
from crm_portfolio.errors import DataError

__all__ = ["Records", "records"]

_NUMERIC: Final = ("integer", "number", "share", "money", "percent")
# "Total" alone may be a company; a row of totals has no id and no date beside it.
_TELLING: Final = ("id", "salesforce_id", "day", "moment")
_SHOWN: Final = 5


@attrs.frozen(eq=False)
class Records:
    """The rows that are records, and how many were none."""

    rows: pa.Table
    dropped_count: int


def records(
    cells: pa.Table,
    ragged: Sequence[Ragged],
    head: Head,
    words: Lexicon,
    converters: dict[str, str],
) -> Records:
    """The records among the rows. ``converters`` has one for each column that is read.

    Raises:
        DataError: Rows with another number of cells than the header that end no report.
    """
    filled = _filled(cells)
    blank = pc.equal(filled, 0)
    is_none = pc.or_(
        blank, pc.or_(_notes(cells, filled, words), _totals(cells, words, converters))
    )
    kept = cells.filter(pc.invert(is_none))
    _refuse(_broken(ragged, cells.num_rows, words), head)
    return Records(kept, cells.num_rows - kept.num_rows + len(ragged))


def _filled(cells: pa.Table) -> pa.ChunkedArray:
    """How many cells of each row hold something."""
    counts = [pc.cast(column.is_valid(), pa.int32()) for column in cells.columns]
    return reduce(pc.add, counts)


def _first(cells: pa.Table) -> pa.ChunkedArray:
    return pc.coalesce(*(column.cast(pa.string()) for column in cells.columns))


def _starts_like(
    text: pa.ChunkedArray, labels: Sequence[str], rest: str
) -> pa.ChunkedArray:
    """Whether each text is one of the labels, case and accents apart."""
    folded = pc.utf8_lower(
        pc.replace_substring_regex(text, r"[\s\x{00A0}\x{202F}]+", " ")
    )
    options = "|".join(_accent_free(label) for label in labels)
    return pc.match_substring_regex(folded, rf"^ ?(?:{options}){rest}").fill_null(
        fill_value=False
    )


def _accent_free(label: str) -> str:
    accents = {"a": "[aàâ]", "e": "[eéèê]", "i": "[iîï]", "o": "[oô]", "u": "[uùûü]"}
    return "".join(accents.get(char, re.escape(char)) for char in label)


def _notes(cells: pa.Table, filled: pa.ChunkedArray, words: Lexicon) -> pa.ChunkedArray:
    if not words.notes:
        return pc.less(filled, 0)
    return pc.and_(pc.equal(filled, 1), _starts_like(_first(cells), words.notes, ""))


def _totals(
    cells: pa.Table, words: Lexicon, converters: dict[str, str]
) -> pa.ChunkedArray:
    texts = [
        name for name in cells.column_names if converters.get(name) not in _NUMERIC
    ]
    telling = [name for name in texts if converters.get(name) in _TELLING]
    if not words.totals or not telling:
        return pc.less(_filled(cells), 0)
    label = _starts_like(
        _first(cells.select(texts)), words.totals, r" ?(?:\([^)]*\))?:?$"
    )
    return pc.and_(pc.equal(_filled(cells.select(texts)), 1), label)


def _broken(ragged: Sequence[Ragged], row_count: int, words: Lexicon) -> list[Ragged]:
    """Rows cut short or run together; short lines that end a report are neither."""
    labels = (*words.notes, *words.totals)
    known = [
        row
        for row in ragged
        if labels and fold(row.text.strip(' "')).startswith(labels)
    ]
    # The report's and the company's name may stand among the notes, at the very end.
    first_note = min((row.line for row in known), default=None)
    return [
        row
        for row in ragged
        if row not in known
        and not (
            first_note is not None and row.after == row_count and row.cell_count == 1
        )
    ]


def _refuse(broken: Sequence[Ragged], head: Head) -> None:
    if broken:
        lines = ", ".join(str(row.line) for row in broken[:_SHOWN])
        more = f" and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
        raise DataError(
            f"{head.path.name}: row(s) {lines}{more} have another number of cells than the "
            f"header, which has {len(head.headers)}. A quote or a delimiter is missing "
            "there: mend the file or export it again"
        )
