"""A pretend org, and a host that answers what it is told to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pyarrow as pa
import pytest

from crm_portfolio import schema
from crm_portfolio.connectors._retry import RetrySettings
from crm_portfolio.connectors.salesforce import (
    Salesforce,
    SalesforceSettings,
    SessionToken,
)
from crm_portfolio.connectors.salesforce._login import login_from
from crm_portfolio.connectors.salesforce._tickets import forget_logins
from crm_portfolio.simulator import Salesforce as Simulator

IMPATIENT = RetrySettings(attempts=3, first_wait_seconds=0.0)
SECRET = "00Dxx!PLANTED.Secret.Token"
Reply = tuple[int, bytes] | tuple[int, bytes, dict[str, str]] | None
FIELDS = (*schema.MANAGED["account"], *schema.HUMAN["account"])


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


@pytest.fixture(autouse=True)
def _no_log_in_of_another_test() -> None:
    """A process logs in once; here each test is as good as a process."""
    forget_logins()


@pytest.fixture(scope="session")
def _running() -> Iterator[Simulator]:
    with Simulator({"account": accounts(5)}, currency="EUR") as running:
        yield running


@pytest.fixture
def org(_running: Simulator) -> Simulator:
    """A few accounts and nothing else, as if just started."""
    _running.reset()
    return _running


@pytest.fixture
def crm(org: Simulator) -> Salesforce:
    """A connector to the pretend org, which has the managed fields."""
    return with_fields(connected_to(org))


@pytest.fixture
def connected() -> Callable[..., Salesforce]:
    """A connector to a pretend org, with settings of one's own."""
    return connected_to


@pytest.fixture(scope="session")
def _running_big() -> Iterator[Simulator]:
    with Simulator({"account": accounts(4_321)}, currency="EUR") as running:
        yield running


@pytest.fixture
def big_org(_running_big: Simulator) -> Simulator:
    """More accounts than one page or one collection holds, as if just started."""
    _running_big.reset()
    return _running_big


@pytest.fixture
def big_crm(big_org: Simulator) -> Salesforce:
    return with_fields(connected_to(big_org))


def connected_to(org: Simulator, **settings: object) -> Salesforce:
    chosen = SalesforceSettings(**{"retry": IMPATIENT, **settings})
    return Salesforce(login_from(org.environment), settings=chosen)


def with_fields(connector: Salesforce) -> Salesforce:
    list(connector.provision(FIELDS, dry_run=False))
    return connector


class StrangeHost:
    """Answers each request with what ``answer`` says; None hangs up."""

    secret = SECRET

    def says(self, *bodies: object, status: int = 200) -> None:
        """These answers, one after the other; the last again and again."""
        replies = [(status, json.dumps(body).encode()) for body in bodies]
        self.answer = lambda _path: replies.pop(0) if len(replies) > 1 else replies[0]

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.answer: Callable[[str], Reply] = lambda path: (200, b"{}")
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
                self.send_response(status)
                headers = {"content-type": "application/json"}
                headers |= {
                    "content-length": str(len(body)),
                    **(more[0] if more else {}),
                }
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_CONNECT = do_any

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # a client that hung up
        self._thread = Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def connector(self, **settings: object) -> Salesforce:
        chosen = SalesforceSettings(**{"retry": IMPATIENT, **settings})
        return Salesforce(SessionToken(self.url, SECRET), settings=chosen)


@pytest.fixture
def strange() -> Iterator[StrangeHost]:
    host = StrangeHost()
    yield host
    host.close()
