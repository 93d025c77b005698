"""What came of reading the cells of one column?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Final

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.connectors.files._proposal import Confidence
from crm_portfolio.connectors.files._settings import DateOrder, Decimal

__all__ = [
    "Conventions",
    "Reading",
    "all_true",
    "blank_as_null",
    "examples",
    "plain",
    "tidied",
]

# No-break, narrow no-break, thin, figure and ordinary spaces all group digits somewhere.
_SPACES: Final = r"[\s\x{00A0}\x{1680}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}]+"


@attrs.frozen
class Conventions:
    """What holds wherever the cells of a column leave it open.

    Attributes:
        is_canonical: Cells in the model's own form are read as such, whatever else
            they could mean: ``1.234`` in our own tables is no thousand.
    """

    decimal: Decimal | None = None
    date_order: DateOrder | None = None
    time_zone: str = "UTC"
    symbols: Mapping[str, str] = attrs.field(factory=dict)
    is_canonical: bool = False


@attrs.frozen(eq=False)
class Reading:
    """Cells as values.

    Attributes:
        unread: True where a cell holds something that could not be read.
        hint: What would have been readable.
        question: What only a person can settle; empty if nothing.
        currency: ISO code of each cell, where cells name one.
    """

    values: pa.Array
    unread: pa.Array
    how: str = ""
    confidence: Confidence = "certain"
    hint: str = ""
    question: str = ""
    currency: pa.Array | None = None

    def spread(self, places: pa.Array) -> Reading:
        """The reading of cells that repeat, from that of the different ones."""
        return attrs.evolve(
            self,
            values=self.values.take(places),
            unread=self.unread.take(places).fill_null(fill_value=False),
            currency=None if self.currency is None else self.currency.take(places),
        )


def plain(values: pa.Array) -> Reading:
    """Cells that mean what they say."""
    return Reading(values, pa.repeat(pa.scalar(value=False), len(values)))


def blank_as_null(cells: pa.Array) -> pa.Array:
    """The cells as they came, null where only spaces stand in them."""
    is_blank = pc.match_substring_regex(cells, rf"^(?:{_SPACES})?$")
    return pc.if_else(is_blank, pa.scalar(None, pa.string()), cells)


def tidied(cells: pa.Array) -> pa.Array:
    """One sort of space, minus and apostrophe; nothing at the ends."""
    tidy = pc.utf8_trim_whitespace(pc.replace_substring_regex(cells, _SPACES, " "))
    tidy = pc.replace_substring_regex(tidy, r"[\x{2212}\x{2013}]", "-")
    return pc.replace_substring_regex(tidy, r"[\x{2019}\x{02BC}]", "'")


def all_true(masks: Iterable[pa.Array]) -> pa.Array:
    """True where every mask is; unknown counts as not."""
    return reduce(pc.and_, masks).fill_null(fill_value=False)


def examples(cells: pa.Array, mask: pa.Array) -> str:
    """A few different cells that the mask marks, for a message."""
    marked = (
        pc.unique(cells.filter(mask.fill_null(fill_value=False)))
        .slice(0, 3)
        .to_pylist()
    )
    return ", ".join(repr(cell) for cell in marked)
