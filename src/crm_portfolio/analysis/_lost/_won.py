"""How were the opportunities pursued that were won?

They are the measure of the others: whose activities are kept at all, how many there are
of an opportunity, and how far apart. Only counts come back, of whole numbers.
"""

from __future__ import annotations

from typing import Any, Final

import attrs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import nw
from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._waits import quantile
from crm_portfolio.analysis._facts import collected

__all__ = ["Won"]

_HOUR: Final = 3600
_BY_STAGE: Final = ("pipeline", "position", "few_by_then", "enough_by_then")


@attrs.frozen(eq=False)
class Won:
    """What the won ones tell.

    Attributes:
        owners: By owner: how many were won, and of how many there is an activity.
        touches: How many activities, and how many of the won ones have as many.
        by_stage: The same by the time they left each stage behind, where the changes of
            stages say it.
        gap_hours: The median of the whole hours between two activities; None where no
            won one has two.
    """

    owners: pa.Table
    touches: tuple[Groups, Groups]
    by_stage: pa.Table | None
    gap_hours: float | None

    @classmethod
    def of(cls, wins: Any, left: Any | None, *, is_told: bool) -> Won:
        """From the won ones of a period, and the stages they left.

        Args:
            is_told: Whether there is a table of activities.
        """
        if not is_told:
            none = pa.array([], pa.int64())
            owners = {"owner_id": pa.array([], pa.string()), "won": none, "held": none}
            nothing = np.zeros(1, dtype=np.int64), np.array([_count(wins)])
            return cls(pa.table(owners), nothing, None, None)
        by_owner = _counted(
            wins.select(owner_id=nw.col("owner_id").fill_null(""), t=nw.col("touches"))
        )
        known = wins.filter(~nw.col("gap_hours").is_null())
        apart = _counted(known.select(hours=nw.col("gap_hours")))
        counted = by_owner.group_by("t").aggregate([("n", "sum")])
        return cls(
            _captured(by_owner),
            (counted["t"].to_numpy(), counted["n_sum"].to_numpy()),
            None if left is None else _summed(left),
            quantile(apart["hours"].to_numpy(), apart["n"].to_numpy(), 0.5),
        )

    @property
    def count(self) -> int:
        return int(self.touches[1].sum())

    @property
    def capture_share(self) -> float | None:
        """Of all that were won, how many have an activity."""
        if not self.count:
            return None
        number, n = self.touches
        return float(n[number > 0].sum() / self.count)

    def touch_count(self, share: float) -> float | None:
        """The number of activities that this share of the won ones has no more than."""
        return quantile(*self.touches, share)

    def touches_at(self, few: float, enough: float, fewest: int) -> pa.Table:
        """By pipeline and position: `touch_count` by the time they left that stage.

        Only of those stages that enough won ones have left.
        """
        rows: list[tuple[str, int, float | None, float | None]] = []
        if self.by_stage is not None:
            keys = self.by_stage.select(["pipeline", "position"]).to_pylist()
            for at in sorted({tuple(key.values()) for key in keys}):
                counts = self._left(*at)
                if counts[1].sum() >= fewest:
                    rows.append((*at, *(quantile(*counts, n) for n in (few, enough))))
        kinds = [*zip(_BY_STAGE, (pa.string(), pa.int64()), strict=False)]
        kinds += [(name, pa.float64()) for name in _BY_STAGE[2:]]
        told = [dict(zip(_BY_STAGE, row, strict=True)) for row in rows]
        return pa.Table.from_pylist(told, schema=pa.schema(kinds))

    def _left(self, pipeline: str, position: int) -> tuple[Groups, Groups]:
        assert self.by_stage is not None
        is_it = pc.and_(
            pc.equal(self.by_stage["pipeline"], pipeline),
            pc.equal(self.by_stage["position"], position),
        )
        own = self.by_stage.filter(is_it)
        return own["touches"].to_numpy(), own["n"].to_numpy()

    def captured(self, min_share: float, fewest: int) -> pa.Table:
        """Owners who won enough to tell, and whether their activities are kept."""
        known = self.owners.filter(pc.greater_equal(self.owners["won"], fewest))
        known = known.filter(pc.not_equal(known["owner_id"], ""))
        share = known["held"].to_numpy() / known["won"].to_numpy()
        return pa.table(
            {
                "owner_id": known["owner_id"],
                "owner_captured": pa.array((share >= min_share).astype(np.int64)),
            }
        )


def _counted(rows: Any) -> pa.Table:
    """How many rows are the same."""
    names = rows.collect_schema().names()
    one = rows.with_columns(n=nw.lit(1, dtype=nw.Int64))
    return collected(one.group_by(*names).agg(nw.col("n").sum()))


def _summed(left: Any) -> pa.Table:
    """By stage and number of activities: how many, whenever they were won."""
    by = ("pipeline", "position", "touches")
    found = collected(left.group_by(*by).agg(nw.col("n").sum()))
    return found.sort_by([(name, "ascending") for name in by])


def _count(rows: Any) -> int:
    return int(collected(rows.select(n=nw.len()))["n"][0].as_py())


def _captured(by_owner: pa.Table) -> pa.Table:
    held = pc.if_else(pc.greater(by_owner["t"], 0), by_owner["n"], 0)
    found = (
        by_owner.append_column("held", held)
        .group_by("owner_id")
        .aggregate([("n", "sum"), ("held", "sum")])
    )
    names = {"n_sum": "won", "held_sum": "held"}
    return found.rename_columns(
        [names.get(name, name) for name in found.column_names]
    ).sort_by("owner_id")
