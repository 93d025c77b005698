"""Is a source complete, exact, typed and ordered, and true to what it says of itself?"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pytest

from crm_portfolio import schema
from crm_portfolio.errors import SettingsError
from crm_portfolio.protocols import gone_schema
from crm_portfolio.schema import TABLES, TableName, arrow_type
from crm_portfolio.testing.contract._given import Given, Opened
from crm_portfolio.testing.contract._rows import differences, repeated, typed, whole

__all__ = ["Complete"]


class Complete(Given):
    """All of it, once, as the model says it."""

    # What it says of itself

    def test_it_has_a_name(self, opened: Opened) -> None:
        assert opened().name, "give the source a `name`: messages begin with it"

    def test_its_tables_and_columns_are_the_model_s(self, opened: Opened) -> None:
        tables = opened().tables()
        assert "account" in tables, "every source gives accounts: map that table"
        for name, columns in tables.items():
            assert name in TABLES, f"the model has no table {name!r}"
            strange = set(columns) - set(TABLES[name].names)
            assert not strange, f"{name}: the model has no columns {sorted(strange)}"
            lacking = set(TABLES[name].key) - set(columns)
            assert not lacking, f"{name}: map its key, {sorted(lacking)}"

    def test_a_table_it_has_not_is_refused_by_name(self, opened: Opened) -> None:
        with pytest.raises(SettingsError, match="acount"):
            list(opened().pull("acount"))  # type: ignore[arg-type]

    def test_no_secret_is_shown(self, opened: Opened, longest: TableName) -> None:
        source = opened()
        for batch in source.pull(longest):
            assert not self.shows_a_secret(repr(batch), str(batch.cursor)), (
                "a batch or its cursor, which is stored in clear, holds a secret"
            )
        assert not self.shows_a_secret(repr(source), str(source)), (
            "the source's repr shows a secret: leave the log-in out of it"
        )

    # What it gives

    def test_every_record_comes_once_and_says_what_it_holds(
        self, opened: Opened, holds: Mapping[TableName, pa.Table]
    ) -> None:
        source = opened()
        for name, expected in holds.items():
            raw = whole(list(source.pull(name)))
            twice = repeated(name, raw)
            assert not twice, f"{name}: {twice}; look at the borders of pages"
            found = typed(name, raw, self.time_zone)
            wrong = differences(name, found, expected)
            assert not wrong, wrong

    def test_every_table_ends_in_one_last_batch(self, opened: Opened) -> None:
        source = opened()
        for name in source.tables():
            batches = list(source.pull(name))
            ends = [batch.is_last for batch in batches]
            assert ends == [False] * (len(batches) - 1) + [True], (
                f"{name}: the last batch, and no other, says `is_last`, also where there "
                "is nothing; it was " + str(ends)
            )
            named = {batch.table for batch in batches}
            assert named == {name}, f"{name}: its batches say they are of {named}"

    def test_every_column_is_typed_or_text(self, opened: Opened) -> None:
        source = opened()
        for name, columns in source.tables().items():
            first = None
            for batch in source.pull(name):
                strange = set(batch.rows.column_names) - set(columns)
                assert not strange, f"{name}: {strange} come but are not in `tables()`"
                for field in batch.rows.schema:
                    known = arrow_type(TABLES[name][field.name])
                    assert field.type in (known, pa.string()), (
                        f"{name}.{field.name} comes as {field.type}: "
                        f"give {known}, or text"
                    )
                first = first or batch.rows.schema
                assert batch.rows.schema.equals(first), (
                    f"{name}: one batch has other columns or types than the first"
                )

    def test_the_model_takes_it_without_a_fault_that_stops(
        self, opened: Opened
    ) -> None:
        source = opened()
        raw = {name: whole(list(source.pull(name))) for name in source.tables()}
        _, faults = schema.read(raw, time_zone=self.time_zone)
        stopping = schema.stopping(faults).to_pylist()
        assert not stopping, f"a pull would stop here: {stopping[:3]}"

    def test_two_pulls_give_the_same_rows_in_the_same_order(
        self, opened: Opened, holds: Mapping[TableName, pa.Table]
    ) -> None:
        for name in holds:
            first, second = (whole(list(opened().pull(name))) for _ in range(2))
            assert first.equals(second), (
                f"{name}: two pulls of unchanged data differ: "
                + (differences(name, second, first) or "ask for rows in a fixed order")
            )

    def test_only_the_columns_asked_for_come_and_the_key(
        self, opened: Opened, longest: TableName
    ) -> None:
        source = opened()
        everything = whole(list(source.pull(longest)))
        key = TABLES[longest].key
        others = [c for c in everything.column_names if c not in key]
        for asked in ([], others[:1], others[1:3]):
            rows = whole(list(source.pull(longest, columns=asked)))
            assert set(rows.column_names) == {*key, *asked}, (
                f"{longest}: for columns={asked} there came {rows.column_names}"
            )
            wrong = differences(longest, rows, everything, columns=asked)
            assert not wrong, f"with columns={asked}: {wrong}"

    def test_gone_records_are_told_in_the_columns_agreed(self, opened: Opened) -> None:
        source = opened()
        for name in source.tables():
            for batch in source.pull(name):
                assert batch.gone is None or batch.gone.schema.equals(gone_schema()), (
                    f"{name}: build `gone` with crm_portfolio.protocols.gone_schema()"
                )
