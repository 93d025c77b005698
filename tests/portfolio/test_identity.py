"""Does the id of a portfolio tell what its tables say, and nothing else?"""

from __future__ import annotations

from datetime import UTC, date, datetime

import attrs
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_portfolio import Portfolio, samples
from crm_portfolio.portfolio._draft import Draft
from crm_portfolio.portfolio._header import read_header
from crm_portfolio.portfolio._identity import Contents

SCHEMA = pa.schema(
    {
        "text": pa.string(),
        "number": pa.float64(),
        "count": pa.int64(),
        "flag": pa.bool_(),
        "day": pa.date32(),
        "moment": pa.timestamp("us", "UTC"),
    }
)
VALUES = {
    "text": st.text("aé\U0001f600", max_size=3),
    "number": st.sampled_from([0.0, 1.5, 1e300]),
    "count": st.integers(0, 2),
    "flag": st.booleans(),
    "day": st.sampled_from([date(1970, 1, 1), date(2026, 6, 30)]),
    "moment": st.sampled_from([datetime(1970, 1, 1, tzinfo=UTC)]),
}
ROWS = st.lists(
    st.fixed_dictionaries({name: st.none() | one for name, one in VALUES.items()}),
    max_size=8,
)


def table(rows):
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def told(*pieces):
    return Contents.of(pieces).told()


@given(ROWS, ROWS, st.integers(0, 8))
def test_how_rows_are_cut_does_not_count(before, rows, cut):
    whole = table(before + rows)
    own = whole.slice(len(before))  # its buffers begin before it does
    assert told(own) == told(table(rows))
    assert told(own.slice(0, cut), own.slice(cut)) == told(table(rows))


@given(ROWS, ROWS)
def test_who_says_something_else_is_another_one(one, other):
    assert (told(table(one)) == told(table(other))) == (one == other)


def test_what_lies_under_a_null_does_not_count():
    hidden = pa.array([7, 8], pa.int64(), mask=pa.array([False, True]).to_numpy(False))
    plain = pa.array([7, None], pa.int64())
    schema = pa.schema({"count": pa.int64()})
    assert told(pa.table([hidden], schema=schema)) == told(
        pa.table([plain], schema=schema)
    )


def test_a_text_is_not_told_by_where_the_next_one_begins():
    cut, other = (
        pa.table({"text": pa.array(texts, pa.string())})
        for texts in (["ab", "c"], ["a", "bc"])
    )
    assert told(cut) != told(other)
    assert told(cut) != told(pa.table({"text": pa.array(["ab", "c", None])}))
    assert told(cut) != told(cut.rename_columns(["name"]))


@pytest.mark.parametrize("partitioned", [{}, {"revenue_line": "booked_on"}])
def test_a_table_that_is_begun_anew_is_counted_anew(tmp_path, partitioned):
    firm = samples.firm(backend="pyarrow")
    firm.save(tmp_path / "said")
    header = read_header(tmp_path / "said")
    draft = Draft(tmp_path / "made", partitioned)
    for name in firm.tables:
        rows = firm[name]
        # The normaliser begins again when a column comes up that no row had before.
        draft.opened(name, rows.schema).write(rows.slice(0, 2))
        writer = draft.opened(name, rows.schema)
        for start in range(0, len(rows), 3):
            writer.write(rows.slice(start, 3))
    for name in ("faults", "balance"):
        told = getattr(firm, name)
        draft.opened(name, told.schema).write(told)
    draft.publish(attrs.evolve(header, files={}, id=None))
    made = Portfolio.load(tmp_path / "made", backend="pyarrow")
    assert made.id == firm.id
    assert made["revenue_line"].equals(firm["revenue_line"])
