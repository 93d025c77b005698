"""What must a log-in be granted, for which work, and what does its absence do?"""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

__all__ = ["Right", "Work"]

Work: TypeAlias = Literal[
    "reading", "writing", "on_request", "table", "setup", "setup_on_request"
]


@attrs.frozen
class Right:
    """One right or scope, as the CRM's own pages call it.

    Attributes:
        name: What errors and findings say when it lacks.
        use: What it is for; the documentation's tables say the same.
        work: ``reading`` the default tables, ``writing`` back, the same ``on_request`` on
            opportunities, one more ``table`` that is asked for by name, or the
            administrator's ``setup``, and that ``on_request``.
        is_told_by_doctor: The CRM hides what this one shows, or does without it: nothing
            is refused, and the doctor tells.
    """

    name: str
    use: str
    work: Work
    is_told_by_doctor: bool = False
