"""What became of the opportunities entered in each quarter, as far as it is known?"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa

from crm_portfolio._methods._incidence import incidence
from crm_portfolio.analysis._facts import AsKnown, Grid
from crm_portfolio.results import significant

__all__ = ["cohort_table"]


def cohort_table(known: AsKnown, grid: Grid, level: float) -> pa.Table:
    """A row a quarter of entry: how many are won, lost, open, and the share won by now.

    Months from entry to closing; those still open were watched up to the last day.
    """
    table = known.cohorts
    born, place = table["born_at"].to_numpy(), table["place"].to_numpy()
    status, many = np.array(table["status"].to_pylist()), table["count"].to_numpy()
    labels = np.array([_quarter(grid, int(each)) for each in born])
    last = grid.count - 1
    rows = []
    for label in sorted(set(labels.tolist())):
        its = np.repeat(np.flatnonzero(labels == label), many[labels == label])
        ended, won = status[its] != "open", status[its] == "won"
        found = incidence(np.minimum(place[its], last) - born[its], ended, won)
        share, low, high = found.last(level) or (None, None, None)
        rows.append(
            {
                "cohort": label,
                "created_count": its.size,
                "won_count": int(won.sum()),
                "lost_count": int((ended & ~won).sum()),
                "open_count": int((~ended).sum()),
                "won_share": significant(share),
                "won_low_share": significant(low),
                "won_high_share": significant(high),
                "still_open_share": significant(
                    float(found.still[-1]) if found.still.size else 1.0
                ),
            }
        )
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def _quarter(grid: Grid, place: int) -> str:
    day = grid.days[place] - timedelta(days=1)
    return f"{day.year}-Q{(day.month + 2) // 3}"


_SCHEMA = pa.schema(
    [
        pa.field("cohort", pa.string()),
        *(
            pa.field(f"{name}_count", pa.int64())
            for name in ("created", "won", "lost", "open")
        ),
        *(
            pa.field(f"{name}_share", pa.float64())
            for name in ("won", "won_low", "won_high", "still_open")
        ),
    ]
)
