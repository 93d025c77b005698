"""Does a result that takes less room say the same, to the bit?"""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_portfolio import analyse, analysis, samples
from crm_portfolio._frames import plain
from crm_portfolio._places import rows_at, told_at
from crm_portfolio.results._packed import Known, Packed

IDS = pa.array([f"000-A{at:07}" for at in range(5_000)])
NAMES = pa.array([f"Firm no. {at} & Sons" for at in range(5_000)])
KNOWN = Known(IDS, NAMES)
KINDS: dict[pa.DataType, Any] = {
    pa.float64(): st.floats() | st.sampled_from([0.0, -0.0, 0.01, 12.5, -3.33, 1e9]),
    pa.int64(): st.integers(-(2**63), 2**63 - 1) | st.integers(-200, 200),
    pa.string(): st.text(max_size=5) | st.sampled_from(["A", "B", "000-A0000007"]),
    pa.bool_(): st.booleans(),
    pa.date32(): st.dates(),
}


def bits(table: pa.Table) -> list[list[Any]]:
    """As it is to the bit: 0.0 is not −0.0, and what is no number is what it is."""
    return [
        [v if not isinstance(v, float) else np.float64(v).tobytes() for v in each]
        for each in table.to_pydict().values()
    ]


def size_of(packed: Packed) -> int:
    return len(pickle.dumps(packed))


@settings(max_examples=60)
@given(st.data())
def test_every_kind_of_column_comes_back_as_it_was(data):
    count = data.draw(st.integers(0, 30))
    columns = {
        name: pa.array(
            data.draw(st.lists(kind | st.none(), min_size=count, max_size=count)), type_
        )
        for name, (type_, kind) in zip(
            ("a", "b", "account_id", "d", "e"), KINDS.items(), strict=True
        )
    }
    table = pa.table(columns)
    back = Packed.of(table, Known(IDS[:20], NAMES[:20])).table()
    assert back.schema == table.schema
    assert bits(back) == bits(table)


@pytest.mark.parametrize(
    ("values", "bytes_each"),
    [
        (pa.nulls(5_000, pa.float64()), 0.1),
        (np.zeros(5_000), 0.3),
        (np.where(np.arange(5_000) % 3, 0.0, 1 / 7), 3.0),
        (np.arange(5_000) / 100, 2.2),
        (np.arange(5_000) % 100, 1.2),
        (pa.array([date(2026, 6, 30)] * 5_000), 2.2),
        (pa.array(["critical", None] * 2_500), 1.3),
        (pa.array([f"Silent for {at} days, usually {at}." for at in range(5_000)]), 8),
        (IDS, 4.2),
    ],
    ids=["null", "zero", "few", "cents", "small", "days", "words", "texts", "ids"],
)
def test_what_is_alike_takes_little_room(values, bytes_each):
    table = pa.table({"account_id": values})
    packed = Packed.of(table, KNOWN)
    assert bits(packed.table()) == bits(table)
    known = len(pickle.dumps(IDS)) if values is IDS else 0
    assert size_of(packed) - known < 5_000 * bytes_each + 1_500


def test_who_an_account_is_stands_once_for_all_results():
    order = pa.array(np.random.default_rng(1).permutation(5_000))
    table = pa.table({"account_id": IDS.take(order), "name": NAMES.take(order)})
    packed = Packed.of(table, KNOWN)
    own = packed._columns
    assert own["account_id"].result().texts is IDS
    assert own["name"].result().texts is NAMES
    assert own["name"].result().places is own["account_id"].result().places
    assert packed.table().equals(table)


@settings(max_examples=60)
@given(st.data())
def test_texts_told_by_their_places_are_those_put_in_order(data):
    count = data.draw(st.integers(1, 30))
    texts = {
        "account_id": st.sampled_from(IDS[:40].to_pylist()) | st.none(),
        "name": st.sampled_from([*NAMES[:3].to_pylist(), "", None]),
        "tier": st.sampled_from(["A", None]),
        "note": st.text(max_size=5) | st.none(),
        "revenue": st.floats(),
    }
    columns = {
        name: data.draw(st.lists(each, min_size=count, max_size=count))
        for name, each in texts.items()
    }
    kinds = dict.fromkeys(texts, pa.string()) | {"revenue": pa.float64()}
    table = pa.table({name: pa.array(columns[name], kinds[name]) for name in texts})
    order = np.array(
        data.draw(st.lists(st.integers(0, count - 1), max_size=40)), dtype=np.int64
    )
    wanted, told = rows_at(table, order), told_at(table, order)
    assert plain(told).schema == wanted.schema
    assert bits(plain(told)) == bits(wanted)
    packed = Packed.of(told, Known(IDS[:40], NAMES[:40]))
    assert packed.table().schema == wanted.schema
    assert bits(packed.table()) == bits(wanted)
    picked = data.draw(st.lists(st.integers(0, max(len(order) - 1, 0))))
    if len(order):
        rows = pa.array([*picked, None], pa.int64())
        there = packed.at(rows, ["name", "revenue", "nothing"])
        both = wanted.select(["name", "revenue"]).take(rows)
        assert bits(pa.table(there)) == bits(both)


def test_accounts_told_by_their_places_are_not_looked_up(monkeypatch):
    monkeypatch.delattr("pyarrow.compute.index_in")
    order = np.random.default_rng(1).permutation(5_000)
    words = pa.array(np.where(np.arange(5_000) % 3, "A", "B"))
    table = pa.table({"account_id": IDS, "name": NAMES, "tier": words, "n": order})
    packed = Packed.of(told_at(table, order), KNOWN)
    own = {name: each.result() for name, each in packed._columns.items()}
    assert own["account_id"].texts is IDS
    assert own["name"].texts is NAMES
    assert own["name"].places is own["account_id"].places
    assert own["tier"].places.type == pa.int8()
    assert len(own["tier"].texts) == 2
    assert packed.table().equals(rows_at(table, order))


def test_names_of_other_accounts_are_held_as_they_are():
    order = np.arange(5_000)[::-1].copy()
    table = pa.table({"account_id": IDS, "name": NAMES.take(pa.array(order))})
    told = told_at(table, order)
    assert Packed.of(told, KNOWN).table().equals(rows_at(table, order))
    # As above, but each column in an order of its own.
    apart = told.set_column(1, "name", told_at(table, order[::-1].copy())["name"])
    wanted = rows_at(table, order).set_column(1, "name", table["name"])
    assert Packed.of(apart, KNOWN).table().equals(wanted)


@pytest.mark.parametrize("at", [0, 900])
def test_an_id_nobody_knows_is_held_as_it_is(at):
    ids = IDS[:1_000].to_pylist()
    ids[at : at + 2] = "elsewhere", None
    table = pa.table({"account_id": ids})
    assert Packed.of(table, KNOWN).table().equals(table)


@pytest.mark.parametrize("known", [KNOWN, Known(IDS[:9], None)], ids=["all", "few"])
def test_the_rows_of_accounts_are_those_in_which_they_stand(known):
    order = np.random.default_rng(2).permutation(5_000)[:4_000]
    packed = Packed.of(pa.table({"account_id": IDS.take(pa.array(order))}), known)
    rows = packed.rows_of(IDS).to_pylist()
    assert [rows[at] for at in order] == [*range(4_000)]
    assert rows.count(None) == 1_000


def test_accounts_in_their_own_order_are_told_without_looking_any_up(monkeypatch):
    monkeypatch.delattr("pyarrow.compute.index_in")
    packed = Packed.of(pa.table({"account_id": IDS.filter(IDS.is_valid())}), KNOWN)
    assert packed._columns["account_id"].result().texts is IDS
    owners = pa.array([f"owner {at}" for at in range(5_000)])
    table = pa.table({"owner_id": owners})
    assert Packed.of(table, KNOWN).table().equals(table)


def test_a_table_without_columns_still_has_its_rows():
    packed = Packed.of(pa.table({"n": [1, 2]}), KNOWN)
    assert packed.table([]).num_rows == 2


FORMS: list[Callable[[Any], Any]] = [
    lambda result: result,
    lambda result: pickle.loads(pickle.dumps(result)),
    copy.copy,
    lambda result: result._packed(Known(pa.array([], pa.string()), None)),
]


@pytest.mark.parametrize("form", FORMS, ids=["as it is", "sent", "copied", "again"])
def test_a_packed_result_says_what_it_said(form):
    book = samples.firm(backend="pyarrow")
    known = Known(book.arrow("account")["account_id"].combine_chunks(), None)
    was = analysis.risk(book)
    small = form(was._packed(known))
    assert small.to_dict() == was.to_dict()
    assert small.arrow.equals(was.arrow)
    assert small.explain("A13") == was.explain("A13")
    assert list(small.every_reason()) == list(was.every_reason())
    assert small.assignments().equals(was.assignments())
    assert small.columns("odds", "risk_level").equals(was.columns("risk_level"))
    assert small.to_html() == was.to_html()
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = small.nothing


def test_who_asks_for_single_rows_has_them_unpacked_once():
    found = analyse(samples.firm(), only="risk")["risk"]
    assert "_table" not in vars(found)
    assert f"{found.columns('risk_level').num_rows} accounts" in repr(found)
    assert "_table" not in vars(found)
    found.explain("A13")
    table, told = vars(found)["_table"], vars(found)["_told"]
    assert list(found.every_reason())
    assert found._table is table
    assert found._told is told
    assert found.arrow is table


def test_a_table_is_unpacked_once_for_whoever_holds_it():
    found = analyse(samples.firm(), only="tiers")["tiers"]
    held = found.arrow
    assert found.arrow is held
    assert math.isclose(found.coverage, 1.0)


def test_a_result_holds_its_texts_by_place_until_somebody_reads_them():
    found = analysis.risk(samples.firm(backend="pyarrow"))
    assert "_table" not in vars(found)
    assert "_table" in vars(copy.copy(found))["_told_tables"]
    again = pickle.loads(pickle.dumps(found))
    kinds = {str(each) for each in found.arrow.schema.types}
    assert not [each for each in kinds if "dictionary" in each]
    assert found.arrow is found.arrow
    assert again.arrow.equals(found.arrow)


FIRM = samples.firm(backend="pyarrow")


def frames_of(result: Any) -> dict[str, pa.Table]:
    names = [name for name in dir(type(result)) if not name.startswith("_")]
    found = {name: getattr(result, name) for name in names}
    return {name: each for name, each in found.items() if isinstance(each, pa.Table)}


@pytest.mark.parametrize(("name", "packed"), [*analyse(FIRM).items()])
def test_texts_come_as_texts_from_every_frame(name: str, packed: Any) -> None:
    alone = getattr(analysis, name)(FIRM)
    for result in (packed, alone):
        frames = frames_of(result)
        assert {"frame", "rejected"} <= set(frames)
        for frame, table in frames.items():
            kinds = {str(each) for each in table.schema.types}
            assert not [each for each in kinds if "dictionary" in each], frame
    assert frames_of(packed).keys() == frames_of(alone).keys()
