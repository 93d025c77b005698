"""What goes wrong, and at which call?

A fault is a value and a schedule is a tuple of them; each simulator asks it in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import attrs

from crm_portfolio.errors import did_you_mean
from crm_portfolio.simulator._kinds import KINDS, Answer, Refused, Struck
from crm_portfolio.simulator._server import Reply

__all__ = ["KINDS", "Fault", "Refused", "fault_hits", "strike"]


def _known_kind(_fault: Fault, _field: attrs.Attribute[str], kind: str) -> None:
    if kind not in KINDS:
        raise ValueError(
            f"kind: no fault is called {kind!r}{did_you_mean(kind, KINDS)}"
        )


_MEASURED: Final = attrs.validators.optional(attrs.validators.ge(0))
_OPTIONS: Final = ("seconds", "about", "size", "act")


@attrs.frozen
class Fault:
    """One thing that goes wrong.

    Attributes:
        at_call: At which API call since the start or the last reset, from 1. Log-ins do
            not count.
        kind: One of ``KINDS``, such as ``unavailable`` or ``reset_after_write``.
        calls: How many calls in a row it strikes; None: every one from then on.
        route: Strikes only routes whose name, such as ``GET query/{locator}``, contains
            this text; ``at_call`` then counts the calls of those routes, log-ins too.
        seconds: ``slow``: how long. Refusals: the Retry-After that they tell.
        about: ``throttled``: which limit, as the vendor names it. ``job_fails``: the code
            of its error.
        size: ``truncated``: bytes that still arrive. ``fewer_rows``: rows of the page.
            ``job_fails``: rows that were processed before.
        act: ``meanwhile``: a method of the simulator and its arguments, such as
            ``("delete", "Account", "001…")``, done just before the call.
    """

    at_call: int = attrs.field(validator=attrs.validators.ge(1))
    kind: str = attrs.field(validator=_known_kind)
    calls: int | None = attrs.field(default=1)
    route: str = ""
    seconds: float | None = attrs.field(default=None, validator=_MEASURED)
    about: str = ""
    size: int | None = attrs.field(default=None, validator=_MEASURED)
    act: tuple[Any, ...] = attrs.field(default=(), converter=tuple)

    @calls.validator
    def _must_strike(
        self, _field: attrs.Attribute[int | None], calls: int | None
    ) -> None:
        if calls is not None and calls < 1:
            raise ValueError("calls: a fault strikes once or more")

    def __attrs_post_init__(self) -> None:
        given = {name for name in _OPTIONS if getattr(self, name) not in (None, "", ())}
        if unread := given - KINDS[self.kind].options:
            names = ", ".join(sorted(unread))
            raise ValueError(f"{names}: the kind {self.kind!r} does not read it")
        if self.kind == "meanwhile" and not self.act:
            raise ValueError("act: the kind 'meanwhile' needs to know what happens")


def fault_hits(
    schedule: Sequence[Fault],
    route: str,
    *,
    calls: Mapping[str, int],
    api_calls: int,
    is_login: bool = False,
) -> tuple[Fault, ...]:
    """The faults of the schedule that strike this call, in their order.

    Args:
        calls: Calls per route until now, this one included.
        api_calls: All of them but log-ins.
    """
    hits = []
    for fault in schedule:
        lasts = KINDS[fault.kind].lasts
        if fault.route:
            is_meant = fault.route in route
            number = sum(n for name, n in calls.items() if fault.route in name)
        else:
            is_meant, number = lasts or not is_login, api_calls
        is_over = fault.calls is not None and number >= fault.at_call + fault.calls
        if is_meant and number >= fault.at_call and (lasts or not is_over):
            hits.append(fault)
    return tuple(hits)


def strike(
    hits: Sequence[Fault],
    work: Callable[[tuple[Fault, ...]], Reply],
    *,
    refuse: Callable[[Refused], Reply],
    act: Callable[..., object],
) -> Reply | None:
    """The reply to a call that these faults strike, the first of them outermost.

    Args:
        work: Does what the call asks for. It gets the faults that only it can make
            happen: a job that never ends, a page with fewer rows.
        refuse: The vendor's own words for a status.
        act: Calls a method of the simulator by its name.
    """
    mine = tuple(fault for fault in hits if KINDS[fault.kind].is_for_the_work)
    answer: Answer = partial(work, mine)
    for fault in reversed(hits):
        if fault not in mine:
            struck = Struck(answer, refuse, act)
            answer = partial(KINDS[fault.kind].answer, fault, struck)
    return answer()
