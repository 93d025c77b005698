"""Does a source go on where it stopped, in another process?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pytest

from crm_portfolio.protocols import Batch
from crm_portfolio.schema import TABLES, TableName
from crm_portfolio.testing.contract._given import Given, Opened
from crm_portfolio.testing.contract._rows import differences, ids_in, typed, whole

__all__ = ["GoesOn", "some_places"]

_PLACES = 6


class GoesOn(Given):
    """Cursors: behind a batch, and since a pull."""

    @pytest.fixture
    def unbroken(self, opened: Opened, longest: TableName) -> list[Batch]:
        if not self.resumes:
            pytest.skip("this source has no cursors")
        return list(opened().pull(longest))

    def test_the_longest_table_fills_three_batches(
        self, opened: Opened, longest: TableName
    ) -> None:
        count = len(list(opened().pull(longest)))
        assert count >= 3, (
            f"{longest} came in {count} batch(es), so going on is not tested: "
            "give the source more records or smaller pages"
        )

    def test_a_cursor_is_text_and_names_its_table(
        self, unbroken: list[Batch], longest: TableName
    ) -> None:
        for batch in unbroken if self.increments else unbroken[:-1]:
            cursor = batch.cursor
            assert cursor is not None, "a batch has no cursor"
            assert cursor.table == longest, f"a cursor of {longest} names another table"
            assert cursor.taken_at.tzinfo is not None, "`taken_at` lacks its time zone"
            assert isinstance(cursor.token, str), "a token is text, such as JSON"
            assert json.loads(json.dumps(cursor.token)) == cursor.token

    def test_it_goes_on_behind_every_batch(
        self, opened: Opened, unbroken: list[Batch], longest: TableName
    ) -> None:
        expected = whole(unbroken)
        for place in some_places(unbroken[:-1]):
            cursor = self.stored(unbroken[place].cursor)
            rest = list(opened().pull(longest, resume=cursor))
            found = whole([*unbroken[: place + 1], *rest])
            wrong = differences(longest, found, expected)
            assert not wrong, f"gone on behind batch {place + 1}: {wrong}"
            assert [batch.is_last for batch in rest][-1:] == [True], (
                f"gone on behind batch {place + 1}, no batch is the last"
            )

    def test_a_cursor_stands_for_its_own_batch_while_the_pull_goes_on(
        self, opened: Opened, longest: TableName
    ) -> None:
        if not self.resumes:
            pytest.skip("this source has no cursors")
        seen = []
        batches = []
        for batch in opened().pull(longest):
            batches.append(batch)
            seen.append(batch.cursor and batch.cursor.token)
        kept = [batch.cursor and batch.cursor.token for batch in batches]
        assert kept == seen, "a cursor that was given out has changed since"
        behind = seen[:-1]
        assert len(set(behind)) == len(behind), "two batches have the same cursor"

    def test_behind_the_last_batch_there_is_nothing_more(
        self, opened: Opened, unbroken: list[Batch], longest: TableName
    ) -> None:
        if unbroken[-1].cursor is None:
            pytest.skip("the last batch has no cursor")
        cursor = self.stored(unbroken[-1].cursor)
        rest = list(opened().pull(longest, resume=cursor))
        assert rest, (
            "gone on behind the last batch, there is no batch: give an empty one"
        )
        assert rest[-1].is_last, "gone on behind the last batch, no batch is the last"
        again = sum(len(batch.rows) for batch in rest)
        assert not again, f"gone on behind the last batch, {again} rows came again"

    def test_behind_its_last_batch_no_table_gives_a_row_again(
        self, opened: Opened, holds: Mapping[TableName, pa.Table]
    ) -> None:
        for name in holds:
            last = list(opened().pull(name))[-1].cursor
            if last is not None:
                rest = list(opened().pull(name, resume=self.stored(last)))
                again = sum(len(batch.rows) for batch in rest)
                assert not again, f"{name}: {again} rows came again behind the last"

    def test_nothing_has_changed_since_nothing_changed(
        self, opened: Opened, holds: Mapping[TableName, pa.Table]
    ) -> None:
        if not self.increments:
            pytest.skip("this source is read whole each time")
        for name in holds:
            before = list(opened().pull(name))
            since = self.stored(before[-1].cursor)
            after = list(opened().pull(name, since=since))
            left = [batch for batch in after if batch.gone]
            assert not left, f"{name}: nobody has left, and somebody is said to be gone"
            if len(TABLES[name].key) == 1:
                self._repeats_only(name, before, after)

    def _repeats_only(
        self, name: TableName, before: Sequence[Batch], after: Sequence[Batch]
    ) -> None:
        # An overlap may bring known rows again, with what is known already.
        strange = set(ids_in(after)) - set(ids_in(before))
        assert not strange, f"{name}: {len(strange)} records came that were not there"
        key = TABLES[name].key[0]
        known = typed(name, whole(before), self.time_zone).to_pylist()
        again = typed(name, whole(after), self.time_zone)
        was = {row[key]: row for row in known}
        for row in again.to_pylist():
            other = [c for c in again.column_names if row[c] != was[row[key]][c]]
            assert not other, f"{name}: {other} differ from what was pulled before"


def some_places(batches: Sequence[Batch]) -> list[int]:
    """A few of the batches, the first and the last among them."""
    count = len(batches)
    if count <= _PLACES:
        return list(range(count))
    return sorted({round(k * (count - 1) / (_PLACES - 1)) for k in range(_PLACES)})
