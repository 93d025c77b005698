"""What does a whole night look like: pull, look, plan, apply, again, undo?

Against a pretend CRM on this machine, through the same door as a real one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio import samples
from crm_portfolio._demo._acts import (
    Act,
    Again,
    Applied,
    Demo,
    Kept,
    Looked,
    Planned,
    Pulled,
    Ranked,
    SetUp,
    Started,
    Tier,
    Undone,
    Why,
)
from crm_portfolio._demo._pretended import PRETENDED, CrmName
from crm_portfolio._demo._stage import Stage
from crm_portfolio._folder import read_folder
from crm_portfolio.errors import SettingsError

if TYPE_CHECKING:
    from crm_portfolio.protocols import Progress
    from crm_portfolio.schema import TableName

__all__ = [
    "Act",
    "Again",
    "Applied",
    "CrmName",
    "Demo",
    "Kept",
    "Looked",
    "Planned",
    "Pulled",
    "Ranked",
    "SetUp",
    "Started",
    "Tier",
    "Undone",
    "Why",
    "demo",
]

_NO_DAY: Final = "the opportunities do not tell the last day known (no closed_on): say as_of= (--as-of)"


def demo(
    crm: CrmName = "salesforce",
    *,
    data: Path | None = None,
    keep: Path | None = None,
    as_of: date | None = None,
    tell: Callable[[Act], None] | None = None,
    progress: Progress | None = None,
) -> Demo:
    """Run the main job, end to end, on invented data or on a folder of tables.

    Args:
        crm: Which CRM is pretended.
        data: Tables to put into the pretend CRM; without it, an invented book.
        keep: Where portfolio, plans and archive go; without it, a new temporary folder.
        as_of: The last day known; without it, the last on which something was closed.
        tell: Called with each act when it is over.
        progress: Told how far a long act has come.
    """
    tables, currency, last_day = _cast(data)
    folder = keep or Path(tempfile.mkdtemp(prefix="crm-portfolio-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    acts: list[Act] = []

    def over(act: Act) -> None:
        acts.append(act)
        if tell:
            tell(act)

    chosen = PRETENDED[crm]
    with chosen.begun(tables, currency) as pretend:
        records: dict[str, int] = {n: table.num_rows for n, table in tables.items()}
        over(Started(crm=chosen.label, url=pretend.url, records=records))
        Stage(chosen, pretend, folder, as_of or last_day, progress).play(over)
    return Demo(*acts)  # type: ignore[arg-type]


def _cast(data: Path | None) -> tuple[Mapping[TableName, pa.Table], str, date]:
    """The tables to show, their currency and their last day."""
    if data is None:
        book = samples.book()
        return book.tables, book.truths["currency"], book.truths["as_of"]
    tables = read_folder(data)
    return tables, _currency(tables), _last_day(tables)


def _currency(tables: Mapping[TableName, pa.Table]) -> str:
    deals = tables.get("opportunity")
    if deals is None or "currency" not in deals.column_names:
        return "USD"
    known = pc.unique(deals["currency"].drop_null()).to_pylist()
    return str(known[0]) if len(known) == 1 else "USD"


def _last_day(tables: Mapping[TableName, pa.Table]) -> date:
    """The last day on which an opportunity was closed, so that the year is full."""
    deals = tables.get("opportunity")
    if deals is None or "closed_on" not in deals.column_names:
        raise SettingsError(_NO_DAY)
    last = pc.max(deals["closed_on"].cast(pa.string())).as_py()
    try:
        return date.fromisoformat(str(last)[:10])
    except ValueError as error:
        raise SettingsError(_NO_DAY) from error
