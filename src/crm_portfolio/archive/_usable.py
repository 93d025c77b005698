"""What does a person do when the disk, or the store, refuses?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crm_portfolio.archive._place import Place

__all__ = ["usable"]


@contextmanager
def usable(place: Place) -> Iterator[None]:
    """What the place refuses, told so that a person can mend it."""
    try:
        yield
    except OSError as error:
        raise place.problem(error) from error
