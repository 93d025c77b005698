"""Which record ids do the model's ids become?"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.simulator._given import Given, Tables, text_or_none
from crm_portfolio.simulator.salesforce._ids import LOADED, is_id, new_ids

__all__ = ["Given", "Keys", "Tables", "text_or_none"]


class Keys:
    """The model's ids of one table and the record ids they became."""

    def __init__(self, model: pa.Array, prefix: str) -> None:
        self.model = model
        # A folder that was pulled from an org keeps its ids.
        is_pulled = len(model) > 0 and pc.all(pc.starts_with(model, prefix)).as_py()
        if is_pulled and all(is_id(text, prefix) for text in model.to_pylist()):
            self.records = model
        else:
            self.records = new_ids(prefix, LOADED, first=1, count=len(model))

    def of(self, model: pa.Array) -> pa.Array:
        """Record ids for model ids; null for an id that the table does not have."""
        if model.null_count == len(model):
            return pa.nulls(len(model), pa.string())  # no table of keys for nothing
        places = pc.index_in(model, value_set=self.model)
        return self.records.take(places)

    def as_dict(self) -> dict[str, str]:
        return dict(zip(self.model.to_pylist(), self.records.to_pylist(), strict=True))
