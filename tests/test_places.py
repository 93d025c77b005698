"""Are ids found where they stand, as Arrow finds them, and is nothing held for long?"""

from __future__ import annotations

import gc

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from crm_portfolio import _places
from crm_portfolio._places import places_of, rows_of

MANY = 12_000
WAYS = {
    "of one length": "A{:06}",
    "of any length": "A{}",
    "longer than a word": "00-account-{:09}-of-a-firm",
    "too long to be kept as words": "x" * 60 + "{:06}",
    "of letters outside ASCII": "Ünïcode-{}",
    "empty but one": "",
}


def ids_of(way: str) -> pa.Array:
    told = [WAYS[way].format(at) if WAYS[way] else "z" * at for at in range(MANY)]
    if not WAYS[way]:
        told = ["", *(f"{at}" for at in range(1, MANY))]
    return pa.array(told, pa.string())


@pytest.mark.parametrize("way", WAYS)
def test_each_is_found_as_arrow_finds_it(way) -> None:
    ids = ids_of(way)
    draw = np.random.default_rng(3)
    asked = ids.take(pa.array(draw.integers(0, MANY, 5_000))).to_pylist()
    asked[::7], asked[3::11] = [None] * len(asked[::7]), ["nobody"] * len(asked[3::11])
    column = pa.array(asked, pa.string())
    expected = pc.index_in(column, ids)
    assert places_of(column, ids).equals(expected)
    assert places_of(column.slice(5, 4_000), ids).equals(expected.slice(5, 4_000))
    pieces = pa.chunked_array([column.slice(0, 77), column.slice(77)])
    assert places_of(pieces, ids).equals(expected)


@pytest.mark.parametrize("way", WAYS)
def test_ids_that_are_a_part_of_others_are_found_among_themselves(way) -> None:
    every = ids_of(way)
    ids = every.slice(500, 11_000)
    assert places_of(every, ids).equals(pc.index_in(every, ids))


def test_texts_that_end_in_nothing_visible_are_others() -> None:
    ids = pa.array([f"A{at}" for at in range(MANY)])
    asked = pa.array(["A1", "A1\x00", "A1 "])
    assert places_of(asked, ids).to_pylist() == [1, None, None]


def test_the_rows_of_a_scan_are_laid_beside_the_ids() -> None:
    ids = pa.array([f"A{at:06}" for at in range(MANY)])
    found = ids.take(pa.array(np.random.default_rng(1).permutation(MANY)[:4_000]))
    told = pa.concat_arrays([found, pa.array(["nobody", None])])
    assert rows_of(ids, told).equals(pc.index_in(ids, told).cast(pa.int64()))


def test_what_they_are_looked_up_in_goes_with_them() -> None:
    before = len(_places._INDEXES)
    ids = pa.array([f"B{at:06}" for at in range(MANY)])
    places_of(pa.array(["B000007"]), ids)
    places_of(pa.array(["B000008"]), ids)
    assert len(_places._INDEXES) == before + 1
    del ids
    gc.collect()
    assert len(_places._INDEXES) == before
