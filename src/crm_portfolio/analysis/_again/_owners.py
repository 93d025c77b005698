"""What does each of us have to do, and from which day on?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._html import Lines, sheet_title
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.analysis._again._reasons import headline, when
from crm_portfolio.results import Row

__all__ = ["owner_sheets"]

_MOST_ROWS: Final = 10_000
_COLUMNS: Final = (
    *("opportunity_id", "account_id", "lost_on", "recommendation"),
    *("not_before", "rank", "expected_value", "reason"),
)


def owner_sheets(
    table: pa.Table,
    owners: Mapping[str, str],
    *,
    taken: Sequence[str],
    reasons: Callable[[Row], str],
    lang: Lang,
) -> dict[str, Lines]:
    """A sheet for each owner, those without one last; in the order of the frame.

    Args:
        taken: Titles that other sheets of the workbook have.
        reasons: Why a row is where it is, in sentences.
    """
    shown = table.slice(0, _MOST_ROWS)
    ids = sorted(pc.unique(shown["owner_id"]).drop_null().to_pylist())
    titles, sheets = [*taken], {}
    for owner in [*ids, None]:
        own = pc.is_null(shown["owner_id"])
        if owner is not None:
            own = pc.equal(shown["owner_id"], owner)
        rows = shown.filter(own)
        if not rows.num_rows:
            continue
        nobody = sentence(Reason("again_nobody"), lang)
        called = nobody if owner is None else owners.get(owner) or owner
        title = sheet_title(called, titles)
        titles.append(title)
        sheets[title] = Lines(_COLUMNS, [*_told(rows, reasons, lang)])
    return sheets


def _told(
    rows: pa.Table, reasons: Callable[[Row], str], lang: Lang
) -> Iterator[Sequence[object]]:
    for row in rows.to_pylist():
        yield (
            row["opportunity_id"],
            row["account_id"],
            row["lost_on"],
            sentence(headline(row), lang),
            sentence(when(row), lang),
            row["rank"],
            row["expected_value"],
            reasons(row),
        )
