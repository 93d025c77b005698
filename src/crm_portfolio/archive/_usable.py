"""What does a person do when the disk refuses?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from crm_portfolio.errors import SettingsError

__all__ = ["usable"]


@contextmanager
def usable(folder: Path) -> Iterator[None]:
    """What the disk refuses, told so that a person can mend it."""
    try:
        yield
    except OSError as error:
        raise SettingsError(
            f"the archive {str(folder)!r} cannot be used: {error.strerror}. It must be a "
            "folder that this user may read and write, with room on its disk; then do the "
            "same again."
        ) from error
