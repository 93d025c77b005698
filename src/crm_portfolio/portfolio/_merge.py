"""What is known of a portfolio's faults and money after some of its tables changed?

Tables that came through the normaliser once show fewer faults the second time, for what
was left out is gone. So what was found the first time is carried on.
"""

from __future__ import annotations

from collections.abc import Container

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._normalise import BALANCE_SCHEMA
from crm_portfolio.schema import join_faults

__all__ = ["merged_balance", "merged_faults"]


def merged_faults(
    old: pa.Table, new: pa.Table, *, replaced: Container[str]
) -> pa.Table:
    """Faults of replaced tables as found now; of others, both, each once."""
    is_replaced = pa.array(
        [name in replaced for name in old["table"].to_pylist()], pa.bool_()
    )
    carried = old.filter(pc.invert(is_replaced))
    known = pc.is_in(_names(new), value_set=_names(carried))
    return join_faults([carried, new.filter(pc.invert(known))])


def _names(faults: pa.Table) -> pa.Array:
    """A fault without its row, which is another in tables that are in order."""
    parts = [
        faults[name].fill_null("") for name in ("table", "column", "value", "fault")
    ]
    return pc.binary_join_element_wise(*parts, "\x1f").combine_chunks()


def merged_balance(
    old: pa.Table, new: pa.Table, *, replaced: Container[str]
) -> pa.Table:
    """Balance of replaced tables as it is now; of others, since they first came in."""
    first = {(line["table"], line["currency"]): line for line in old.to_pylist()}
    lines = []
    for line in new.to_pylist():
        before = first.get((line["table"], line["currency"]))
        if before is not None and line["table"] not in replaced:
            line["came_in"] = before["came_in"]
            line["left_out"] += before["left_out"]
            line["residue"] = line["came_in"] - line["kept"] - line["left_out"]
        lines.append(line)
    return pa.Table.from_pylist(lines, schema=BALANCE_SCHEMA)
