"""What does an analysis hand back, and how is it kept, shown and compared?"""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, cast

import attrs
import pyarrow as pa

from crm_portfolio import _html
from crm_portfolio._frames import Backend, NativeFrame, from_arrow
from crm_portfolio._inert import inert
from crm_portfolio._plots import as_svg
from crm_portfolio._storage import write_atomically
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.errors import MissingExtraError, SettingsError, did_you_mean

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Comparison", "Json", "Result", "Row", "json_rows", "significant"]

Json: TypeAlias = (
    str | int | float | bool | Sequence["Json"] | Mapping[str, "Json"] | None
)
Row: TypeAlias = Mapping[str, Any]
"""One line of a result's frame, by column."""

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

    _table: pa.Table
    _rejected: pa.Table
    _backend: Backend
    summary: Mapping[str, Json]
    params: Mapping[str, Json]
    coverage: float | None
    warnings: tuple[Reason, ...]

    @abstractmethod
    def _reasons(self, row: Row) -> tuple[Reason, ...]:
        """Why the account of this row of the frame is where it is."""

    @abstractmethod
    def plot(self, *, ax: Axes | None = None, lang: Lang = "en") -> Axes:
        """The picture of this result, with units on its axes; needs the extra ``report``."""

    def assignments(self) -> pa.Table | None:
        """``account_id`` and the managed columns this result decides; None if none."""
        return None

    def borders(self) -> tuple[tuple[str, Reason], ...]:
        """Accounts near a border between two groups, and the reason that says how near."""
        return ()

    @property
    def frame(self) -> NativeFrame:
        """One row per account, in the kind of frame the portfolio is made of."""
        return from_arrow(self._table, self._backend)

    @property
    def rejected(self) -> NativeFrame:
        """Lines that could not be counted: ``table``, ``record_id``, …, ``fault``."""
        return from_arrow(self._rejected, self._backend)

    def reasons(self, record_id: str) -> tuple[Reason, ...]:
        """Why this account is where it is, as codes and values: ids, never names."""
        return self._reasons(self._row(record_id))

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
            "frame": json_rows(self._table),
        }

    def save(self, path: Path | str, *, lang: Lang = "en") -> None:
        """Write it for people, in the format its name ends in.

        ``.csv`` and ``.parquet`` hold the frame, ``.xlsx`` and ``.html`` all of it. Text that a spreadsheet would take for a formula is made inert in CSV and XLSX.
        """
        path = Path(path)
        writers: Mapping[str, Callable[[], bytes]] = {
            ".csv": lambda: _html.csv(self._table),
            ".parquet": self._parquet,
            ".xlsx": self._xlsx,
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
        """Who moved, from where in ``other`` (before) to where in this one (after)."""
        if other.name != self.name:
            raise SettingsError(f"{self.name} cannot be compared with {other.name}")
        return _comparison(self, other)

    def to_html(self, *, lang: Lang = "en") -> str:
        """A self-contained page: picture, warnings, figures, settings, accounts."""
        shown = self._table.slice(0, _HTML_ROWS)
        count = Reason(
            "rows_shown", {"shown": shown.num_rows, "n": self._table.num_rows}
        )
        parts = [
            self._picture(lang),
            *self._warned(lang),
            _html.heading(sentence(Reason("heading_summary"), lang)),
            _html.definitions(self.summary),
            _html.heading(sentence(Reason("heading_params"), lang)),
            _html.items([sentence(reason, lang) for reason in self._measured()]),
            _html.definitions(self.params),
            _html.heading(sentence(Reason("heading_accounts"), lang)),
            _html.items([sentence(count, lang)]),
            _html.table(shown.column_names, shown.to_pylist()),
        ]
        return _html.page(sentence(Reason(self.title), lang), parts, lang=lang)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__}: {self._table.num_rows} accounts, "
            f"as of {self.params.get('as_of')}, {len(self.warnings)} warning(s)>"
        )

    def _repr_html_(self) -> str:
        shown = self._table.slice(0, _NOTEBOOK_ROWS)
        return "\n".join(
            [
                f"<p>{_html.text(repr(self))}</p>",
                *self._warned("en"),
                _html.table(shown.column_names, shown.to_pylist()),
            ]
        )

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
                f"{self.name} knows no account with the id {record_id!r}"
                + did_you_mean(record_id, self._row_of)
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
        pq.write_table(self._table, buffer)
        return buffer.getvalue()

    def _xlsx(self) -> bytes:
        sheets = {self.name: self._table}
        for title, values in (("summary", self.summary), ("params", self.params)):
            pairs = list(_leaves(values, ""))
            texts = [
                ["" if each is None else str(each) for each in pair] for pair in pairs
            ]
            sheets[title] = pa.table(
                list(zip(*texts, strict=True)), names=["name", "value"]
            )
        return _html.xlsx(sheets)


@attrs.frozen(eq=False, repr=False)
class Comparison:
    """Who moved between two results of the same analysis.

    Attributes:
        column: What is compared.
        moves: How many went from which value to which, most frequent first.
        came: Accounts only the later result knows.
        left: Accounts only the earlier one knows.
    """

    column: str
    moves: Mapping[tuple[Json, Json], int]
    came: tuple[str, ...]
    left: tuple[str, ...]
    _table: pa.Table
    _after: Result

    @property
    def frame(self) -> NativeFrame:
        """``account_id``, ``before`` and ``after`` of those that moved, by id."""
        return from_arrow(self._table, self._after._backend)  # noqa: SLF001

    def explain(self, record_id: str, *, lang: Lang = "en") -> str:
        """Why the account is where the later result puts it."""
        return self._after.explain(record_id, lang=lang)

    def __repr__(self) -> str:
        return (
            f"<Comparison of {self.column}: {self._table.num_rows} moved, "
            f"{len(self.came)} came, {len(self.left)} left>"
        )


def significant(value: float | None) -> float | None:
    """A statistic to 12 significant digits, where engines still agree; no NaN, no −0."""
    if value is None or value != value:  # noqa: PLR0124 - NaN is unknown here
        return None
    return float(f"{value:.12g}") + 0.0


def _comparison(after: Result, before: Result) -> Comparison:
    column, key = after.compared, after.key
    was = dict(zip(*(before._table[c].to_pylist() for c in (key, column)), strict=True))  # noqa: SLF001
    now = dict(zip(*(after._table[c].to_pylist() for c in (key, column)), strict=True))  # noqa: SLF001
    moved = sorted(each for each in now if each in was and now[each] != was[each])
    counts: dict[tuple[Json, Json], int] = {}
    for each in moved:
        move = (was[each], now[each])
        counts[move] = counts.get(move, 0) + 1
    kind = after._table.schema.field(column).type  # noqa: SLF001
    table = pa.table(
        {
            key: pa.array(moved, pa.string()),
            "before": pa.array([was[each] for each in moved], kind),
            "after": pa.array([now[each] for each in moved], kind),
        }
    )
    ranked = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    return Comparison(
        column,
        dict(ranked),
        came=tuple(sorted(now.keys() - was.keys())),
        left=tuple(sorted(was.keys() - now.keys())),
        table=table,
        after=after,
    )


def json_rows(table: pa.Table) -> list[dict[str, Json]]:
    """A table as JSON-able rows: days as ISO text, NaN as null."""
    return [
        {key: _json(value) for key, value in row.items()} for row in table.to_pylist()
    ]


def _json(value: Any) -> Json:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - NaN
        return None
    plain: Json = value
    return plain


def _leaves(value: Json, path: str) -> Iterator[tuple[str, Json]]:
    """Nested values flat, each with the path to it."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _leaves(each, f"{path}.{key}" if path else str(key))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for at, each in enumerate(value, 1):
            yield from _leaves(each, f"{path}.{at}")
    else:
        yield path, value
