"""What do people say of single opportunities, beside the rules?"""

from __future__ import annotations

from typing import Any, Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import Backend, NativeFrame, from_arrow, nw, to_arrow
from crm_portfolio.analysis._lost._rules import CLASSES
from crm_portfolio.errors import SettingsError, did_you_mean

__all__ = ["Overrides"]

_COLUMNS: Final = ("opportunity_id", "class", "decided_by", "decided_on", "reason")


@attrs.frozen(eq=False)
class Overrides:
    """The class a person gave to an opportunity; the newest, where there are several."""

    table: pa.Table

    @classmethod
    def of(cls, frame: NativeFrame | None) -> Overrides:
        """Of a frame with these columns; only the first two must be there."""
        if frame is None:
            return cls(_empty())
        table = to_arrow(frame)
        lacking = [n for n in _COLUMNS[:2] if n not in table.column_names]
        if lacking:
            raise SettingsError(f"overrides lack the column {' and '.join(lacking)}")
        for name in pc.unique(table["class"]).to_pylist():
            if name not in CLASSES:
                near = did_you_mean(str(name), CLASSES)
                raise SettingsError(f"overrides give no class {name!r}{near}")
        for name in _COLUMNS[2:]:
            if name not in table.column_names:
                table = table.append_column(name, pa.nulls(len(table), pa.string()))
        table = table.select(_COLUMNS).set_column(
            3, "decided_on", table["decided_on"].cast(pa.date32())
        )
        keys = [(name, "ascending") for name in ("opportunity_id", "decided_on")]
        table = table.sort_by([*keys, ("class", "ascending")])
        ids = table["opportunity_id"].to_pylist()
        last = {key: at for at, key in enumerate(ids)}
        return cls(table.take(pa.array(sorted(last.values()), pa.int64())))

    @property
    def count(self) -> int:
        return int(self.table.num_rows)

    def beside(self, rows: Any, backend: Backend) -> Any:
        """The rows with ``person``: the class a person gave it, or null."""
        if not self.count:
            return rows.with_columns(person=nw.lit(None, dtype=nw.String))
        told = self.table.select(["opportunity_id", "class"])
        told = told.rename_columns(["record_id", "person"]).cast(
            pa.schema({"record_id": pa.string(), "person": pa.string()})
        )
        given = nw.from_native(from_arrow(told, backend)).lazy()
        return rows.join(given, on="record_id", how="left")


def _empty() -> pa.Table:
    kinds = dict.fromkeys(_COLUMNS, pa.string()) | {"decided_on": pa.date32()}
    return pa.table({name: pa.array([], kind) for name, kind in kinds.items()})
