"""Do rows that pass a few at a time become what they become all together?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_portfolio._normalise import (
    Disk,
    Normalised,
    Stream,
    Writer,
    normalise,
    normalise_streams,
)
from crm_portfolio.errors import CrmPortfolioError, SchemaError
from crm_portfolio.schema import TableName

AS_OF = date(2026, 6, 30)


class Kept:
    def __init__(self, schema: pa.Schema) -> None:
        self.tables = [schema.empty_table()]

    def write(self, table: pa.Table) -> None:
        self.tables.append(table)


def in_pieces(table: pa.Table, size: int, *, is_ordered: bool = False) -> Stream:
    def walk(names: Sequence[str] | None) -> Iterator[pa.Table]:
        wanted = table if names is None else table.select(list(names))
        for start in range(0, len(table), size) or (0,):
            yield wanted.slice(start, size)

    return Stream(tuple(table.column_names), walk, is_ordered=is_ordered)


def streamed(
    raw: Mapping[TableName, pa.Table], *, size: int, held: int, **how: Any
) -> Normalised:
    """The same with a few rows in memory at a time, the others on disk."""
    shelf: dict[str, Kept] = {}

    def opened(name: str, schema: pa.Schema) -> Writer:
        shelf[name] = Kept(schema)
        return shelf[name]

    with TemporaryDirectory() as place:
        told = normalise_streams(
            {name: in_pieces(table, size) for name, table in raw.items()},
            room=Disk(Path(place) / "spill", rows_held=held),
            opened=opened,
            **how,
        )
    made = {
        name: pa.concat_tables(kept.tables).combine_chunks()
        for name, kept in shelf.items()
    }
    tables = {name: made[name] for name in raw}
    return Normalised(tables, made["faults"], made["balance"], told.currency)


def outcome(work: Any) -> Any:
    """What came of it: the same parts, whether it went well or not."""
    try:
        done = work()
    except SchemaError as error:
        return "stops", error.faults.to_pylist()
    except CrmPortfolioError as error:
        return type(error), str(error)
    tables = {name: table.to_pylist() for name, table in done.tables.items()}
    schemas = {name: table.schema for name, table in done.tables.items()}
    said = done.faults.to_pylist(), done.balance.to_pylist()
    return tables, schemas, *said, done.currency


def drawn(
    key: str = "", *, size: int = 7, **columns: st.SearchStrategy[Any]
) -> st.SearchStrategy[pa.Table]:
    rows = st.lists(st.tuples(*columns.values()), max_size=size)

    def table(values: list[tuple[Any, ...]]) -> pa.Table:
        made = {
            name: pa.array([row[place] for row in values], pa.string())
            for place, name in enumerate(columns)
        }
        if key:
            ids = [f"r{(7 * n) % 11}" for n in range(len(values))]
            made = {key: pa.array(ids, pa.string()), **made}
        return pa.table(made)

    return rows.map(table)


AMOUNT = st.sampled_from([None, "0.5", "1.005", "10", "-3.333", "7"])
ODD = st.sampled_from([None, "12", "x", "1e17"])
DAY = st.none() | st.dates(date(2026, 1, 1), date(2026, 12, 31)).map(date.isoformat)
ID = st.sampled_from([None, "r0", "r7", "r3", "r10", "gone"])
CODE = st.sampled_from([None, "EUR", "USD"])
STATUS = st.sampled_from(["open", "won", "lost"])


def opportunities(
    amount: st.SearchStrategy[str | None], status: st.SearchStrategy[str]
) -> st.SearchStrategy[pa.Table]:
    return drawn(
        "opportunity_id",
        account_id=ID,
        status=status,
        amount=amount,
        original_amount=st.none() | st.just("10"),
        currency=CODE,
        home_amount=st.sampled_from([None, "9", "9.05"]),
        closed_on=DAY,
        created_at=DAY,
    )


RAW = st.fixed_dictionaries(
    {
        "account": drawn("account_id", parent_id=ID, created_on=DAY),
        "opportunity": opportunities(AMOUNT, STATUS)
        | opportunities(AMOUNT | ODD, STATUS | st.just("asleep")),
        "opportunity_change": drawn(
            opportunity_id=st.sampled_from("abc"),
            changed_at=DAY.filter(bool),
            field=st.sampled_from("fg"),
            new=st.sampled_from("12"),
        ),
        "effort": drawn(
            account_id=ID.filter(bool),
            worked_on=DAY.filter(bool),
            minutes=st.sampled_from("123"),
        ),
        "owner": drawn(owner_id=st.sampled_from("abcd")),
    },
    optional={
        "exchange_rate": st.just(
            pa.table(
                {
                    "currency": ["USD", "USD"],
                    "base": ["EUR", "EUR"],
                    "from_on": ["2026-03-01", "2026-08-01"],
                    "rate": ["0.9", "0.8"],
                }
            )
        )
    },
)


@given(
    raw=RAW,
    size=st.integers(1, 4),
    held=st.sampled_from([1, 2, 5, 100]),
    currency=st.sampled_from(["EUR", None]),
)
@settings(max_examples=150)
def test_pieces_and_disk_change_nothing_not_even_in_what_is_refused(
    raw: dict[TableName, pa.Table], size: int, held: int, currency: str | None
) -> None:
    how = {"as_of": AS_OF, "currency": currency, "time_zone": "Europe/Paris"}
    whole = outcome(lambda: normalise(raw, **how))
    assert outcome(lambda: streamed(raw, size=size, held=held, **how)) == whole


def test_a_column_that_only_a_later_row_needs_is_there_from_the_first_on() -> None:
    raw: dict[TableName, pa.Table] = {
        "account": pa.table({"account_id": ["1"]}),
        "revenue_line": pa.table(
            {
                "line_id": ["a", "b", "c"],
                "account_id": ["1"] * 3,
                "booked_on": ["2026-01-01"] * 3,
                "amount": ["1", "2", "0.005"],
            }
        ),
    }
    made = streamed(raw, size=1, held=1, as_of=AS_OF, currency="EUR", time_zone="UTC")
    lines = made.tables["revenue_line"]
    assert lines["original_amount"].to_pylist() == [None, None, 0.005]
    assert made.balance["residue"].to_pylist() == [0]


def test_nothing_is_the_same_nothing_whatever_its_sign() -> None:
    """A replica's column that becomes a decimal makes no other book."""
    kept = []
    for nothing in (0.0, -0.0):
        line = {"line_id": ["a"], "account_id": ["1"], "booked_on": ["2026-01-01"]}
        told = {**line, "amount": [nothing], "currency": ["USD"]}
        raw = {
            "account": pa.table({"account_id": ["1"]}),
            "revenue_line": pa.table(told),
        }
        rate = {"currency": ["USD"], "base": ["EUR"], "from_on": ["2026-01-01"]}
        raw["exchange_rate"] = pa.table({**rate, "rate": [0.9]})
        made = streamed(
            raw, size=1, held=1, as_of=AS_OF, currency="EUR", time_zone="UTC"
        )
        lines = made.tables["revenue_line"]
        kept.append([str(lines[name][0]) for name in ("amount", "original_amount")])
    assert kept == [["0.0", "0.0"]] * 2


def test_one_single_change_has_a_span_too() -> None:
    change = pa.table(
        {"opportunity_id": ["o"], "changed_at": ["2026-01-01"], "field": ["stage"]}
    )
    raw: dict[TableName, pa.Table] = {
        "account": pa.table({"account_id": ["1"]}),
        "opportunity_change": change,
    }
    made = normalise(raw, as_of=AS_OF, currency="EUR", time_zone="UTC")
    assert made.tables["opportunity_change"]["until_at"].to_pylist() == [None]


def test_a_change_lasts_until_the_next_although_that_is_in_another_run() -> None:
    days = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 21)]
    change = pa.table(
        {
            "opportunity_id": ["o"] * 20,
            "changed_at": days[::2] + days[1::2],
            "field": ["stage"] * 20,
        }
    )
    raw: dict[TableName, pa.Table] = {
        "account": pa.table({"account_id": ["1"]}),
        "opportunity_change": change,
    }
    made = streamed(
        raw, size=3, held=4, as_of=AS_OF, currency="EUR", time_zone="UTC"
    ).tables["opportunity_change"]
    assert made["changed_at"].to_pylist() == days
    assert made["until_at"].to_pylist() == [*days[1:], None]


@pytest.mark.parametrize("is_ordered", [True, False])
def test_a_key_that_stands_twice_is_found_across_pieces(is_ordered: bool) -> None:
    owner = pa.table({"owner_id": ["a", "b", "b", "b", "c", "d", "d"]})
    raw: dict[TableName, Stream] = {
        "account": Stream.of(pa.table({"account_id": ["1"]})),
        "owner": in_pieces(owner, 2, is_ordered=is_ordered),
    }
    with TemporaryDirectory() as place, pytest.raises(SchemaError) as caught:
        normalise_streams(
            raw,
            as_of=AS_OF,
            currency="EUR",
            time_zone="UTC",
            room=Disk(Path(place) / "spill"),
            opened=lambda _, schema: Kept(schema),
        )
    told = caught.value.faults.to_pylist()
    assert [(row["fault"], row["row"], row["value"]) for row in told] == [
        ("duplicate_id", 2, "b"),
        ("duplicate_id", 3, "b"),
        ("duplicate_id", 6, "d"),
    ]
