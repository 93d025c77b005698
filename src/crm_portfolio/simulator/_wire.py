"""What can go wrong on the way to a simulator?

A small proxy on loopback between a client and one address. It knows nothing of HTTP but
where the headers of a reply end; it counts the replies that pass and spoils those asked
for.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

import attrs

from crm_portfolio.errors import SettingsError
from crm_portfolio.simulator._server import HOST

__all__ = ["Break", "Wire"]

BreakKind = Literal["reset", "hang", "cut_in_headers", "cut_in_body", "delay"]

_PIECE: Final = 1 << 16
_HEAD_END: Final = b"\r\n\r\n"
_MAX_HEAD: Final = 1 << 20  # as the simulators themselves


@attrs.frozen
class Break:
    """One thing that goes wrong on the wire.

    Attributes:
        at_call: The reply to which request that passes, from 1.
        kind: ``reset`` (the request arrives, the connection is then reset), ``hang``
            (nothing comes back), ``cut_in_headers`` and ``cut_in_body`` (closed in the
            middle), ``delay``.
        calls: How many in a row it strikes.
        size: ``cut_in_headers``: bytes of the head that still pass, 20 without;
            ``cut_in_body``: bytes of the body, none without.
        seconds: ``delay``: how long. ``hang``: how long at most.
    """

    at_call: int = attrs.field(validator=attrs.validators.ge(1))
    kind: BreakKind = attrs.field(
        validator=attrs.validators.in_(
            ("reset", "hang", "cut_in_headers", "cut_in_body", "delay")
        )
    )
    calls: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    size: int | None = None
    seconds: float = 30

    def strikes(self, call: int) -> bool:
        return self.at_call <= call < self.at_call + self.calls


class Wire:
    """A way to a simulator that breaks where it is told to.

    Args:
        url: Where requests go on to, such as ``crm.url``.
        breaks: What goes wrong, by the count of requests that passed.
    """

    def __init__(self, url: str, *breaks: Break) -> None:
        there = urlsplit(url)
        if there.scheme != "http" or there.hostname != HOST or there.port is None:
            raise SettingsError(f"a wire leads to http://{HOST}:PORT only")
        self._port: int = there.port
        self._breaks = breaks
        self._calls = 0
        self._here = ""
        self._open: set[asyncio.Task[None]] = set()
        self._leave: Callable[[], object] = int
        self._is_up = threading.Event()

    def __enter__(self) -> Self:
        listening = socket.create_server((HOST, 0))
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._here = f"http://{HOST}:{listening.getsockname()[1]}"
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listening)), name="wire", daemon=True
        )
        self._thread.start()
        self._is_up.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leave()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where clients go instead."""
        if not self._here:
            raise SettingsError("the wire is not up: use it in a with statement")
        return self._here

    @property
    def calls(self) -> int:
        """Requests that passed until now."""
        return self._calls

    async def _serve(self, listening: socket.socket) -> None:
        leaving, loop = asyncio.Event(), asyncio.get_running_loop()
        self._leave = lambda: loop.call_soon_threadsafe(leaving.set)
        server = await asyncio.start_server(
            self._accepted, sock=listening, limit=_MAX_HEAD
        )
        self._is_up.set()
        async with server:
            await leaving.wait()
            server.close()
            for task in self._open:
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)

    def _accepted(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.ensure_future(_quietly(self._connected(reader, writer)))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        there_reader, there_writer = await asyncio.open_connection(
            HOST, self._port, limit=_MAX_HEAD
        )
        line = _Line(reader, writer, there_reader, there_writer)
        try:
            while await line.request():
                self._calls += 1
                hit = next((b for b in self._breaks if b.strikes(self._calls)), None)
                if not await line.reply(hit):
                    return
        finally:
            line.close()


async def _quietly(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return  # one side left: the other has been closed


class _Line:
    """One connection of a client and its continuation to the simulator."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        there_reader: asyncio.StreamReader,
        there_writer: asyncio.StreamWriter,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._there_reader, self._there_writer = there_reader, there_writer

    async def request(self) -> bool:
        """Pass a whole request on; False: the client is done."""
        try:
            head = await self._reader.readuntil(_HEAD_END)
        except asyncio.IncompleteReadError:
            return False
        self._there_writer.write(head)
        if b"expect: 100-continue" in head.lower():
            self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await self._pass(self._reader, self._there_writer, _length(head))
        return True

    async def reply(self, hit: Break | None) -> bool:
        """Pass the reply back as far as it gets; False: the connection is over."""
        head = await self._there_reader.readuntil(_HEAD_END)
        size = 0 if head.split(b" ", 2)[1] in (b"204", b"304") else _length(head)
        if hit is not None and hit.kind == "reset":
            _linger_not(self._writer)
            return False
        if hit is not None and hit.kind in ("hang", "delay"):
            await asyncio.sleep(hit.seconds)
            if hit.kind == "hang":
                return False
        if hit is not None and hit.kind == "cut_in_headers":
            kept = 20 if hit.size is None else min(hit.size, len(head) - 1)
            self._writer.write(head[:kept])
            await self._writer.drain()
            return False
        self._writer.write(head)
        if hit is not None and hit.kind == "cut_in_body":
            await self._pass(self._there_reader, self._writer, min(hit.size or 0, size))
            return False
        await self._pass(self._there_reader, self._writer, size)
        return True

    async def _pass(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, size: int
    ) -> None:
        left = size
        while left:
            piece = await source.read(min(_PIECE, left))
            if not piece:
                raise asyncio.IncompleteReadError(b"", left)
            left -= len(piece)
            sink.write(piece)
            await sink.drain()
        await sink.drain()

    def close(self) -> None:
        self._writer.close()
        self._there_writer.close()


def _length(head: bytes) -> int:
    """The bytes behind a head. Our clients and simulators always say how many."""
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value)
    return 0


def _linger_not(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
