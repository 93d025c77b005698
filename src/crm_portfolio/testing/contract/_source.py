"""What must every source satisfy?"""

from __future__ import annotations

from crm_portfolio.testing.contract._complete import Complete
from crm_portfolio.testing.contract._goes_on import GoesOn

__all__ = ["SourceContract"]


class SourceContract(Complete, GoesOn):
    """What every source keeps. Inherit it in a test class and give two fixtures.

    ``opened`` is a function that makes a new source on the same unchanged data, as another
    process would. ``holds`` says what there is to be read: for each table its key and
    whatever columns shall be compared value by value; put newlines, quotes and letters of
    all the world into the names. The longest table fills three batches.

    Attributes:
        time_zone: That of the org, or of the files.
        resumes: Its batches carry cursors.
        increments: It takes ``since``.
        secrets: Texts that must be shown nowhere.
    """
