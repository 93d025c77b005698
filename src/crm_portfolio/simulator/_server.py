"""How does a pretend service answer HTTP on loopback?

One uvicorn server in a daemon thread on a port of its own; requests are answered one
after the other, by one plain function, so a simulator needs no thought about threads.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Mapping
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
_MAX_HEAD_BYTES: Final = (
    1 << 20
)  # so that a simulator refuses long requests by its rule


@attrs.frozen
class Request:
    """What arrived. ``head_bytes`` is the size of the request line and the headers."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    head_bytes: int


@attrs.frozen
class Reply:
    """What goes back."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict)


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
        self._wake: Callable[[], object] = int

    async def main_loop(self) -> None:
        leaving = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._wake = lambda: loop.call_soon_threadsafe(leaving.set)
        self._running.set()
        await leaving.wait()

    def leave(self) -> None:
        self._running.wait()
        self._wake()


class Server:
    """Listens from ``start`` to ``stop``. A None from ``answer`` cuts the connection."""

    def __init__(self, answer: Answer, *, port: int = 0) -> None:
        self._answer = answer
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
        self._thread = threading.Thread(target=self._run, name="simulator", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._uvicorn.leave()
        self._thread.join()
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
        reply = self._answer(_request(scope, bytes(body)))
        if reply is None:
            _cut(scope["state"]["transport"])
            return
        headers = {**reply.headers, "content-length": str(len(reply.body))}
        await send(
            {
                "type": "http.response.start",
                "status": reply.status,
                "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
            }
        )
        await send({"type": "http.response.body", "body": reply.body})


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
    )


def _cut(transport: asyncio.Transport) -> None:
    """Reset the connection, as a failing host or network does."""
    raw = cast("socket.socket", transport.get_extra_info("socket"))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
