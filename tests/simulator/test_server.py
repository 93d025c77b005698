"""How does a pretend service answer HTTP?"""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from crm_portfolio.errors import SettingsError
from crm_portfolio.simulator._server import Reply, Request, Server

CSV = b"".join(b'"%d","a row"\n' % number for number in range(200_000))


@contextmanager
def serving(answer, **more) -> Iterator[str]:
    server = Server(answer, **more)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()


def test_a_file_is_sent_whole(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(CSV)
    with serving(lambda _: Reply(200, file, {"content-type": "text/csv"})) as url:
        answer = requests.get(url, headers={"Accept-Encoding": ""}, timeout=10)
    assert answer.content == CSV
    assert answer.headers["Content-Length"] == str(len(CSV))


def test_an_empty_file_is_sent_too(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.touch()
    with serving(lambda _: Reply(200, file)) as url:
        assert requests.get(url, timeout=10).content == b""


@pytest.mark.parametrize(
    ("asked", "is_packed"),
    [("gzip", True), ("deflate, gzip;q=1.0", True), ("gzip;q=0", False), ("", False)],
)
def test_a_body_is_packed_only_for_those_who_ask(asked: str, is_packed: bool) -> None:
    with (
        serving(lambda _: Reply(200, CSV)) as url,
        requests.get(
            url, headers={"Accept-Encoding": asked}, timeout=10, stream=True
        ) as answer,
    ):
        content = answer.raw.read(decode_content=False)
    assert ("Content-Encoding" in answer.headers) is is_packed
    assert (gzip.decompress(content) if is_packed else content) == CSV
    assert len(content) == int(answer.headers["Content-Length"])


def test_a_server_that_packs_nothing_does_not_where_it_is_asked() -> None:
    with serving(lambda _: Reply(200, CSV), packs=False) as url:
        answer = requests.get(url, headers={"Accept-Encoding": "gzip"}, timeout=10)
    assert "Content-Encoding" not in answer.headers
    assert answer.content == CSV


def test_connections_are_answered_side_by_side() -> None:
    together = threading.Barrier(4, timeout=10)

    def answer(_request: Request) -> Reply:
        together.wait()
        return Reply(200, b"all are here")

    with serving(answer) as url:
        threads = [
            threading.Thread(target=requests.get, args=[url], kwargs={"timeout": 10})
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        assert requests.get(url, timeout=10).content == b"all are here"
        for thread in threads:
            thread.join()


def test_a_long_body_holds_nobody_else_up(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(CSV * 20)

    def answer(request: Request) -> Reply:
        return Reply(200, file if request.path == "/long" else b"short")

    with (
        serving(answer) as url,
        requests.get(
            f"{url}/long", headers={"Accept-Encoding": ""}, stream=True, timeout=10
        ) as slow,
    ):
        begun = time.monotonic()
        assert requests.get(f"{url}/short", timeout=10).content == b"short"
        assert time.monotonic() - begun < 5
        assert len(slow.content) == 20 * len(CSV)


def test_who_stops_waits_for_no_slow_reply() -> None:
    with serving(lambda _: Reply(200, b"late", delay=60)) as url:
        with pytest.raises(requests.exceptions.ReadTimeout):
            requests.get(url, timeout=0.2)
        begun = time.monotonic()
    assert time.monotonic() - begun < 0.9


def test_a_port_that_is_taken_is_refused() -> None:
    server = Server(lambda _: Reply(200))
    server.start()
    try:
        with pytest.raises(SettingsError, match="is taken"):
            Server(lambda _: Reply(200), port=server.port)
    finally:
        server.stop()
