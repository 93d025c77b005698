"""Does every engine do with a book that says little, or says it in an odd way?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from crm_portfolio import analyse, analysis
from crm_portfolio._frames import ALL_BACKENDS, NativeFrame, from_arrow, to_arrow
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.results import Result

AS_OF = date(2026, 6, 30)
MOMENT = pa.timestamp("us", "UTC")
ACCOUNT = pa.table({"account_id": ["A", "B"]})
SOLD = pa.table(
    {
        "opportunity_id": ["O1", "O2", "O3", "O4"],
        "account_id": ["A", "B", "A", "B"],
        "status": ["lost", "open", "open", "won"],
        "amount": [100.0, 200.0, 300.0, 400.0],
        "created_at": pa.array(
            [datetime(2026, 1, at, 9, tzinfo=UTC) for at in (5, 6, 7, 8)],
            MOMENT,
        ),
        "expected_close_on": pa.array([date(2026, 9, 1)] * 4),
        "loss_reason": ["price", None, None, None],
    }
)
CALLS = pa.table(
    {
        "activity_id": ["T1", "T2"],
        "opportunity_id": ["O1", "O1"],
        "account_id": ["A", "A"],
        "occurred_at": pa.array(
            [datetime(2026, at, 6, 9, tzinfo=UTC) for at in (2, 5)],
            MOMENT,
        ),
        "direction": ["in", "out"],
    }
)
LINES = pa.table(
    {
        "line_id": ["L1"],
        "account_id": ["A"],
        "booked_on": [date(2026, 3, 1)],
        "amount": [10.0],
    }
)
# Of PySpark, which says so of every pandas 3; of Ibis, which asks DuckDB in an old way.
pytestmark = [
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas"),
    pytest.mark.filterwarnings("ignore:fetch_arrow_table.. is deprecated"),
]


@pytest.fixture(params=ALL_BACKENDS)
def engine(request: pytest.FixtureRequest) -> Any:
    if request.param == "pyspark":
        request.getfixturevalue("spark")
    return request.param


def book(engine: Any, **tables: pa.Table) -> Portfolio:
    made = {name: from_arrow(each, engine) for name, each in tables.items()}
    return Portfolio.from_frames(as_of=AS_OF, currency="EUR", **made)


ODD = {
    "expected_close_on": ("31/12/2026", "2026-02-29", "01/01/2020", "soon", "2026"),
    "amount": ("12.000,50", "1e999", "1,5", "EUR 9", "nan"),
}


def ahead(engine: Any, written: Callable[[str], str | None]) -> analysis.PipelineResult:
    """What is ahead of a book of which each change of an open sale is written so."""
    texts = [(field, each) for field, them in ODD.items() for each in them]
    count = len(texts)
    start = datetime(2026, 1, 5, 9, tzinfo=UTC)
    ids = [f"O{at}" for at in range(count)]
    sold = pa.table(
        {
            "opportunity_id": ids,
            "status": ["open"] * count,
            "amount": [100.0] * count,
            "created_at": pa.array([start] * count, MOMENT),
            "expected_close_on": [date(2026, 9, 1)] * count,
        }
    )
    changed = pa.table(
        {
            "opportunity_id": ids,
            "changed_at": pa.array([start + timedelta(days=30)] * count, MOMENT),
            "field": [field for field, _ in texts],
            "old": pa.array([written(each) for _, each in texts], pa.string()),
            "new": pa.array([written(each) for _, each in texts], pa.string()),
        }
    )
    told = book(engine, account=ACCOUNT, opportunity=sold, opportunity_change=changed)
    return analysis.pipeline(told)


def test_losses_of_which_nobody_tells_the_day_are_no_candidates(engine) -> None:
    """As where the column is there and says nothing."""
    unsaid = SOLD.append_column("closed_on", pa.nulls(len(SOLD), pa.date32()))
    absent, empty = (
        analysis.win_back(
            book(engine, account=ACCOUNT, opportunity=each, activity=CALLS)
        )
        for each in (SOLD, unsaid)
    )
    assert absent.arrow.equals(empty.arrow)
    assert absent.summary == empty.summary
    assert not pc.any(pc.equal(absent.arrow["recommendation"], "try")).as_py()


def test_what_cannot_be_read_in_a_change_is_unknown_and_stops_nothing(engine) -> None:
    """As where it says nothing: neither overdue nor due, and of no amount."""
    odd, none = (ahead(engine, each) for each in (lambda text: text, lambda _: None))
    assert odd.arrow.equals(none.arrow)
    assert odd.summary == none.summary


def tables_of(result: Result) -> dict[str, NativeFrame]:
    """Everything public of it that is a frame."""
    kinds = {
        name: each.fget.__annotations__.get("return")
        for kind in type(result).__mro__
        for name, each in vars(kind).items()
        if isinstance(each, property) and not name.startswith("_")
    }
    return {
        name: getattr(result, name) for name in kinds if kinds[name] == "NativeFrame"
    }


@pytest.mark.parametrize("tables", [{"revenue_line": LINES}, {"opportunity": SOLD}])
def test_every_table_of_a_book_that_says_little_has_its_columns(engine, tables) -> None:
    found = analyse(book(engine, account=ACCOUNT, **tables))
    assert len(found) > 5
    for result in found.values():
        told = tables_of(result)
        assert {"frame", "rejected", *result.further} <= {*told}
        for name, frame in told.items():
            table = to_arrow(frame)
            assert table.num_columns, (result.name, name)
            assert not any(map(pa.types.is_null, table.schema.types)), name
