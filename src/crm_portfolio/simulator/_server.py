"""How does a pretend service answer HTTP on loopback?

One uvicorn server in a daemon thread on a port of its own, and a few threads that work: a
reply that waits or is long holds nobody else up. The function that answers takes the
simulator's lock itself.
"""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import parse_qsl, unquote

import attrs

from crm_portfolio.errors import MissingExtraError, SettingsError

try:
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol
except ImportError as error:
    raise MissingExtraError("uvicorn", "simulator") from error

__all__ = ["HOST", "Reply", "Request", "Server"]

HOST: Final = "127.0.0.1"
_WORKERS: Final = 8
_PIECE: Final = 1 << 20
_SMALL: Final = 1024  # not worth packing
_MAX_HEAD_BYTES: Final = (
    1 << 20
)  # so that a simulator refuses long requests by its rule


@attrs.frozen
class Request:
    """What arrived.

    Attributes:
        query: The last value of each parameter; `pairs` has those that repeat too.
        head_bytes: The size of the request line and the headers.
        target: Path and query as they stood in the request line.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    head_bytes: int
    target: str = ""

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The parameters in their order."""
        return parse_qsl(self.target.partition("?")[2], keep_blank_values=True)


@attrs.frozen
class Reply:
    """What goes back.

    Attributes:
        body: The bytes, or the file that holds them: it is sent piece by piece.
        delay: Seconds it waits before it leaves, and nobody else with it.
        cut_after: Bytes of the body that leave before the connection is cut.
        rows: Records in the body, for the call log.
    """

    status: int
    body: bytes | Path = b""
    headers: Mapping[str, str] = attrs.field(factory=dict)
    delay: float = 0
    cut_after: int | None = None
    rows: int | None = None

    @property
    def size(self) -> int:
        """Bytes of the body."""
        if isinstance(self.body, Path):
            return self.body.stat().st_size
        return len(self.body)

    def content(self) -> bytes:
        """The body, read where it is a file."""
        return self.body.read_bytes() if isinstance(self.body, Path) else self.body


Answer = Callable[[Request], Reply | None]


class _Protocol(H11Protocol):
    """Hands each request its transport, so that a fault can cut the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class _Uvicorn(uvicorn.Server):
    """Sleeps until told to leave, where uvicorn looks at its flag ten times a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._running = threading.Event()
        self.leaving = asyncio.Event()
        self._wake: Callable[[], object] = int

    async def main_loop(self) -> None:
        loop = asyncio.get_running_loop()
        self._wake = lambda: loop.call_soon_threadsafe(self.leaving.set)
        self._running.set()
        await self.leaving.wait()

    def leave(self) -> None:
        self._running.wait()
        self._wake()


class Server:
    """Listens from ``start`` to ``stop``. A None from ``answer`` cuts the connection.

    Args:
        packs: Do replies go packed to those who ask for gzip?
    """

    def __init__(self, answer: Answer, *, port: int = 0, packs: bool = True) -> None:
        self._answer, self._packs = answer, packs
        try:
            self._socket = socket.create_server((HOST, port))
        except OSError as error:
            raise SettingsError(
                f"port {port} is taken: choose another, or 0"
            ) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            self._serve,
            http=_Protocol,
            loop="asyncio",
            interface="asgi3",
            lifespan="off",
            ws="none",
            access_log=False,
            log_config=None,
            log_level="error",
            date_header=False,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=_MAX_HEAD_BYTES,
            timeout_graceful_shutdown=1,
        )
        self._uvicorn = _Uvicorn(config)
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="simulator")
        self._thread = threading.Thread(target=self._run, name="simulator", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._uvicorn.leave()
        self._thread.join()
        self._workers.shutdown()
        self._socket.close()

    def _run(self) -> None:
        asyncio.run(self._uvicorn.serve([self._socket]))

    async def _serve(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[Mapping[str, Any]]],
        send: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        body = bytearray()
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        request = _request(scope, bytes(body))
        loop = asyncio.get_running_loop()
        reply = await loop.run_in_executor(self._workers, self._answer, request)
        if reply is not None and reply.delay:
            # A reset may take the file away while it waits.
            reply = attrs.evolve(reply, body=reply.content())
            with suppress(TimeoutError):  # who leaves does not wait for slow replies
                await asyncio.wait_for(self._uvicorn.leaving.wait(), reply.delay)
        transport = scope["state"]["transport"]
        if reply is None:
            _cut(transport)
            await receive()  # that it is gone: uvicorn misses a reply until then
            return
        is_large = reply.cut_after is None and reply.size > _SMALL
        if self._packs and is_large and _wants_gzip(request):
            reply = await loop.run_in_executor(self._workers, _gzipped, reply)
        await _send(reply, send)
        if reply.cut_after is not None:
            transport.close()
            await receive()


async def _send(
    reply: Reply, send: Callable[[Mapping[str, Any]], Awaitable[None]]
) -> None:
    headers = {**reply.headers, "content-length": str(reply.size)}
    await send(
        {
            "type": "http.response.start",
            "status": reply.status,
            "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        }
    )
    left = reply.size if reply.cut_after is None else reply.cut_after
    for piece in _pieces(reply.body, left):
        left -= len(piece)
        is_last = left == 0 and reply.cut_after is None
        message = {"type": "http.response.body", "body": piece}
        await send({**message, "more_body": not is_last})


def _pieces(body: bytes | Path, size: int) -> Iterator[bytes]:
    """The first bytes of a body, at least one piece, a file's a megabyte at a time."""
    if isinstance(body, bytes):
        yield body[:size] if size < len(body) else body
        return
    with body.open("rb") as file:
        while True:
            piece = file.read(min(_PIECE, size))
            size -= len(piece)
            yield piece
            if not size or not piece:
                return


def _wants_gzip(request: Request) -> bool:
    """Did the client ask for it? ``gzip;q=0`` says no."""
    asked = request.headers.get("accept-encoding", "")
    for one in asked.lower().split(","):
        name, _, weight = one.partition(";")
        if name.strip() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0")
    return False


def _gzipped(reply: Reply) -> Reply:
    """The same reply, packed quickly rather than tightly."""
    if "content-encoding" in reply.headers:
        return reply
    headers = {**reply.headers, "content-encoding": "gzip", "vary": "accept-encoding"}
    packed = gzip.compress(reply.content(), compresslevel=1, mtime=0)
    return attrs.evolve(reply, body=packed, headers=headers)


def _request(scope: Mapping[str, Any], body: bytes) -> Request:
    headers = cast("list[tuple[bytes, bytes]]", scope["headers"])
    query = scope["query_string"].decode("latin-1")
    line = len(scope["method"]) + len(scope["raw_path"]) + len(query) + 12
    return Request(
        method=scope["method"],
        path=unquote(scope["raw_path"].decode("latin-1")),
        query=dict(parse_qsl(query, keep_blank_values=True)),
        headers={k.decode("latin-1"): v.decode("latin-1") for k, v in headers},
        body=body,
        head_bytes=line + sum(len(k) + len(v) + 4 for k, v in headers),
        target=scope["raw_path"].decode("latin-1") + (query and f"?{query}"),
    )


def _cut(transport: asyncio.Transport) -> None:
    """Reset the connection, as a failing host or network does."""
    raw = cast("socket.socket", transport.get_extra_info("socket"))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
