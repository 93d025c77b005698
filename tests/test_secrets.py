"""No key, no password, no token and nobody's personal text is in anything we leave behind.

Secrets are planted where they stand in earnest, and a host between us and the CRM repeats
all it hears in its errors. Then every file, all output, every log line and every error is
searched, for the plain text, for base64 and as an address has it.
"""

from __future__ import annotations

import io
import logging
import os
import pickle
import traceback
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import attrs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from parrot import Parrot, parrot_of, spellings
from typer.testing import CliRunner

from crm_portfolio import Settings, connect, samples, setup, sync
from crm_portfolio.cli import app
from crm_portfolio.connectors.salesforce._tickets import forget_logins
from crm_portfolio.simulator import HubSpot, Salesforce

AS_OF = "2026-06-30"
NAME_MARK = "Nomen-Clarum"
PERSONAL = "jane.private+PERSONAL@home.example"
LOGINS = {
    "salesforce": ("client_credentials", "session", "password", "jwt"),
    "hubspot": ("token", "oauth"),
}
SECRET_VARIABLES = (
    "SALESFORCE_CLIENT_SECRET",
    "SALESFORCE_ACCESS_TOKEN",
    "SALESFORCE_PASSWORD",
    "SALESFORCE_SECURITY_TOKEN",
    "SALESFORCE_PRIVATE_KEY",
    "HUBSPOT_ACCESS_TOKEN",
    "HUBSPOT_CLIENT_SECRET",
    "HUBSPOT_REFRESH_TOKEN",
)
NIGHT = """
[sync]
crm = "{crm}"
folder = "book"
archive = "runs"
summary = "status"

[limits]
settle_seconds = 0

[tiers]
method = "quantiles"

[salesforce.retry]
attempts = 1
first_wait_seconds = 0

[hubspot]
burst_calls = 10000
search_calls = 1000
exports = "never"

[hubspot.retry]
attempts = 1
first_wait_seconds = 0
"""
# A part of the address of each kind of step: what is asked there, in its own words.
STEPS = {
    "salesforce": (
        "oauth2/token",
        "Organization",
        "describe",
        "/query",
        "composite/sobjects",
        "userinfo",
        "AccountHistory",
    ),
    "hubspot": (
        "oauth",
        "account-info",
        "/properties/",
        "/objects/deals",
        "batch/read",
        "batch/update",
        "pipelines",
    ),
}


def _tables() -> dict[str, pa.Table]:
    book = samples.book(accounts=40, opportunities=250)
    tables = dict(book.tables)
    account = tables["account"]
    count = account.num_rows
    names = pa.array([f"{NAME_MARK} {place}" for place in range(count)])
    place = account.column_names.index("name")
    account = account.set_column(place, "name", names)
    tables["account"] = account.append_column(
        "private_notes", pa.array([f"{PERSONAL} {place}" for place in range(count)])
    )
    return tables


@pytest.fixture(scope="module")
def orgs() -> Iterator[Mapping[str, tuple[Any, Parrot]]]:
    tables = _tables()
    with (
        Salesforce(tables, currency="EUR", allows_password_grant=True) as org,
        HubSpot(tables, currency="EUR", limits_by="nothing") as portal,
        parrot_of(org) as before_org,
        parrot_of(portal) as before_portal,
    ):
        yield {"salesforce": (org, before_org), "hubspot": (portal, before_portal)}


@attrs.define(eq=False)
class Desk:
    """A terminal in a folder of its own, and all it has said."""

    crm: str
    org: Any
    parrot: Parrot
    folder: Path
    planted: set[str]
    said: list[str] = attrs.field(factory=list)
    for_people: list[str] = attrs.field(factory=list)  # names may stand there

    def run(self, *arguments: object) -> Any:
        runner = CliRunner(env={"COLUMNS": "20000", "NO_COLOR": "1"})
        result = runner.invoke(app, [str(argument) for argument in arguments])
        shows_names = arguments[0] == "analyse"
        (self.for_people if shows_names else self.said).append(result.stdout)
        self.said.append(result.stderr)
        if result.exception is not None:
            self.note(result.exception)
        return result

    def note(self, error: BaseException) -> None:
        """What an error says, to whoever prints it or sends it to another process."""
        self.said += [str(error), repr(error)]
        self.said += traceback.format_exception(error)
        try:
            self.said.append(pickle.dumps(error).decode("latin-1"))
            self.said.append(repr(vars(error)))
        except (TypeError, AttributeError, pickle.PicklingError):
            assert isinstance(error, SystemExit)

    @property
    def secrets(self) -> set[str]:
        return self.planted | self.parrot.secrets

    def search(self, log: str) -> None:
        """Nothing secret anywhere; names only where people look."""
        texts = {
            "output": "\n".join(self.said),
            "log": log,
            "book: shown to people": "\n".join(self.for_people),
        }
        files = {
            str(path.relative_to(self.folder)): _read(path)
            for path in self.folder.rglob("*")
            if path.is_file() and path.name != "portfolio.toml"
        }
        everything = {
            **{name: text.encode("utf-8", "replace") for name, text in texts.items()},
            **files,
        }
        assert self.secrets
        for secret in self.secrets:
            for spelt in spellings(secret):
                found = [where for where, text in everything.items() if spelt in text]
                assert not found, (found, secret[:4])
        private = PERSONAL.encode()
        assert not [where for where, text in everything.items() if private in text]
        named = {w for w, text in everything.items() if NAME_MARK.encode() in text}
        assert {w for w in named if not w.startswith("book")} == set()


def _read(path: Path) -> bytes:
    """What a file says, name included, also where it is compressed."""
    said = path.name.encode() + path.read_bytes()
    if path.suffix == ".parquet":
        told = io.StringIO()
        for column in pq.read_table(path).to_pydict().values():
            told.write(repr(column))
        told.write(repr(pq.read_schema(path).metadata))
        said += told.getvalue().encode("utf-8", "replace")
    return said


def _without_login(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in tuple(os.environ):
        if name.startswith(("SALESFORCE_", "HUBSPOT_", "CRM_PORTFOLIO_")):
            monkeypatch.delenv(name)


@pytest.fixture
def desk_at(
    orgs: Mapping[str, tuple[Any, Parrot]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Callable[[str, str], Desk]:
    """A terminal whose environment holds that log-in, by way of the host that repeats."""

    def make(crm: str, login: str) -> Desk:
        org, parrot = orgs[crm]
        org.reset()
        forget_logins()
        parrot.route, parrot.repeated = "", 0
        parrot.secrets.clear()
        _without_login(monkeypatch)
        there = org.environment_for(login)
        for name, value in there.items():
            monkeypatch.setenv(name, value.replace(org.url, f"http://{parrot.netloc}"))
        planted = {there[name] for name in SECRET_VARIABLES if name in there}
        (tmp_path / "portfolio.toml").write_text(NIGHT.format(crm=crm))
        monkeypatch.chdir(tmp_path)
        return Desk(crm, org, parrot, tmp_path, planted)

    return make


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    caplog.set_level(logging.DEBUG)
    return lambda: caplog.text


@pytest.mark.filterwarnings("ignore:the log-in with user name")
@pytest.mark.parametrize(
    ("crm", "login"), [(crm, login) for crm, ways in LOGINS.items() for login in ways]
)
def test_a_whole_night_of_each_log_in_leaves_no_secret_behind(
    desk_at: Callable[[str, str], Desk], log: Callable[[], str], crm: str, login: str
) -> None:
    desk = desk_at(crm, login)
    how = ("--settings", "portfolio.toml")
    kept = ("--archive", "runs")
    for arguments in (
        ("setup", crm, "--apply", *how),
        ("doctor", crm, *how),
        ("pull", crm, "--to", "book", "--as-of", AS_OF, *how),
        ("analyse", "book", *how),
        ("plan", "book", "--crm", crm, "-o", "plan.jsonl", *how),
        ("plan", "book", "--crm", crm, "-o", "p2.jsonl", "--output", "json", *how),
        ("apply", "plan.jsonl", *kept, *how),
    ):
        result = desk.run(*arguments)
        assert result.exit_code == 0, (arguments[0], desk.said[-6:])
    run_id = next((desk.folder / "runs" / "runs").iterdir()).name
    for arguments in (
        ("undo", run_id, *kept, "-o", "back.jsonl", *how),
        ("apply", "back.jsonl", *kept, *how),
        ("history", run_id, *kept),
        ("verify", *kept),
    ):
        result = desk.run(*arguments)
        assert result.exit_code == 0, (arguments[0], desk.said[-6:])
    night = desk.run(
        "sync", "--settings", "portfolio.toml", "--as-of", AS_OF, "--log", "json"
    )
    assert night.exit_code == 0, desk.said[-4:]
    assert (desk.folder / "status").is_dir()
    desk.search(log())


# Every status and shape once at each CRM, and something of them at each step.
ANSWERS = ((400, "json"), (503, "html"), (401, "json"), (None, "json"), (403, "html"))
REPEATED = [
    (crm, step, *ANSWERS[place % len(ANSWERS)])
    for crm, steps in STEPS.items()
    for place, step in enumerate(steps)
]


@pytest.mark.parametrize(("crm", "step", "status", "shape"), REPEATED)
def test_a_crm_that_repeats_what_it_hears_is_not_repeated_by_us(
    desk_at: Callable[[str, str], Desk],
    log: Callable[[], str],
    crm: str,
    step: str,
    status: int | None,
    shape: str,
) -> None:
    desk = desk_at(crm, {"salesforce": "client_credentials", "hubspot": "oauth"}[crm])
    setup(connect(crm), dry_run=False)
    forget_logins()
    parrot = desk.parrot
    parrot.route, parrot.status, parrot.shape = step, status, shape
    night = desk.run(
        "sync", "--settings", "portfolio.toml", "--as-of", AS_OF, "--log", "json"
    )
    assert parrot.repeated, parrot.calls
    if step not in ("userinfo", "AccountHistory"):
        assert night.exit_code != 0
    desk.run("doctor", crm, "--settings", "portfolio.toml")
    settings = Settings.load(desk.folder / "portfolio.toml")
    try:
        sync(settings, as_of=date.fromisoformat(AS_OF))
    except Exception as error:  # whatever it is, it must not tell
        desk.note(error)
    desk.search(log())


PLANTED = "pL4nted-s3cret-Value"


@pytest.mark.parametrize(
    "text",
    [
        f'[salesforce]\nclient_secret = "{PLANTED}"\n',
        f'[hubspot]\naccess_token = "{PLANTED}"\n',
        f'[sync]\ncrm = "salesforce"\npassword = "{PLANTED}"\n',
        f'[sync]\ncrm = "{PLANTED}"\n',
        f'[orgs.one]\ncrm = "salesforce"\ntoken = "{PLANTED}"\n',
        f'[sync\ncrm = "{PLANTED}"\n',
    ],
    ids=["salesforce", "hubspot", "sync", "crm", "org", "no toml"],
)
def test_a_secret_in_the_settings_is_not_shown(
    desk_at: Callable[[str, str], Desk], log: Callable[[], str], text: str
) -> None:
    desk = desk_at("salesforce", "client_credentials")
    desk.planted.add(PLANTED)
    (desk.folder / "portfolio.toml").write_text(text)
    night = desk.run(
        "sync", "--settings", "portfolio.toml", "--as-of", AS_OF, "--log", "json"
    )
    assert night.exit_code != 0
    desk.run("doctor", "salesforce", "--settings", "portfolio.toml")
    desk.search(log())


@pytest.mark.parametrize(
    ("crm", "variable"),
    [("salesforce", "SALESFORCE_INSTANCE_URL"), ("hubspot", "HUBSPOT_API_URL")],
)
@pytest.mark.parametrize(
    "url",
    [
        f"https://me:{PLANTED}@acme.my.salesforce.com",
        f"https://acme.my.salesforce.com/?token={PLANTED}",
        f"https://{PLANTED}@127.0.0.1:1",
        f"http://acme.example/{PLANTED}",
        f"http://127.0.0.1:1/#{PLANTED}",
    ],
)
def test_a_secret_in_an_address_is_not_shown(
    desk_at: Callable[[str, str], Desk],
    log: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    crm: str,
    variable: str,
    url: str,
) -> None:
    desk = desk_at(crm, {"salesforce": "client_credentials", "hubspot": "token"}[crm])
    desk.planted.add(PLANTED)
    monkeypatch.setenv(variable, url)
    assert desk.run("doctor", crm).exit_code != 0
    assert desk.run("pull", crm, "--to", "book", "--as-of", AS_OF).exit_code == 2
    desk.search(log())


def test_the_search_finds_a_secret_in_each_spelling(
    desk_at: Callable[[str, str], Desk],
) -> None:
    import base64
    from urllib.parse import quote

    secret = "s3cr+t/Key=öf mine"
    desk = desk_at("hubspot", "token")
    desk.planted.add(secret)
    raw = secret.encode()
    for text in (
        secret,
        quote(secret),
        base64.b64encode(b"user:" + raw).decode(),
        base64.b64encode(b"me:" + raw + b"!").decode(),
        base64.urlsafe_b64encode(raw).decode(),
    ):
        desk.said.append(f"before {text} behind")
        with pytest.raises(AssertionError):
            desk.search("")
        desk.said.clear()
    desk.search("")
