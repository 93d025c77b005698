"""Which record ids do the model's ids become?

vendor docs: ids are numeric text. A table whose ids are such keeps them; others are
numbered so that the order of the numbers is not the order of their texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["FIRST_ID", "Keys"]

# Each shortly before a power of ten.
FIRST_ID: Final[Mapping[str, int]] = {
    "companies": 9_999_998,
    "deals": 99_999_998,
    "tickets": 999_999_998,
    "leads": 999_999_998,
    "invoices": 999_999_998,
    "calls": 9_999_999_998,
    "emails": 9_999_999_998,
    "meetings": 9_999_999_998,
    "notes": 9_999_999_998,
    "tasks": 9_999_999_998,
    "owners": 99_998,
}
_KEPT: Final = r"^[1-9][0-9]{0,14}$"


class Keys:
    """The model's ids of one table and the numbers they became."""

    def __init__(self, model: pa.Array, first: int) -> None:
        self._model = model
        is_kept = (
            len(model) > 0 and pc.all(pc.match_substring_regex(model, _KEPT)).as_py()
        )
        self.numbers = (
            model.cast(pa.int64())
            if is_kept
            else pa.array(np.arange(first, first + len(model), dtype=np.int64))
        )

    def numbers_of(self, model: pa.Array) -> pa.Array:
        """The numbers for model ids; null for an id that the table does not have."""
        return self.numbers.take(pc.index_in(model, value_set=self._model))

    def of(self, model: pa.Array) -> pa.Array:
        """The same as text."""
        return self.numbers_of(model).cast(pa.string())

    def as_dict(self) -> dict[str, str]:
        texts = self.numbers.cast(pa.string()).to_pylist()
        return dict(zip(self._model.to_pylist(), texts, strict=True))
