"""Which accounts are there, who stands at the top of each, and which came too late?

Of each account a hash of its id is held, and its place among the rows; of its parent
only where it has one. The rows themselves are put aside until all other tables have
been read: an account that was entered late stays where one of their rows names it.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._normalise._closing import without_later
from crm_portfolio._normalise._keys import Hashes, SortedHashes, hashed
from crm_portfolio._normalise._rows import null, report, set_column
from crm_portfolio._normalise._runs import Run
from crm_portfolio.schema import ACCOUNT

__all__ = ["Accounts", "Places"]

Places = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@attrs.frozen(eq=False)
class _Hierarchy:
    """What becomes of the parents; all by place, and only of those that have one."""

    children: Places  # in order
    is_dangling: Mask
    is_loop: Mask
    roots: Places


class Accounts:
    """Every account of the source, by its place among the rows.

    Args:
        rows: Where the rows are put aside.
    """

    def __init__(self, rows: Run) -> None:
        self._rows = rows
        self._count = 0
        self._hashes: list[Hashes] = []
        self._later: list[Mask] = []
        self._children: list[Places] = []
        self._parents: list[Hashes] = []
        self._known = SortedHashes(np.empty(0, np.uint64))
        self._named: Mask = np.empty(0, np.bool_)

    def add(self, numbered: pa.Table, later: pa.ChunkedArray) -> None:
        """These rows come next; ``later`` says which came after the as-of date."""
        self._hashes.append(hashed(numbered["account_id"]))
        self._later.append(np.asarray(later, dtype=np.bool_))
        if "parent_id" in numbered.column_names:
            has_one = np.flatnonzero(np.asarray(numbered["parent_id"].is_valid()))
            parents = numbered["parent_id"].take(pa.array(has_one))
            self._children.append(has_one + self._count)
            self._parents.append(hashed(parents))
        self._count += len(numbered)
        self._rows.add(numbered)

    def settle(self) -> None:
        """All have come; from now on they can be found."""
        hashes = np.concatenate([np.empty(0, np.uint64), *self._hashes])
        self._hashes = []
        self._known = SortedHashes(hashes)
        self._named = np.zeros(self._count, np.bool_)

    def places_of(self, ids: pa.ChunkedArray) -> Places:
        """Where each account stands; -1 where there is none of that id, or no id."""
        places = self._known.places_of(hashed(ids))
        if ids.null_count:
            places[np.asarray(ids.is_null())] = -1
        return places

    def name(self, places: Places) -> None:
        """Rows that stay name these."""
        self._named[places[places >= 0]] = True

    def closed(self) -> Iterator[tuple[pa.Table, list[pa.Table]]]:
        """The rows again, with what is wrong with them; ultimate parents are filled in."""
        later = np.concatenate([np.empty(0, np.bool_), *self._later])
        children = np.concatenate([np.empty(0, np.int64), *self._children])
        above = np.concatenate([np.empty(0, np.uint64), *self._parents])
        parents = self._known.places_of(above)
        goes = later & ~self._kept(children, parents) if later.any() else later
        tree = self._hierarchy(children, parents, goes)
        tops = self._ids_at(np.unique(tree.roots))
        first = 0
        for rows in self._rows.tables():
            yield _closed(rows, first, goes, tree, tops)
            first += len(rows)

    def _kept(self, children: Places, parents: Places) -> Mask:
        """The accounts that rows name, and all above them."""
        named, inside = self._named.copy(), parents >= 0
        children, parents = children[inside], parents[inside]
        while True:
            above = parents[named[children]]
            above = above[~named[above]]
            if not len(above):
                return named
            named[above] = True

    def _hierarchy(self, children: Places, parents: Places, goes: Mask) -> _Hierarchy:
        stays = ~goes[children]
        children, parents = children[stays], parents[stays]
        dangling = (parents < 0) | goes[parents]
        # A dense numbering of those that have a place in the tree, in order of places.
        nodes = np.union1d(children, parents[~dangling])
        own = np.searchsorted(nodes, children)
        above = np.arange(len(nodes), dtype=np.int64)
        above[own[~dangling]] = np.searchsorted(nodes, parents[~dangling])
        # A row that names itself is a loop too, but looks like a root here.
        selfish = children[~dangling] == parents[~dangling]
        heads = self._loop_heads(above, nodes)
        broken = np.union1d(own[~dangling][selfish], heads).astype(np.int64)
        above[broken] = broken
        return _Hierarchy(
            children, dangling, np.isin(own, broken), nodes[_roots(above)[own]]
        )

    def _loop_heads(self, above: Places, nodes: Places) -> Places:
        """The smallest id of each loop, as text."""
        loops = _loops(above)
        if not loops:
            return np.empty(0, np.int64)
        members = np.array(sorted(place for loop in loops for place in loop))
        ids = self._ids_at(nodes[members])
        texts = dict(zip(members.tolist(), ids.ids.to_pylist(), strict=True))
        heads = [min(loop, key=lambda place: str(texts[place])) for loop in loops]
        return np.array(heads, dtype=np.int64)

    def _ids_at(self, places: Places) -> _Ids:
        """The ids that stand at these places, which are in order."""
        if not len(places):
            return _Ids(places, pa.array([], pa.string()))
        found, first = [pa.array([], pa.string())], 0
        for rows in self._rows.tables():
            span = np.searchsorted(places, [first, first + len(rows)])
            mine = pa.array(places[span[0] : span[1]] - first)
            found.append(rows["account_id"].take(mine).combine_chunks())
            first += len(rows)
        return _Ids(places, pa.concat_arrays(found))


@attrs.frozen(eq=False)
class _Ids:
    places: Places
    ids: pa.Array

    def at(self, places: Places) -> pa.Array:
        return self.ids.take(pa.array(np.searchsorted(self.places, places)))


def _closed(
    rows: pa.Table, first: int, goes: Mask, tree: _Hierarchy, tops: _Ids
) -> tuple[pa.Table, list[pa.Table]]:
    """The rows from that place on, closed and linked."""
    here = np.searchsorted(tree.children, [first, first + len(rows)])
    mine = slice(here[0], here[1])
    children, roots = tree.children[mine] - first, tree.roots[mine]
    ids = rows["account_id"].combine_chunks()
    top = _with(ids, children, tops.at(roots))
    table, faults = rows, []
    if "parent_id" in rows.column_names:
        dangling = _spread(tree.is_dangling[mine], children, len(rows))
        loops = _spread(tree.is_loop[mine], children, len(rows))
        faults = [
            report(rows, ACCOUNT, "parent_id", "dangling_parent_id", dangling),
            report(rows, ACCOUNT, "parent_id", "parent_loop", loops),
        ]
        cut = pc.or_(dangling, loops)
        mended = pc.if_else(cut, null(pa.string()), rows["parent_id"])
        table = set_column(rows, "parent_id", mended)
    table = table.append_column("ultimate_parent_id", top)
    later = pa.chunked_array([pa.array(goes[first : first + len(rows)])])
    kept, gone = without_later(table, ACCOUNT, later)
    return kept, [*gone, *faults]


def _spread(mask: Mask, places: Places, length: int) -> pa.Array:
    full = np.zeros(length, np.bool_)
    full[places] = mask
    return pa.array(full)


def _with(values: pa.Array, places: Places, others: pa.Array) -> pa.Array:
    """The values with others at these places."""
    if not len(places):
        return values
    mask = np.zeros(len(values), np.bool_)
    mask[places] = True
    return pc.replace_with_mask(values, pa.array(mask), others)


def _roots(above: Places) -> Places:
    """The end of each chain, in as many steps as the longest has binary digits."""
    for _ in range(max(1, len(above).bit_length())):
        above = above[above]
    return above


def _loops(above: Places) -> list[list[int]]:
    ends = _roots(above)
    # After at least n steps one stands on a root or in a loop, and a loop's members are
    # all reached, since going round only permutes them.
    in_loops = np.unique(ends[above[ends] != ends])
    loops: list[list[int]] = []
    seen: set[int] = set()
    for start in in_loops.tolist():
        if start in seen:
            continue
        loop = [start]
        while (place := int(above[loop[-1]])) != start:
            loop.append(place)
        seen.update(loop)
        loops.append(loop)
    return loops
