"""Is a source complete, exact, typed, ordered, resumable and silent about secrets?"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from crm_portfolio import schema
from crm_portfolio.errors import SettingsError
from crm_portfolio.protocols import Batch, Cursor, Source, gone_schema
from crm_portfolio.schema import TABLES, TableName, arrow_type

__all__ = ["SourceContract", "typed", "whole"]

Opened: TypeAlias = Callable[[], Source]


class SourceContract:
    """What every source keeps. Inherit it in a test class and give two fixtures.

    ``opened`` is a function that makes a new source on the same unchanged data, as another
    process would; ``holds`` says what there is to be read: for each table its key and
    whatever columns shall be compared value by value. Let one table fill several batches,
    or resuming is not tested.
    """

    time_zone: str = "UTC"
    resumes: bool = True  # batches carry cursors
    increments: bool = True  # takes ``since``
    secrets: Sequence[str] = ()  # texts that must be shown nowhere

    @pytest.fixture
    def opened(self) -> Opened:
        raise NotImplementedError("give the fixture `opened`: () -> Source")

    @pytest.fixture
    def holds(self) -> Mapping[TableName, pa.Table]:
        raise NotImplementedError("give the fixture `holds`: table -> its rows")

    @pytest.fixture
    def longest(self, holds: Mapping[TableName, pa.Table]) -> TableName:
        """The table with most rows, which is to fill several batches."""
        return max(holds, key=lambda name: len(holds[name]))

    # What it says of itself

    def test_it_has_a_name(self, opened: Opened) -> None:
        assert opened().name

    def test_its_tables_and_columns_are_the_model_s(self, opened: Opened) -> None:
        tables = opened().tables()
        assert "account" in tables
        for name, columns in tables.items():
            assert name in TABLES
            assert set(columns) <= set(TABLES[name].names)
            assert set(TABLES[name].key) <= set(columns)

    def test_a_table_it_has_not_is_refused_by_name(self, opened: Opened) -> None:
        with pytest.raises(SettingsError, match="acount"):
            list(opened().pull("acount"))  # type: ignore[arg-type]

    def test_no_secret_is_shown(self, opened: Opened, longest: TableName) -> None:
        source = opened()
        shown = [repr(source), str(source)]
        for batch in source.pull(longest):
            shown += [repr(batch), str(batch.cursor)]
        for secret in self.secrets:
            assert not any(secret in text for text in shown)

    # What it gives

    def test_every_record_comes_once_and_says_what_it_holds(
        self, opened: Opened, holds: Mapping[TableName, pa.Table]
    ) -> None:
        source = opened()
        for name, expected in holds.items():
            found = typed(name, list(source.pull(name)), self.time_zone)
            same_rows(name, found, expected)

    def test_every_table_ends_in_one_last_batch(self, opened: Opened) -> None:
        source = opened()
        for name in source.tables():
            batches = list(source.pull(name))
            ends = [batch.is_last for batch in batches]
            assert ends == [False] * (len(batches) - 1) + [True]
            assert {batch.table for batch in batches} == {name}

    def test_every_column_is_typed_or_text(self, opened: Opened) -> None:
        source = opened()
        for name, columns in source.tables().items():
            for batch in source.pull(name):
                assert set(batch.rows.column_names) <= set(columns)
                for field in batch.rows.schema:
                    known = arrow_type(TABLES[name][field.name])
                    assert field.type in (known, pa.string()), (name, field)

    def test_the_model_takes_it_without_a_fault_that_stops(
        self, opened: Opened
    ) -> None:
        source = opened()
        raw = {name: whole(list(source.pull(name))) for name in source.tables()}
        _, faults = schema.read(raw, time_zone=self.time_zone)
        assert schema.stopping(faults).num_rows == 0

    def test_two_pulls_give_the_same_rows_in_the_same_order(
        self, opened: Opened, longest: TableName
    ) -> None:
        first, second = (whole(list(opened().pull(longest))) for _ in range(2))
        assert first.equals(second)

    def test_only_the_columns_asked_for_come_and_the_key(
        self, opened: Opened, longest: TableName
    ) -> None:
        key = TABLES[longest].key
        others = [c for c in opened().tables()[longest] if c not in key]
        for column in others[:3]:
            rows = whole(list(opened().pull(longest, columns=[column])))
            assert set(rows.column_names) == {*key, column}

    # Where it goes on

    def test_the_longest_table_fills_several_batches(
        self, opened: Opened, longest: TableName
    ) -> None:
        assert len(list(opened().pull(longest))) > 2, "give the source more records"

    def test_a_cursor_is_json_and_names_its_table(
        self, opened: Opened, longest: TableName
    ) -> None:
        if not self.resumes:
            pytest.skip("this source has no cursors")
        for batch in opened().pull(longest):
            cursor = batch.cursor
            assert cursor is not None
            assert cursor.table == longest
            assert cursor.taken_at.tzinfo is not None
            assert json.loads(json.dumps(cursor.token)) == cursor.token

    def test_it_goes_on_behind_every_batch(
        self, opened: Opened, longest: TableName
    ) -> None:
        if not self.resumes:
            pytest.skip("this source has no cursors")
        unbroken = list(opened().pull(longest))
        expected = in_order(longest, whole(unbroken))
        for place, batch in enumerate(unbroken[:-1]):
            rest = list(opened().pull(longest, resume=_stored(batch.cursor)))
            found = whole([*unbroken[: place + 1], *rest])
            assert in_order(longest, found).equals(expected), place

    def test_nothing_has_changed_since_nothing_changed(
        self, opened: Opened, holds: Mapping[TableName, pa.Table]
    ) -> None:
        if not self.increments:
            pytest.skip("this source is read whole each time")
        for name in holds:
            before = list(opened().pull(name))
            after = list(opened().pull(name, since=_stored(before[-1].cursor)))
            assert all(not batch.gone for batch in after)
            # An overlap may bring known rows again, with what is known already.
            known = typed(name, before, self.time_zone)
            again = typed(name, after, self.time_zone)
            for column in again.column_names:
                _holds_all(name, known, again, column)

    def test_gone_records_are_told_in_the_columns_agreed(
        self, opened: Opened, longest: TableName
    ) -> None:
        for batch in opened().pull(longest):
            if batch.gone is not None:
                assert batch.gone.schema.equals(gone_schema())


def whole(batches: Sequence[Batch]) -> pa.Table:
    """The rows of all batches."""
    parts = [batch.rows for batch in batches if len(batch.rows)]
    parts = parts or [batches[0].rows]
    return pa.concat_tables(parts, promote_options="permissive").combine_chunks()


def typed(name: TableName, batches: Sequence[Batch], time_zone: str) -> pa.Table:
    """The rows of all batches, cast as the normaliser casts them."""
    tables, _ = schema.read({name: whole(batches)}, time_zone=time_zone)
    return tables[name]


def in_order(name: TableName, rows: pa.Table) -> pa.Table:
    keys = TABLES[name].key or rows.column_names
    return rows.sort_by([(key, "ascending") for key in keys]).combine_chunks()


def same_rows(name: TableName, found: pa.Table, expected: pa.Table) -> None:
    """Every record of either is in the other, with the same values."""
    columns = expected.column_names
    wanted = pa.table(
        {
            column: expected[column].cast(arrow_type(TABLES[name][column]))
            for column in columns
        }
    )
    ours = in_order(name, found.select(columns))
    theirs = in_order(name, wanted)
    assert ours.num_rows == theirs.num_rows, name
    for column in columns:
        assert ours[column].to_pylist() == theirs[column].to_pylist(), (name, column)


def _holds_all(name: TableName, known: pa.Table, again: pa.Table, column: str) -> None:
    key = TABLES[name].key
    if len(key) != 1 or not again.num_rows:
        return
    places = pc.index_in(again[key[0]], value_set=known[key[0]].combine_chunks())
    assert places.null_count == 0, f"{name}: a record that was not there before"
    assert known[column].take(places).to_pylist() == again[column].to_pylist(), (
        f"{name}.{column}"
    )


def _stored(cursor: Cursor | None) -> Cursor:
    """The cursor as it comes back from a file."""
    assert cursor is not None
    return Cursor(cursor.table, json.loads(json.dumps(cursor.token)), cursor.taken_at)
