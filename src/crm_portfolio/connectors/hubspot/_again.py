"""What do single records say now, and who of them is now part of another?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.connectors.hubspot._client import Client
from crm_portfolio.connectors.hubspot._columns import Layout, Record
from crm_portfolio.connectors.hubspot._objects import by_id, relinked
from crm_portfolio.protocols import Batch, Org, gone_schema

__all__ = ["told_again"]


def told_again(
    client: Client, parts: Sequence[Layout], org: Org, ids: Sequence[str]
) -> Batch:
    """These records with all their links: two calls for each hundred of a kind."""
    columns = tuple(dict.fromkeys(c for part in parts for c in part.columns))
    found, gone = [], []
    for part in parts:
        # As an increment asks, so that a winner names those it took in.
        asked = attrs.evolve(part, tells_merged=True)
        known = by_id(client, part.source.kind, ids, asked.properties)
        mine = [known[one] for one in ids if one in known]
        if mine and part.links:
            mine = list(relinked(client, part, mine, part.unlinked(mine)))
        rows = part.plan(org.time_zone, columns).of_records(mine)
        found.append(rows.select(columns))
        gone.append(_merged(client, asked, ids, known))
    told, left = pa.concat_tables(found), pa.concat_tables(gone)
    return Batch(parts[0].table, told, None, left, is_last=True)


def _merged(
    client: Client, wanted: Layout, ids: Sequence[str], known: Mapping[str, Record]
) -> pa.Table:
    """Of these ids, those that mean another record."""
    winners = [record for one, record in known.items() if one not in ids]
    told = wanted.merged(winners)
    told = told.filter(pc.is_in(told["id"], value_set=pa.array(ids, pa.string())))
    open_ids = [i for i in ids if i not in known and i not in told["id"].to_pylist()]
    if not winners or not open_ids:
        return told
    # A winner may not name whom its loser had taken in: each by itself says who it is.
    kind = wanted.source.kind
    rows = [
        {"id": one, "reason": "merged", "merged_into": winner}
        for one in open_ids
        for winner in by_id(client, kind, [one], ("hs_object_id",))
    ]
    return pa.concat_tables([told, pa.Table.from_pylist(rows, schema=gone_schema())])
