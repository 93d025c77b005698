"""A host between a client and a pretend CRM, which repeats what it was told in its errors."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus, unquote_plus, urlsplit

__all__ = ["Parrot", "parrot_of", "spellings"]

_SHORTEST = 8  # what is shorter stands in any text
_HOP = frozenset({"connection", "transfer-encoding", "content-length", "keep-alive"})


class Parrot:
    """Passes calls on, and answers those of some routes with what it heard.

    Attributes:
        secrets: All keys, passwords and tokens that came by, in headers, forms and replies.
        route: A part of the address of the calls it answers itself; empty: of none.
        status: What it answers them with; None: nothing, it hangs up.
        shape: ``json``, as either vendor tells errors; ``html``, as a gateway does.
    """

    def __init__(self, port: int) -> None:
        self.secrets: set[str] = set()
        self.route, self.status, self.shape = "", 500, "json"
        self.repeated = 0
        self.calls: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_any(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                outer._serve(self, port, self.rfile.read(length))

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_any

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # a client that hung up
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.netloc = f"127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, handler: Any, port: int, body: bytes) -> None:
        self.calls.append(f"{handler.command} {handler.path}")
        self._hear(dict(handler.headers), body)
        if self.route and self.route in handler.path:
            self.repeated += 1
            self._repeat(handler, body)
            return
        to_there = HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {k: v for k, v in handler.headers.items() if k.lower() not in _HOP}
        to_there.request(handler.command, handler.path, body or None, headers)
        reply = to_there.getresponse()
        there, here = f"127.0.0.1:{port}".encode(), self.netloc.encode()
        said = reply.read().replace(there, here)
        for token in re.findall(rb'"access_token":\s*"([^"]+)"', said):
            self.secrets.add(token.decode())
        handler.send_response_only(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in _HOP:
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(said)))
        handler.end_headers()
        handler.wfile.write(said)
        to_there.close()

    def _hear(self, headers: dict[str, str], body: bytes) -> None:
        said = headers.get("Authorization", "")
        self.secrets |= {said.removeprefix("Bearer ").strip()} - {""}
        form = parse_qs(body.decode("utf-8", "replace"))
        for name in ("client_secret", "refresh_token", "assertion", "password"):
            self.secrets |= set(form.get(name, ()))

    def _repeat(self, handler: Any, body: bytes) -> None:
        if self.status is None:
            handler.close_connection = True
            return
        heard = " ".join(
            [*map(": ".join, handler.headers.items()), unquote_plus(handler.path)]
        )
        heard += f" {unquote_plus(body.decode('utf-8', 'replace'))} "
        heard += " ".join(sorted(self.secrets))
        told = {
            "status": "error", "message": heard, "category": heard, "error": heard,
            "correlationId": heard, "error_description": heard, "errorCode": heard,
        }  # fmt: skip
        vendor = "hubspot" if "/crm/" in handler.path else "salesforce"
        text = json.dumps(
            [told] if vendor == "salesforce" and "/token" not in handler.path else told
        )
        if self.shape == "html":
            text = f"<html><title>{heard}</title></html>"
        handler.send_response_only(self.status)
        one_line = re.sub(r"[^ -~]", "", heard)
        for name in ("X-Request-Id", "x-hubspot-correlation-id", "WWW-Authenticate"):
            handler.send_header(name, one_line[:2_000])
        handler.send_header("Content-Type", f"application/{self.shape}")
        handler.send_header("Content-Length", str(len(text.encode())))
        handler.end_headers()
        handler.wfile.write(text.encode())


@contextmanager
def parrot_of(pretend: Any) -> Iterator[Parrot]:
    """One in front of a pretend CRM."""
    parrot = Parrot(urlsplit(pretend.url).port or 0)
    try:
        yield parrot
    finally:
        parrot.close()


def spellings(secret: str) -> set[bytes]:
    """What to look for: as it is, in parts of a key, in base64 and in an address."""
    parts = [line.strip() for line in secret.splitlines() if "-----" not in line]
    found: set[bytes] = set()
    for part in parts:
        if len(part) < _SHORTEST:
            continue
        raw = part.encode()
        found |= {raw, quote(part, safe="").encode(), quote_plus(part).encode()}
        found |= {quote(part).encode()}
        found |= {json.dumps(part)[1:-1].encode()}
        for shift in range(3):  # it may begin at each place of a longer text
            for encode in (base64.b64encode, base64.urlsafe_b64encode):
                told = encode(b"\0" * shift + raw).rstrip(b"=")
                found.add(told[4 if shift else 0 : -2])
    return found
