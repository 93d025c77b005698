"""Does a whole source become a portfolio, in the org's currency and time zone?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime

import attrs
import pyarrow as pa
import pytest

from crm_portfolio import Calendar, Portfolio, pull
from crm_portfolio.errors import SchemaError, SettingsError, TransientError
from crm_portfolio.protocols import Batch, Change, Cursor, Org, Outcome, Quota
from crm_portfolio.schema import TableName

AS_OF = date(2026, 6, 30)
MOMENT = datetime(2026, 7, 1, tzinfo=UTC)


@attrs.frozen
class Shelf:
    """A source whose tables come in batches of two rows."""

    content: Mapping[TableName, pa.Table]
    fails_at: str = ""
    name: str = "shelf"

    def tables(self) -> Mapping[TableName, tuple[str, ...]]:
        return {name: tuple(t.column_names) for name, t in self.content.items()}

    def pull(
        self,
        table: TableName,
        *,
        columns: Sequence[str] | None = None,
        since: Cursor | None = None,
        resume: Cursor | None = None,
    ) -> Iterator[Batch]:
        if table == self.fails_at:
            raise TransientError(self.name, "gone away")
        rows = self.content[table]
        for start in range(0, len(rows), 2):
            part = rows.slice(start, 2)
            cursor = Cursor(table, str(start), MOMENT)
            yield Batch(table, part, cursor, None, is_last=start + 2 >= len(rows))


@attrs.frozen
class Desk(Shelf):
    """A source that is also an org."""

    currency: str | None = "CHF"
    time_zone: str = "Europe/Zurich"

    def org(self) -> Org:
        return Org("desk", "1", True, self.currency, self.time_zone)

    def read(
        self, table: TableName, ids: Sequence[str], columns: Sequence[str]
    ) -> pa.Table:
        raise AssertionError("pull reads no single records")

    def write(self, table: TableName, changes: Iterable[Change]) -> Iterator[Outcome]:
        raise AssertionError("pull writes nothing")

    def quota(self) -> Quota | None:
        return None


CONTENT: dict[TableName, pa.Table] = {
    "account": pa.table({"account_id": ["3", "1", "2"], "name": ["c", "a", None]}),
    "opportunity": pa.table(
        {
            "opportunity_id": ["a", "b", "c"],
            "account_id": ["1", "1", "2"],
            "status": ["won", "won", "open"],
            "amount": ["1.50", "2", None],
            "created_at": ["2026-06-30T21:59:59Z", "2026-06-30T22:00:00Z", None],
        }
    ),
}


def test_batches_become_one_portfolio_in_the_orgs_currency_and_zone() -> None:
    book = pull(Desk(CONTENT), as_of=AS_OF)
    assert (book.currency, book.calendar) == ("CHF", Calendar("Europe/Zurich"))
    assert book["account"]["account_id"].tolist() == ["1", "2", "3"]
    # The second one was made on 1 July there.
    assert book["opportunity"]["opportunity_id"].tolist() == ["a", "c"]


def test_what_is_asked_for_wins_over_the_org() -> None:
    book = pull(Desk(CONTENT), as_of=AS_OF, currency="EUR", calendar=Calendar())
    assert (book.currency, book.calendar) == ("EUR", Calendar())
    assert len(book["opportunity"]) == 3
    half = pull(Desk(CONTENT), as_of=AS_OF, currency="EUR")
    assert (half.currency, half.calendar) == ("EUR", Calendar("Europe/Zurich"))


def test_it_is_what_the_same_frames_give() -> None:
    book = pull(Shelf(CONTENT), as_of=AS_OF, currency="EUR", backend="pyarrow")
    frames = Portfolio.from_frames(as_of=AS_OF, currency="EUR", **CONTENT)
    assert book.id == frames.id
    assert isinstance(book["account"], pa.Table)


def test_an_org_that_does_not_tell_its_currency_must_be_told() -> None:
    with pytest.raises(SettingsError, match=r"say currency=.*--currency EUR"):
        pull(Desk(CONTENT, currency=None), as_of=AS_OF)
    with pytest.raises(SettingsError, match=r"say currency=.*--currency EUR"):
        pull(Shelf(CONTENT), as_of=AS_OF)


def test_a_table_that_yields_nothing_is_empty_not_absent() -> None:
    none = CONTENT["opportunity"].slice(0, 0)
    book = pull(Shelf({**CONTENT, "opportunity": none}), as_of=AS_OF, currency="EUR")
    assert "opportunity" in book
    assert len(book["opportunity"]) == 0


def test_a_batch_of_nulls_only_goes_with_the_others() -> None:
    mixed = pa.concat_tables(
        [
            pa.table({"account_id": ["1", "2"], "name": pa.nulls(2)}),
            pa.table({"account_id": ["3"], "name": ["c"]}),
        ],
        promote_options="permissive",
    )
    book = pull(Shelf({"account": mixed}), as_of=AS_OF, currency="EUR")
    assert book["account"]["name"].isna().tolist() == [True, True, False]


def test_progress_is_told_of_every_batch() -> None:
    said: list[tuple[str, int, int | None]] = []
    pull(
        Shelf(CONTENT),
        as_of=AS_OF,
        currency="EUR",
        progress=lambda *step: said.append(step),  # type: ignore[arg-type]
    )
    assert said == [
        ("pull account", 2, None),
        ("pull account", 3, 3),
        ("pull opportunity", 2, None),
        ("pull opportunity", 3, 3),
    ]


def test_a_source_that_goes_away_leaves_no_half_portfolio() -> None:
    with pytest.raises(TransientError):
        pull(Shelf(CONTENT, fails_at="opportunity"), as_of=AS_OF, currency="EUR")


def test_a_source_without_accounts_is_refused() -> None:
    with pytest.raises(SchemaError, match="missing_table"):
        pull(
            Shelf({"owner": pa.table({"owner_id": ["1"]})}), as_of=AS_OF, currency="EUR"
        )
