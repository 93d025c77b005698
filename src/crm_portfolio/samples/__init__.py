"""Which invented firms can be looked at before one's own CRM?

``firm()`` is small enough to check by hand, ``book()`` is any size with planted truths,
``lost_book()`` knows why each sale was lost, ``danger_book()`` who pays late, costs more
than it brings or has left, ``odd_book()`` is all that is not ordinary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crm_portfolio.samples._book import Book, book
    from crm_portfolio.samples._danger_book import danger_book
    from crm_portfolio.samples._firm import firm
    from crm_portfolio.samples._lost_book import lost_book
    from crm_portfolio.samples._odd import odd_book

__all__ = ["Book", "book", "danger_book", "firm", "lost_book", "odd_book"]

_HOMES = {
    "Book": "_book",
    "book": "_book",
    "danger_book": "_danger_book",
    "firm": "_firm",
    "lost_book": "_lost_book",
    "odd_book": "_odd",
}


def __getattr__(name: str) -> object:
    """Load a sample's module when it is first asked for."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
