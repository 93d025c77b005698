"""What does an analysis hand back, and how is it kept, shown and compared?"""

from __future__ import annotations

import copy
import io
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio import _html
from crm_portfolio._frames import Backend, NativeFrame, from_arrow, plain
from crm_portfolio._inert import inert
from crm_portfolio._places import in_one
from crm_portfolio._plots import as_svg
from crm_portfolio._storage import write_atomically
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.errors import MissingExtraError, SettingsError, did_you_mean
from crm_portfolio.results._comparison import Comparison, compared
from crm_portfolio.results._packed import Known, Packed
from crm_portfolio.results._values import Json, Row, json_rows
from crm_portfolio.results._workbook import workbook

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Result"]

_HTML_ROWS = 1000
_NOTEBOOK_ROWS = 20


@attrs.frozen(slots=False, eq=False, repr=False)
class Result(ABC):
    """What one analysis found: a frame with one row per account, and why.

    Attributes:
        summary: The figures of the whole portfolio, JSON-able.
        params: Every setting, the measure, the period, the as-of day, the currency, the
            population and the portfolio's id: what it takes to compute the same again.
        coverage: Share of the period's lines whose amount is known; None without lines.
        warnings: What to bear in mind, as codes and values.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    """The code of its heading."""
    key: ClassVar[str] = "account_id"
    compared: ClassVar[str]
    """The column that `compared_with` compares."""
    summed: ClassVar[Mapping[str, int]] = {"revenue": 10_000}
    """Columns whose sums a comparison tells, each with the parts of one that it holds."""
    rows: ClassVar[str] = "accounts"
    """What the lines of the frame are, as a sheet is called."""
    listing: ClassVar[str] = "heading_accounts"
    """The code of what stands over the frame on a page."""
    further: ClassVar[tuple[str, ...]] = ()
    """The tables beside the frame that are told with it, by their names."""

    _packed_tables: ClassVar[Mapping[str, Packed]] = {}
    _told_tables: ClassVar[Mapping[str, pa.Table]] = {}
    """Those whose texts are told by their places."""

    _table: pa.Table
    _rejected: pa.Table
    _backend: Backend
    summary: Mapping[str, Json]
    params: Mapping[str, Json]
    coverage: float | None
    warnings: tuple[Reason, ...]

    def __attrs_post_init__(self) -> None:
        told = {
            name: each
            for name, each in vars(self).items()
            if isinstance(each, pa.Table)
            and any(map(pa.types.is_dictionary, each.schema.types))
        }
        for name in told:  # it is made plain when it is asked for
            del self.__dict__[name]
        if told:
            self.__dict__["_told_tables"] = told

    @abstractmethod
    def _reasons(self, row: Row) -> tuple[Reason, ...]:
        """Why the account of this row of the frame is where it is."""

    @abstractmethod
    def plot(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """The picture of this result, with units on its axes; needs the extra ``report``."""

    def assignments(self) -> pa.Table | None:
        """``account_id`` and the managed columns this result decides; None if none."""
        return None

    def assigned_because(self, ids: Sequence[str]) -> dict[str, tuple[Reason, ...]]:
        """Why these records get what is assigned to them, for plans and archives."""
        return {record_id: self.reasons(record_id) for record_id in ids}

    def borders(self) -> tuple[tuple[str, Reason], ...]:
        """Accounts near a border between two groups, and the reason that says how near."""
        return ()

    @property
    def frame(self) -> NativeFrame:
        """One row per account, in the kind of frame the portfolio is made of."""
        return from_arrow(self.arrow, self._backend)

    @property
    def arrow(self) -> pa.Table:
        """``frame`` as an Arrow table; that of a packed result as long as you hold it."""
        packed = self._packed_tables.get("_table")
        if packed is None or "_table" in vars(self):
            return self._table
        lent = vars(self).setdefault("_lent", weakref.WeakValueDictionary())
        table = lent.get("_table")
        if table is None:
            table = lent["_table"] = packed.table()
        return table

    def columns(self, *names: str) -> pa.Table:
        """Those of these columns that ``arrow`` has; of a packed result, no others are read."""
        packed = self._packed_tables.get("_table")
        if packed is None or "_table" in vars(self):
            there = [name for name in names if name in self._table.column_names]
            return self._table.select(there)
        return packed.table([name for name in names if name in packed.column_names])

    def columns_at(self, rows: pa.Array, *names: str) -> dict[str, pa.Array]:
        """Those of these columns that ``arrow`` has, in these of its rows; null in none."""
        packed = self._packed_tables.get("_table")
        if packed is None or "_table" in vars(self):
            table = self.columns(*names)
            return {name: in_one(table[name]).take(rows) for name in table.column_names}
        return packed.at(rows, names)

    def rows_of(self, account_ids: pa.Array) -> pa.Array:
        """In which row of the frame each of these accounts stands; null where in none."""
        packed = self._packed_tables.get("_table")
        if packed is None or "_table" in vars(self):
            own = in_one(self._table["account_id"])
            return pc.index_in(account_ids, own)
        return packed.rows_of(account_ids)

    def _packed(self, known: Known) -> Self:
        """The same in as little room as it takes; a table is unpacked when it is asked for.

        A book holds all its results until the last of them is made.

        Args:
            known: Ids and names of the accounts, held once for all results.
        """
        tables = {
            name: Packed.of(each, known)
            for name, each in {**vars(self), **self._told_tables}.items()
            if isinstance(each, pa.Table)
        }
        small = copy.copy(self)
        for name in (*tables, "_told_tables"):
            small.__dict__.pop(name, None)
        small.__dict__["_packed_tables"] = {**self._packed_tables, **tables}
        return small

    def __getstate__(self) -> dict[str, Any]:
        left = {"_lent", *self._packed_tables}
        return {name: each for name, each in vars(self).items() if name not in left}

    if not TYPE_CHECKING:  # a name that nothing has stays a fault to the type checker

        def __getattr__(self, name: str) -> pa.Table:
            """A table as it is read; whoever asks for single rows asks for more."""
            told = self.__dict__.get("_told_tables", {}).get(name)
            packed = self.__dict__.get("_packed_tables", {}).get(name)
            if told is None and packed is None:
                kind = type(self).__name__
                raise AttributeError(f"{kind!r} object has no attribute {name!r}")
            table = packed.table() if told is None else plain(told)
            self.__dict__[name] = table
            return table

    @property
    def rejected(self) -> NativeFrame:
        """Lines that could not be counted: ``table``, ``record_id``, …, ``fault``."""
        return from_arrow(self._rejected, self._backend)

    def reasons(self, record_id: str) -> tuple[Reason, ...]:
        """Why this account is where it is, as codes and values: ids, never names."""
        return self._reasons(self._row(record_id))

    def every_reason(self) -> Iterator[tuple[str, tuple[Reason, ...]]]:
        """The id of each row of the frame, in its order, and why it is where it is."""
        for row in self._table.to_pylist():
            yield row[self.key], self._reasons(row)

    def basis(self) -> tuple[Reason, ...]:
        """The period it tells of, and what it takes for revenue, as codes and values."""
        return self._measured()

    def explain(self, record_id: str, *, lang: Lang = "en") -> str:
        """Why this account is where it is, in sentences, one a line; for people."""
        said = (*self.reasons(record_id), *self._measured())
        names = self._names(said)
        return "\n".join(sentence(reason, lang, names=names) for reason in said)

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON-able values in a stable order."""
        return {
            "name": self.name,
            "summary": self.summary,
            "params": self.params,
            "coverage": self.coverage,
            "warnings": [warning.to_dict() for warning in self.warnings],
            "rejected": json_rows(self._rejected),
            "frame": json_rows(self.arrow),
            **{name: json_rows(table) for name, table in self._further().items()},
        }

    def save(self, path: Path | str, *, lang: Lang = "en") -> None:
        """Write it for people, in the format its name ends in.

        ``.csv`` and ``.parquet`` hold the frame, ``.xlsx`` and ``.html`` all of it: a
        workbook has a sheet for each table, the warnings and reasons in sentences, and what
        it takes to compute the same again. Text that a spreadsheet would take for a formula
        is made inert in CSV and XLSX.
        """
        path = Path(path)
        writers: Mapping[str, Callable[[], bytes]] = {
            ".csv": lambda: _html.csv(self.arrow),
            ".parquet": self._parquet,
            ".xlsx": lambda: workbook(self, lang),
            ".html": lambda: self.to_html(lang=lang).encode(),
        }
        writer = writers.get(path.suffix.lower())
        if writer is None:
            known = ", ".join(writers)
            raise SettingsError(
                f"a result is saved as {known}, not as {path.suffix!r}"
                + did_you_mean(path.suffix, writers)
            )
        write_atomically(path, writer())

    def compared_with(self, other: Result) -> Comparison:
        """Who moved, from where in ``other`` (before) to where in this one (after).

        With the same portfolio and other settings it answers: what if the rules changed?
        """
        if other.name != self.name:
            raise SettingsError(f"{self.name} cannot be compared with {other.name}")
        return compared(self, other)

    def to_html(self, *, lang: Lang = "en") -> str:
        """A self-contained page: picture, warnings, figures, settings, accounts."""
        shown = self.arrow.slice(0, _HTML_ROWS)
        count = Reason(
            "rows_shown", {"shown": shown.num_rows, "n": self.columns().num_rows}
        )
        parts = [
            _html.picture(self._picture(lang)),
            *self._warned(lang),
            _html.heading(sentence(Reason("heading_summary"), lang)),
            _html.definitions(self.summary),
            _html.heading(sentence(Reason("heading_params"), lang)),
            _html.items([sentence(reason, lang) for reason in self._measured()]),
            _html.definitions(self.params),
            _html.heading(sentence(Reason(self.listing), lang)),
            _html.items([sentence(count, lang)]),
            _html.table(shown.column_names, shown.to_pylist()),
        ]
        return _html.page(sentence(Reason(self.title), lang), parts, lang=lang)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__}: {self.columns().num_rows} {self.rows}, "
            f"as of {self.params.get('as_of')}, {len(self.warnings)} warning(s)>"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: the picture, what to bear in mind, the first rows."""
        shown = self.arrow.slice(0, _NOTEBOOK_ROWS)
        return "\n".join(
            [
                _html.heading(sentence(Reason(self.title))),
                _html.paragraph(repr(self)),
                self._picture("en"),
                *self._warned("en"),
                _html.table(shown.column_names, shown.to_pylist()),
            ]
        )

    def _further(self) -> dict[str, pa.Table]:
        return {name: getattr(self, f"_{name}") for name in self.further}

    def _own_sheets(self, lang: Lang, taken: Sequence[str]) -> dict[str, _html.Lines]:
        """Sheets of a workbook besides the usual ones, which have the titles taken."""
        del lang, taken
        return {}

    def _warned(self, lang: Lang) -> list[str]:
        if not self.warnings:
            return []
        names = self._names(self.warnings)
        said = [sentence(warning, lang, names=names) for warning in self.warnings]
        title = sentence(Reason("heading_warnings"), lang)
        return [_html.heading(title), _html.items(said)]

    def _picture(self, lang: Lang) -> str:
        try:
            return as_svg(lambda ax: self.plot(ax=ax, lang=lang))
        except MissingExtraError:
            return ""  # a page without its picture is still the page asked for

    def _measured(self) -> tuple[Reason, ...]:
        """The period and the measure, as reasons."""
        days = dict(cast("Mapping[str, str]", self.params["period"]))
        is_all = days["start"] == date.min.isoformat()
        is_booked = self.params["measure"] == "booked"
        return (
            Reason("period_all" if is_all else "period", days),
            Reason("measure_booked" if is_booked else "measure_net_revenue"),
        )

    def _money(self) -> dict[str, str]:
        """What a reason carries beside an amount."""
        return {"currency": str(self.params["currency"])}

    def _called(self, rows: pa.Table) -> list[str]:
        """Names for a picture; ids where there are none."""
        ids: list[str] = rows[self.key].to_pylist()
        names = rows["name"].to_pylist() if "name" in rows.column_names else ids
        return [name or key for name, key in zip(names, ids, strict=True)]

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {key: at for at, key in enumerate(self._table[self.key].to_pylist())}

    def _row(self, record_id: str) -> Row:
        if isinstance(record_id, pa.Scalar):  # a cell of a PyArrow frame
            record_id = record_id.as_py()
        at = self._row_of.get(record_id)
        if at is None:
            raise SettingsError(
                f"{self.name} knows no {self.key.removesuffix('_id')} "
                f"with the id {record_id!r}" + did_you_mean(record_id, self._row_of)
            )
        row: Row = self._table.slice(at, 1).to_pylist()[0]
        return row

    def _names(self, reasons: Sequence[Reason]) -> dict[str, str]:
        """The names, made harmless, of the accounts these reasons speak of."""
        if "name" not in self._table.column_names:
            return {}
        ids = {
            v for reason in reasons for v in reason.values.values() if v in self._row_of
        }
        names = {
            str(each): self._row(str(each))["name"] for each in sorted(map(str, ids))
        }
        return {key: inert(name) for key, name in names.items() if name}

    def _parquet(self) -> bytes:
        import pyarrow.parquet as pq

        buffer = io.BytesIO()
        pq.write_table(self.arrow, buffer)
        return buffer.getvalue()
