"""Which kinds of fault are there?

A kind is one small class: what it lets through, spoils or puts in place of the reply.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final

import attrs

from crm_portfolio.simulator._server import Reply

if TYPE_CHECKING:
    from crm_portfolio.simulator._faults import Fault

__all__ = ["KINDS", "Answer", "Kind", "Refused", "Struck"]


@attrs.frozen
class Refused:
    """What a service says no with; each simulator finds its vendor's words for it.

    Attributes:
        status: The HTTP status.
        about: Which limit was met, as the vendor names it, or ``locator``.
        retry_after: Seconds for the header of that name; None: the header is not sent.
    """

    status: int
    about: str = ""
    retry_after: float | None = None


Answer = Callable[[], Reply | None]


@attrs.frozen
class Struck:
    """One call under a fault: the work it asks for, and what else can come of it."""

    work: Answer
    refuse: Callable[[Refused], Reply]
    act: Callable[..., object]


KINDS: Final[dict[str, Kind]] = {}


class Kind:
    """How one kind of fault strikes a call; a subclass says its name once.

    Attributes:
        options: Which options of a fault it reads.
        lasts: Does it strike every call from its first on, log-ins too?
        is_for_the_work: Is it left to the work, which alone can make it happen?
    """

    options: ClassVar[frozenset[str]] = frozenset()
    lasts: ClassVar[bool] = False
    is_for_the_work: ClassVar[bool] = False

    def __init_subclass__(cls, *, name: str = "") -> None:
        if name:
            KINDS[name] = cls()

    def answer(self, fault: Fault, call: Struck) -> Reply | None:
        """The reply to a call that was struck; None cuts the connection."""
        raise NotImplementedError(fault, call)


# The service says no


class _Refusal(Kind):
    status: ClassVar[int]
    about: ClassVar[str] = ""
    options = frozenset({"seconds"})

    def answer(self, fault: Fault, call: Struck) -> Reply | None:
        about = fault.about or self.about
        return call.refuse(Refused(self.status, about, fault.seconds))


class _Expired(_Refusal, name="expired"):
    """The session is not accepted."""

    status = 401


class _OverQuota(_Refusal, name="over_quota"):
    """The day's calls are spent. HubSpot says 429 for it."""

    status = 403
    about = "DAILY"


class _Throttled(_Refusal, name="throttled"):
    """Too many calls at a time."""

    status = 429
    options = frozenset({"seconds", "about"})


class _DeadLocator(_Refusal, name="dead_locator"):
    """The service knows the page's locator no more."""

    status = 400
    about = "locator"


class _Locked(_Refusal, name="locked"):
    status = 423


class _Migrating(_Refusal, name="migrating"):
    """HubSpot moves the account to another data centre."""

    status = 477


class _ServerError(_Refusal, name="server_error"):
    status = 500


class _BadGateway(_Refusal, name="bad_gateway"):
    status = 502


class _Unavailable(_Refusal, name="unavailable"):
    status = 503


class _GatewayTimeout(_Refusal, name="gateway_timeout"):
    status = 504


class _TimedOut(_Refusal, name="timed_out"):
    """HubSpot's front gave up on it."""

    status = 524


# The connection breaks


class _Reset(Kind, name="reset"):
    """Cut before anything is done."""

    def answer(self, fault: Fault, call: Struck) -> Reply | None:  # noqa: ARG002
        return None


class _ResetAfterWrite(Kind, name="reset_after_write"):
    """The work is done, but its reply is lost."""

    def answer(self, fault: Fault, call: Struck) -> Reply | None:  # noqa: ARG002
        call.work()
        return None


class _Gone(_Reset, name="gone"):
    """Every call from here on is cut, whatever ``calls`` says."""

    lasts = True


class _Truncated(Kind, name="truncated"):
    """The body ends early, without ``size`` in its middle; Content-Length says all."""

    options = frozenset({"size"})

    def answer(self, fault: Fault, call: Struck) -> Reply | None:
        reply = call.work()
        if reply is None:
            return None
        middle = reply.size // 2
        kept = middle if fault.size is None else min(fault.size, reply.size - 1)
        return attrs.evolve(reply, cut_after=max(kept, 0))


# The reply is not what it should be


class _Empty(Kind, name="empty"):
    """A 200 with nothing in it, the work done."""

    def answer(self, fault: Fault, call: Struck) -> Reply | None:  # noqa: ARG002
        call.work()
        return Reply(200, b"", {"content-type": "application/json"})


class _Undecodable(Kind, name="undecodable"):
    """A 200 that is no JSON, as a proxy between puts in place, the work done."""

    def answer(self, fault: Fault, call: Struck) -> Reply | None:  # noqa: ARG002
        call.work()
        body = b"<html><body>Please wait \xff\xfe</body></html>"
        return Reply(200, body, {"content-type": "text/html"})


class _Slow(Kind, name="slow"):
    """It takes ``seconds``, and holds nobody else up."""

    options = frozenset({"seconds"})

    def answer(self, fault: Fault, call: Struck) -> Reply | None:
        reply = call.work()
        delay = 1.0 if fault.seconds is None else fault.seconds
        return reply and attrs.evolve(reply, delay=reply.delay + delay)


class _Csv(Kind):
    """A reply of CSV, written in another way. Other replies are left alone."""

    def answer(self, fault: Fault, call: Struck) -> Reply | None:  # noqa: ARG002
        reply = call.work()
        kind = "" if reply is None else reply.headers.get("content-type", "")
        is_csv = kind.startswith("text/csv")
        return self.rewritten(reply) if reply is not None and is_csv else reply

    def rewritten(self, reply: Reply) -> Reply:
        raise NotImplementedError(reply)


class _CsvWithoutCharset(_Csv, name="csv_without_charset"):
    def rewritten(self, reply: Reply) -> Reply:
        headers = {**reply.headers, "content-type": "text/csv"}
        return attrs.evolve(reply, headers=headers)


class _CsvWithBom(_Csv, name="csv_with_bom"):
    def rewritten(self, reply: Reply) -> Reply:
        return attrs.evolve(reply, body=b"\xef\xbb\xbf" + reply.content())


class _CsvWithNulls(_Csv, name="csv_with_null_bytes"):
    """A null byte stands at the end of the first line and of the text."""

    def rewritten(self, reply: Reply) -> Reply:
        body = reply.content().replace(b"\n", b"\x00\n", 1) + b"\x00"
        return attrs.evolve(reply, body=body)


class _CsvWithCrlf(_Csv, name="csv_with_crlf"):
    """Lines end in CR LF; what stands between quotes stays."""

    _parts: Final = re.compile(rb'("[^"]*")|\r?\n')

    def rewritten(self, reply: Reply) -> Reply:
        body = self._parts.sub(lambda found: found[1] or b"\r\n", reply.content())
        return attrs.evolve(reply, body=body)


# Left to the work


class _FewerRows(Kind, name="fewer_rows"):
    """A page holds only ``size`` rows (half of them without), and more follow."""

    options = frozenset({"size"})
    is_for_the_work = True


class _EmptyPage(Kind, name="empty_page"):
    """A page without rows that links to a next one."""

    is_for_the_work = True


class _JobNeverCompletes(Kind, name="job_never_completes"):
    """The job that this call creates stays in progress."""

    is_for_the_work = True


class _JobFails(Kind, name="job_fails"):
    """The job that this call creates fails after ``size`` rows (half of them without)."""

    options = frozenset({"size", "about"})
    is_for_the_work = True


class _Meanwhile(Kind, name="meanwhile"):
    """Someone does something just before the call: edits, deletes, merges, logs out."""

    options = frozenset({"act"})

    def answer(self, fault: Fault, call: Struck) -> Reply | None:
        name, *arguments = fault.act
        call.act(name, *arguments)
        return call.work()


class _Elsewhere(Kind, name="elsewhere"):
    """The answer sends the client to another address, ``about``."""

    options = frozenset({"about"})

    def answer(self, fault: Fault, call: Struck) -> Reply | None:  # noqa: ARG002
        return Reply(307, b"", {"location": fault.about})


class _LinksElsewhere(Kind, name="links_elsewhere"):
    """Links in the body, and the instance of a log-in, lead to the address ``about``."""

    options = frozenset({"about"})
    _links: Final = re.compile(
        rb'("(?:nextRecordsUrl|resultUrl|instance_url|link)":\s*")(?:https?://[^/"]*)?'
    )

    def answer(self, fault: Fault, call: Struck) -> Reply | None:
        reply = call.work()
        if reply is None:
            return None
        there = fault.about.encode()
        body = self._links.sub(lambda found: found[1] + there, reply.content())
        return attrs.evolve(reply, body=body)
