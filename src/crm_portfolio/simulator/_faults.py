"""What goes wrong, and at which call?

A fault is a value and a schedule is a tuple of them; each simulator asks it in one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

import attrs

__all__ = ["EFFECTS", "Effect", "Fault", "FaultKind", "fault_at"]

FaultKind = Literal[
    "unavailable",
    "server_error",
    "expired",
    "over_quota",
    "reset",
    "reset_after_write",
    "gone",
]


@attrs.frozen
class Fault:
    """One thing that goes wrong.

    Attributes:
        at_call: Which API call since the start or the last reset, from 1.
        kind: ``unavailable`` (503), ``server_error`` (500), ``expired`` (401),
            ``over_quota`` (403), ``reset`` (connection cut, nothing done),
            ``reset_after_write`` (done, but the reply is lost), ``gone`` (this and every
            later call is cut, whatever ``calls`` says).
        calls: How many calls in a row it hits.
    """

    at_call: int = attrs.field(validator=attrs.validators.ge(1))
    kind: FaultKind = attrs.field(validator=attrs.validators.in_(get_args(FaultKind)))
    calls: int = attrs.field(default=1, validator=attrs.validators.ge(1))


@attrs.frozen
class Effect:
    """``status`` None cuts the connection; ``acts``: the work is done nevertheless."""

    status: int | None
    acts: bool = False


EFFECTS: Final[Mapping[FaultKind, Effect]] = {
    "unavailable": Effect(503),
    "server_error": Effect(500),
    "expired": Effect(401),
    "over_quota": Effect(403),
    "reset": Effect(None),
    "reset_after_write": Effect(None, acts=True),
    "gone": Effect(None),
}


def fault_at(schedule: tuple[Fault, ...], call: int) -> Fault | None:
    """The first fault of the schedule that hits this call."""
    for fault in schedule:
        is_over = fault.kind != "gone" and call >= fault.at_call + fault.calls
        if call >= fault.at_call and not is_over:
            return fault
    return None
