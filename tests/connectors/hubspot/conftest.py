"""A pretend portal, and a host that answers what it is told to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pyarrow as pa
import pytest

from crm_portfolio.connectors._retry import RetrySettings
from crm_portfolio.connectors.hubspot import AccessToken, HubSpot, HubSpotSettings
from crm_portfolio.connectors.hubspot._client import Client
from crm_portfolio.connectors.hubspot._login import login_from
from crm_portfolio.simulator.hubspot import HubSpot as Simulator

IMPATIENT = RetrySettings(attempts=3, first_wait_seconds=0.0)
SECRET = "pat-eu1-PLANTED-Secret-Token"
Reply = tuple[int, bytes] | tuple[int, bytes, dict[str, str]] | None


class StrangeHost:
    """Answers each request with what ``answer`` says; None hangs up."""

    secret = SECRET

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.answer: Callable[[str], Reply] = lambda path: (200, b"{}")
        self.slept: list[float] = []
        self.tells_the_time = True
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_any(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                outer.bodies.append(self.rfile.read(length))
                outer.paths.append(self.path)
                outer.headers.append(dict(self.headers))
                reply = outer.answer(self.path)
                if reply is None:
                    self.close_connection = True
                    return
                status, body, *more = reply
                self.send_response_only(status)
                if outer.tells_the_time:
                    self.send_header("Date", self.date_time_string())
                headers = {
                    "content-length": str(len(body)),
                    **(more[0] if more else {}),
                }
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PATCH = do_DELETE = do_any

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # a client that hung up
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def says(self, *replies: object) -> None:
        """These answers, one after the other; the last again and again.

        A reply is a body, or status and body, or status, body and headers.
        """
        whole = [
            reply if isinstance(reply, tuple) else (200, reply) for reply in replies
        ]
        queue = [
            (
                status,
                body if isinstance(body, bytes) else json.dumps(body).encode(),
                *more,
            )
            for status, body, *more in whole
        ]
        self.answer = lambda _path: queue.pop(0) if len(queue) > 1 else queue[0]

    def client(self, **settings: object) -> Client:
        """A client whose waits are noted, not waited for."""
        chosen = HubSpotSettings(**{"retry": IMPATIENT, "timeout": (1, 1), **settings})
        login = AccessToken(SECRET, self.url)
        now = [0.0]

        def sleep(seconds: float) -> None:
            self.slept.append(seconds)
            now[0] += seconds

        return Client(login, chosen, clock=lambda: now[0], sleep=sleep)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def strange() -> Iterator[StrangeHost]:
    host = StrangeHost()
    yield host
    host.close()


def accounts(count: int) -> pa.Table:
    places = range(count)
    return pa.table(
        {
            "account_id": [f"A{place}" for place in places],
            "name": [f"Account {place}" for place in places],
            "parent_id": [None if place % 7 else "A0" for place in places],
            "domain": ["acme.example", *(None for _ in places)][:count],
        }
    )


def opportunities(count: int, *, of: int = 5) -> pa.Table:
    """Deals of none, one and three companies; of these, one is primary or none is."""
    places = range(count)
    day = date(2024, 1, 31)
    return pa.table(
        {
            "opportunity_id": [f"O{place}" for place in places],
            "account_id": [None if p % 4 in (0, 3) else f"A{p % of}" for p in places],
            "account_ids": [
                "A2;A1;A3" if p % 4 in (2, 3) else ("" if p % 4 == 0 else f"A{p % of}")
                for p in places
            ],
            "status": [("open", "won", "lost")[place % 3] for place in places],
            "stage": [("Talk", "Won", "Lost")[place % 3] for place in places],
            "amount": [place + 0.25 for place in places],
            "closed_on": [None if place % 3 == 0 else day for place in places],
            "expected_close_on": [None if place % 3 else day for place in places],
        }
    )


TABLES = {"account": accounts(5), "opportunity": opportunities(12)}


@pytest.fixture(scope="session")
def _running() -> Iterator[Simulator]:
    with Simulator(TABLES, currency="EUR", time_zone="Europe/Paris") as running:
        yield running


@pytest.fixture
def org(_running: Simulator) -> Simulator:
    """A few companies and deals, as if just started."""
    _running.reset()
    return _running


@pytest.fixture(scope="session")
def _running_big() -> Iterator[Simulator]:
    tables = {"account": accounts(1_234), "opportunity": opportunities(2_345, of=1_234)}
    with Simulator(tables, currency="EUR", limits_by="nothing") as running:
        yield running


@pytest.fixture
def big_org(_running_big: Simulator) -> Simulator:
    """More records than a few pages hold, as if just started."""
    _running_big.reset()
    return _running_big


@pytest.fixture
def connected() -> Callable[..., HubSpot]:
    """A connector to a pretend portal, with settings of one's own."""
    return connected_to


def connected_to(org: Simulator, login: str = "token", **settings: object) -> HubSpot:
    # Pace and exports are shown in their own tests; here nobody waits for them.
    swift = {
        "retry": IMPATIENT,
        "burst_calls": 10_000,
        "search_calls": 1_000,
        "exports": "never",
    }
    chosen = HubSpotSettings(**{**swift, **settings})
    return HubSpot(login_from(org.environment_for(login)), settings=chosen)


@pytest.fixture
def crm(org: Simulator) -> HubSpot:
    return connected_to(org)


@pytest.fixture
def big_crm(big_org: Simulator) -> HubSpot:
    return connected_to(big_org)


@pytest.fixture
def org_of() -> Callable[..., Simulator]:
    """The same companies and deals in a portal of one's own."""
    return lambda **how: Simulator(TABLES, currency="EUR", **how)
