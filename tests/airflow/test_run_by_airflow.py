"""Does Airflow, the real one, run our nights as it runs all else?

`dags test` runs a whole DAG with its retries, on SQLite, against pretend CRMs over HTTP.
"""

from __future__ import annotations

import json
import os
import signal
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest
from shelves import BUCKET, LOGIN, S3Server, environment

from crm_portfolio import Archive, connect
from crm_portfolio.airflow._logins import _HUBSPOT, _SALESFORCE
from crm_portfolio.simulator import Fault, HubSpot, Salesforce
from crm_portfolio.writeback import Plan

PAGE = Path(__file__).parents[2] / "docs/how-to/schedule-with-airflow.md"
DAGS = Path(__file__).with_name("dags") / "ours.py"
DAY, AS_OF = "2026-07-01", "2026-06-30"
WRITE = "PATCH composite/sobjects"
SETTINGS = """
[sync]
crm = "{crm}"
[tiers]
method = "{method}"
[limits]
settle_seconds = 0
{more}
[{crm}.retry]
attempts = 1
first_wait_seconds = 0
"""


def of_salesforce(org: Salesforce, **other: str) -> dict[str, Any]:
    there = org.environment
    return {
        "conn_type": "crm_portfolio_salesforce",
        "host": there["SALESFORCE_INSTANCE_URL"],
        "extra": {
            "client_id": there["SALESFORCE_CLIENT_ID"],
            "client_secret": there["SALESFORCE_CLIENT_SECRET"],
            **other,
        },
    }


def of_hubspot(org: HubSpot, **other: str) -> dict[str, Any]:
    there = org.environment
    return {
        "conn_type": "crm_portfolio_hubspot",
        "host": there["HUBSPOT_API_URL"],
        "password": there["HUBSPOT_ACCESS_TOKEN"],
        **other,
    }


def named(name: str, connection: dict[str, Any]) -> dict[str, str]:
    """A connection as Airflow finds it in the environment."""
    return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(connection)}


@pytest.fixture
def settings(tmp_path: Path):
    def write(
        crm: str = "salesforce", more: str = "", method: str = "quantiles"
    ) -> Path:
        file = tmp_path / "portfolio.toml"
        text = SETTINGS.format(crm=crm, more=more, method=method)
        file.write_text(text, encoding="utf-8")
        return file

    return write


@pytest.fixture
def tested(airflow, settings):
    """`airflow dags test` of one of our DAGs, by the connection that it names."""

    def run(dag: str, org: Any, *, day: str = DAY, answer=None, **conf: Any):
        made = of_salesforce if isinstance(org, Salesforce) else of_hubspot
        crm = "salesforce" if isinstance(org, Salesforce) else "hubspot"
        own = {key: conf.pop(key) for key in ("more", "method") if key in conf}
        conf = {"settings": str(settings(crm, **own)), **conf}
        env = named("the_crm", conf.pop("connected", None) or made(org))
        env |= conf.pop("env", {})
        given = ("dags", "test", dag, day, "-c", json.dumps(conf))
        return airflow(*given, env=env, answer=answer)

    return run


def names_of(book) -> list[str]:
    return [n for n in book.tables["account"]["name"].to_pylist() if len(n) > 6]


def secrets_of(org: Any) -> list[str]:
    return [
        said
        for name, said in org.environment.items()
        if name.endswith(("SECRET", "TOKEN"))
    ]


def test_airflow_lists_our_provider_and_its_hooks(airflow) -> None:
    hooks = airflow("providers", "hooks", "-o", "plain").log
    for kind, hook in (("salesforce", "SalesforceHook"), ("hubspot", "HubSpotHook")):
        (line,) = [x for x in hooks.splitlines() if f"crm_portfolio_{kind}" in x]
        assert f"crm_portfolio.airflow.hooks.{hook}" in line
    assert "crm-portfolio" in airflow("providers", "list", "-o", "plain").log


def test_the_form_of_a_connection_hides_what_is_secret(airflow) -> None:
    asked = """
from airflow.providers_manager import ProvidersManager
info = ProvidersManager().providers["crm-portfolio"].data
answer = {
    kind["connection-type"]: [
        name for name, field in kind["conn-fields"].items()
        if field["schema"].get("format") == "password"
    ]
    for kind in info["connection-types"]
}
"""
    assert airflow.value(asked) == {
        "crm_portfolio_salesforce": [
            *("client_secret", "private_key", "access_token", "security_token")
        ],
        "crm_portfolio_hubspot": ["client_secret", "refresh_token"],
    }


@pytest.mark.parametrize("crm", ["salesforce", "hubspot"])
def test_a_connection_is_tested_by_reaching_its_org(airflow, orgs, crm: str) -> None:
    made = {"salesforce": of_salesforce, "hubspot": of_hubspot}[crm]
    good = airflow("connections", "test", "good", env=named("good", made(orgs[crm])))
    assert good.code == 0, good.log
    assert "Connection success" in good.log
    wrong = {"client_secret" if crm == "salesforce" else "password": "wr0ng-and-secret"}
    bad = airflow(
        "connections", "test", "bad", env=named("bad", made(orgs[crm], **wrong))
    )
    assert "Connection failed" in bad.log
    assert f"{crm}: " in bad.log
    assert "wr0ng-and-secret" not in bad.log


def test_a_connection_may_be_an_address_and_says_which_fields_it_lacks(
    airflow, hubspot: HubSpot
) -> None:
    token, host = (
        quote(hubspot.environment[f"HUBSPOT_{n}"], "")
        for n in ("ACCESS_TOKEN", "API_URL")
    )
    env = {"AIRFLOW_CONN_GOOD": f"crm-portfolio-hubspot://:{token}@{host}"}
    good = airflow("connections", "test", "good", env=env)
    assert good.code == 0, good.log
    env = {"AIRFLOW_CONN_BARE": "crm-portfolio-hubspot://"}
    bare = " ".join(airflow("connections", "test", "bare", env=env).log.split())
    assert "the connection 'bare'" in bare
    assert "password = HUBSPOT_ACCESS_TOKEN" in bare


def test_what_passes_is_tried_again_and_what_a_person_must_mend_is_not(airflow) -> None:
    asked = """
from pyarrow import table
from crm_portfolio import errors
from crm_portfolio.airflow._ending import guarded

GIVEN = {
    "FieldNotFoundError": ("salesforce", "account", "Tier__c"),
    "LimitExceededError": (("too much",), 3),
    "UnexpectedChangeError": ("run", (("tier", 1),)),
    "SchemaError": (table({"table": [], "column": []}),),
    "MendedFileError": ("file", ("a fault",)),
    "DamagedFileError": ("file", "cut", "restore it"),
}
TWO = ("MissingExtraError", "LockHeldError", "MissingTableError", "WrongOrgError")

def ended(error):
    def fail():
        raise error
    try:
        guarded(fail)
    except Exception as end:
        return type(end).__name__, str(end), repr(end.__cause__ or end.__context__)

answer = {"ValueError": ended(ValueError("Nomen-Clarum"))}
for name in errors.__all__:
    kind = getattr(errors, name)
    if isinstance(kind, type):
        is_of_crm = issubclass(kind, errors.ConnectorError)
        two = ("one", "two") if is_of_crm or name in TWO else ("one",)
        answer[name] = ended(kind(*GIVEN.get(name, two)))
"""
    ends = airflow.value(asked)
    assert len(ends) > 20
    again = {name for name, (kind, *_) in ends.items() if kind == "AirflowException"}
    assert again == {"TransientError", "LockHeldError", "ValueError"}
    rest = {kind for name, (kind, *_) in ends.items() if name not in again}
    assert rest == {"AirflowFailException"}
    # What caused an error may hold what the CRM sent; Airflow would log it.
    assert {cause for *_, cause in ends.values()} == {"None"}
    assert "Nomen-Clarum" not in ends["ValueError"][1]


def test_the_nightly_example_writes_a_night_and_tells_ids_counts_and_paths(
    airflow, tested, hubspot: HubSpot, book, tmp_path: Path
) -> None:
    said = tested("crm_portfolio_nightly", hubspot, connection="the_crm")
    assert said.code == 0, said.log
    assert airflow.states("crm_portfolio_nightly") == {"sync": ("success", 1)}
    told = airflow.xcom("crm_portfolio_nightly", "sync")
    assert told["as_of"] == AS_OF
    assert told["counts"] == {"written": told["changes"]}
    assert (told["accounts"], told["failed"], told["refusals"]) == (40, 0, [])
    assert told["archive"] == str(tmp_path / "archive")
    assert Archive(tmp_path / "archive").runs() == (told["run_id"],)
    assert len(json.dumps(told)) < 1000
    kept = (airflow.home / "airflow.db").read_bytes().decode("latin-1")
    for secret in secrets_of(hubspot):
        assert secret not in said.log
        assert secret not in kept
    assert not [n for n in names_of(book) if n in said.log or n in kept]
    assert tested("crm_portfolio_nightly", hubspot, connection="the_crm").code == 0
    assert airflow.xcom("crm_portfolio_nightly", "sync")["counts"] == {}


def test_the_page_has_dags_that_run_every_argument_and_every_fact(
    airflow, settings, hubspot: HubSpot
) -> None:
    found = airflow.value(
        "from airflow.dag_processing.dagbag import DagBag\n"
        f"bag = DagBag({str(airflow.home / 'dags')!r})\n"
        "answer = [bag.import_errors, sorted(bag.dags)]"
    )
    errors, dags = found
    assert not errors
    assert {"nightly", "with_approval", "all_orgs"} <= set(dags)
    settings("hubspot").rename(airflow.home / "portfolio.toml")
    said = airflow(
        "dags", "test", "nightly", DAY, env=named("crm", of_hubspot(hubspot))
    )
    assert said.code == 0, said.log
    facts = airflow.xcom("nightly", "sync")
    assert facts["archive"] == str(airflow.home / "archive")
    asked = """
import inspect
from crm_portfolio.airflow import ApplyOperator, PlanOperator, SyncOperator
answer = sorted({
    name
    for operator in (ApplyOperator, PlanOperator, SyncOperator)
    for kind in operator.__mro__ if "crm_portfolio" in kind.__module__
    for name, each in inspect.signature(kind.__init__).parameters.items()
    if each.kind == each.KEYWORD_ONLY and name != "task_id"
})
"""
    arguments = airflow.value(asked)
    assert "max_failed" in arguments
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in (*arguments, *facts) if f"`{name}`" not in page] == []


@pytest.mark.parametrize("login", ["jwt", "password", "client_credentials", "oauth"])
def test_airflow_masks_each_secret_of_a_connection_in_its_logs(
    airflow, orgs, login: str
) -> None:
    """`dags test` writes unmasked; a worker's log goes through what is asked here."""
    crm = "hubspot" if login == "oauth" else "salesforce"
    said = orgs[crm].environment_for(login)
    kind = f"crm_portfolio_{crm}"
    fields = _HUBSPOT if crm == "hubspot" else _SALESFORCE
    told = {field: said[name] for field, name in fields.items() if name in said}
    standard = {n: told.pop(n) for n in ("host", "login", "password") if n in told}
    connection = {"conn_type": kind, **standard, "extra": told}
    asked = """
from airflow.sdk.log import mask_logs
from crm_portfolio.airflow import CrmHook
from crm_portfolio.airflow._logins import described
found = described(CrmHook.get_connection("the_crm")).environment
CrmHook("the_crm").get_conn()
answer = {k: mask_logs(None, "info", {"event": v})["event"] for k, v in found.items()}
"""
    masked = airflow.value(asked, env=named("the_crm", connection))
    assert masked.keys() == said.keys()
    open_ones = {name for name, text in masked.items() if "***" not in text}
    assert open_ones == {
        name for name in said if name.endswith(("_URL", "_ID", "_USERNAME", "_DOMAIN"))
    }


def test_a_person_says_no_then_yes_between_the_plan_and_its_writing(
    airflow, tested, salesforce: Salesforce, book, tmp_path: Path
) -> None:
    dag = "crm_portfolio_approval"

    def asked(word: str, **form: int | None):
        told = {
            "chosen_options": [word],
            "params_input": {"accept_changes": None, **form},
        }
        return tested(dag, salesforce, connection="the_crm", answer=(dag, told))

    before = salesforce.snapshot("Account")
    said = asked("Reject")
    assert said.code == 0, said.log
    assert airflow.states(dag)["apply"] == ("skipped", 0)
    assert salesforce.snapshot("Account") == before
    planned = airflow.xcom(dag, "plan")
    ((subject, body),) = airflow.rows("SELECT subject, body FROM hitl_detail")
    assert f"Write {planned['changes']} changes into salesforce org" in subject
    shown = body.split("```")[1].removeprefix("text\n")
    assert shown.split() == planned["summary"].split()
    assert max(map(len, shown.splitlines())) <= 88  # the page breaks no line
    assert "tier: 40 filled for the first time" in body
    assert not [name for name in names_of(book) if name in body]
    said = asked("Approve")
    assert said.code == 0, said.log
    assert airflow.states(dag)["apply"] == ("success", 1)
    told = airflow.xcom(dag, "apply")
    assert told["counts"] == {"written": told["changes"]}
    assert told["run_id"] == airflow.xcom(dag, "plan")["plan_id"]
    assert salesforce.snapshot("Account") != before
    quiet = tested(dag, salesforce, connection="the_crm")
    assert quiet.code == 0, quiet.log
    assert airflow.states(dag)["approve"][0] == "skipped"


def test_tasks_that_call_the_library_take_the_stock_connection_of_airflow(
    airflow, tested, salesforce: Salesforce, tmp_path: Path
) -> None:
    there = salesforce.environment_for("jwt")
    stock = {
        "conn_type": "salesforce",
        "login": there["SALESFORCE_USERNAME"],
        "extra": {
            "extra__salesforce__consumer_key": there["SALESFORCE_CLIENT_ID"],
            "private_key": there["SALESFORCE_PRIVATE_KEY"],
            "instance_url": there["SALESFORCE_INSTANCE_URL"],
            "domain": there.get("SALESFORCE_DOMAIN", ""),
        },
    }
    dag = "crm_portfolio_taskflow"
    said = tested(
        dag,
        salesforce,
        connected=stock,
        connection="the_crm",
        folder=str(tmp_path / "weekly"),
    )
    assert said.code == 0, said.log
    told = airflow.xcom(dag, "analysed")
    assert sum(told["tiers"].values()) == 40
    saved = Path(told["file"]).read_text(encoding="utf-8")
    assert all(each in saved for each in salesforce.ids("account").values())
    assert there["SALESFORCE_PRIVATE_KEY"].splitlines()[1] not in said.log


def test_a_rejected_account_fails_the_task_at_once_unless_it_is_tolerated(
    airflow, tested, salesforce: Salesforce
) -> None:
    salesforce.change_field(
        "Account", "Portfolio_Tier__c", values=("A", "B", "C", "new", "none")
    )
    said = tested("night_half", salesforce)
    assert said.code == 0, said.log
    told = airflow.xcom("night_half", "sync")
    assert (told["accounts"], told["failed"]) == (40, 5)
    assert told["counts"]["rejected"] > 0
    said = tested("night_one", salesforce)
    assert "5 of 5 accounts failed, and max_failed is 1" in said.log
    assert airflow.states("night_one") == {"sync": ("failed", 1)}


def test_a_crm_out_of_reach_is_tried_again(
    airflow, tested, salesforce: Salesforce
) -> None:
    calls = sum(salesforce.calls.values())
    salesforce.fault(Fault(calls + 1, "unavailable"))
    said = tested("night", salesforce)
    assert said.code == 0, said.log
    assert "TransientError" in said.log
    assert airflow.states("night") == {"sync": ("success", 2)}


def test_an_org_in_the_hands_of_another_run_is_tried_again(
    airflow, tested, salesforce: Salesforce, tmp_path: Path
) -> None:
    org = connect("salesforce", environment=salesforce.environment).org()
    with Archive(tmp_path / "archive").lock(org, "another"):
        said = tested("night", salesforce)
    assert "LockHeldError" in said.log
    assert airflow.states("night") == {"sync": ("failed", 2)}


def test_what_only_a_person_can_mend_is_not_tried_again(
    airflow, tested, salesforce: Salesforce
) -> None:
    connected = of_salesforce(salesforce, client_secret="wr0ng-and-secret")
    said = tested("night", salesforce, connected=connected)
    assert "LoginError" in said.log
    assert "wr0ng-and-secret" not in said.log
    assert airflow.states("night") == {"sync": ("failed", 1)}
    said = tested("night", salesforce, day="2099-01-02")
    assert "as of 2099-01-01: that day is still ahead" in said.log
    assert airflow.states("night") == {"sync": ("failed", 1)}


def test_a_refused_plan_is_kept_and_written_when_its_changes_are_accepted(
    airflow, tested, salesforce: Salesforce, tmp_path: Path
) -> None:
    assert tested("night", salesforce).code == 0
    before = salesforce.snapshot("Account")
    otherwise = {"method": "slices", "more": "max_share = 0\nmin_changes = 0"}
    said = tested("night", salesforce, **otherwise)
    assert airflow.states("night") == {"sync": ("failed", 1)}
    assert salesforce.snapshot("Account") == before
    (kept,) = (tmp_path / "archive" / "kept").iterdir()
    assert str(kept) in said.log
    count = len(Plan.load(kept).changes)
    assert f"accept_changes={count} writes it" in said.log
    assert tested("release", salesforce, plan=str(kept)).code == 1
    assert airflow.states("release") == {"apply": ("failed", 1)}
    said = tested("release", salesforce, plan=str(kept), accept_changes=count)
    assert said.code == 0, said.log
    assert airflow.xcom("release", "apply")["counts"] == {"written": count}


def test_a_plan_made_by_one_worker_and_its_journal_may_lie_in_a_store(
    airflow,
    tested,
    salesforce: Salesforce,
    tmp_path: Path,
    tmp_path_factory,
    monkeypatch,
) -> None:
    with S3Server.started(tmp_path_factory.mktemp("s3")) as server:
        there = environment(server.port)
        address = f"s3://{BUCKET}/crm"
        said = tested("two_steps", salesforce, archive=address, env=there)
        assert said.code == 0, said.log
        planned = airflow.xcom("two_steps", "plan")
        assert planned["plan_file"] == f"{address}/kept/{planned['plan_id']}.jsonl"
        told = airflow.xcom("two_steps", "apply")
        assert (told["archive"], told["failed"]) == (address, 0)
        for name, value in there.items():
            monkeypatch.setenv(name, value)
        assert Archive(address).journal(told["run_id"]).counts == told["counts"]
        assert LOGIN["AWS_SECRET_ACCESS_KEY"] not in said.log
    assert not (tmp_path / "archive").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM")
@pytest.mark.parametrize(("dag", "task"), [("two_steps", "apply"), ("night", "sync")])
def test_a_task_killed_amid_its_writing_closes_its_journal_and_its_retry_goes_on(
    airflow, settings, salesforce: Salesforce, tmp_path: Path, dag: str, task: str
) -> None:
    writes = salesforce.calls.get(WRITE, 0)
    salesforce.fault(Fault(writes + 1, "slow", route=WRITE, seconds=1))
    conf = json.dumps({"settings": str(settings())})
    env = named("the_crm", of_salesforce(salesforce))
    airflow.begin({"run": ["dags", "test", dag, DAY, "-c", conf], "env": env})
    ends = time.monotonic() + 120
    while salesforce.calls.get(WRITE, 0) == writes:
        assert time.monotonic() < ends
        time.sleep(0.01)
    airflow.process.send_signal(signal.SIGTERM)
    found, log = airflow.end()
    assert found == {"code": 0}, log
    assert "interrupted (stopped). Another try of this task goes on" in log
    assert airflow.states(dag)[task] == ("success", 2)
    archive = Archive(tmp_path / "archive")
    sent = [
        (change[0], change[1])
        for run in archive.runs()
        for segment in archive.segments(run)
        if segment.kind == "intent"
        for change in segment.content["send"]
    ]
    assert len({record for record, _ in sent}) == 40
    assert len(sent) == len(set(sent))


def test_the_last_day_over_is_one_of_the_dags_time_zone(airflow) -> None:
    said = airflow("dags", "test", "which_day", "2026-07-01T20:00:00+00:00")
    assert said.code == 0, said.log
    # Five in the morning of July 2 in Tokyo: the night before ended at two.
    assert airflow.xcom("which_day", "said") == {"as_of": "2026-07-01"}


def test_a_run_without_a_logical_date_has_a_last_day_too(airflow) -> None:
    def yesterday() -> str:
        today = datetime.now(ZoneInfo("Asia/Tokyo")).date()  # noqa: TID251 - as Airflow does
        return (today - timedelta(days=1)).isoformat()

    days = {yesterday()}
    airflow.value(
        f"import runpy\ndag = runpy.run_path({str(DAGS)!r})['made']\n"
        "answer = str(dag.test(logical_date=None).state)"
    )
    days.add(yesterday())
    assert airflow.xcom("which_day", "said")["as_of"] in days


def test_what_does_not_fit_together_is_said_before_anything_is_asked_of_a_crm(
    airflow, tmp_path: Path
) -> None:
    file = tmp_path / "portfolio.toml"
    file.write_text('[orgs.europe]\ncrm = "hubspot"\n[orgs.asia]\ncrm = "hubspot"\n')
    asked = f"""
from crm_portfolio import Settings
from crm_portfolio.airflow import CrmHook, SyncOperator

def said(call):
    try:
        call()
    except Exception as error:
        return str(error)

def night(**more):
    return SyncOperator(
        task_id="sync", settings={str(file)!r}, crm_conn_id="the_crm", **more
    )

europe = Settings.load({str(file)!r}, org="europe")
answer = [
    said(lambda: night()._chosen()),
    said(lambda: night(org="europe")._chosen()),
    said(lambda: CrmHook("the_crm", settings=europe).get_conn()),
    said(lambda: night(max_failed=1.5)),
    said(lambda: night(max_failed=-1)),
]
"""
    env = named("the_crm", {"conn_type": "crm_portfolio_salesforce"})
    which, fine, other, share, count = airflow.value(asked, env=env)
    assert which == ("which org? portfolio.toml has europe, asia: name one with org=")
    assert fine is None
    assert "reaches salesforce, the settings say hubspot" in other
    assert "a share from 0.0 to 1.0, not 1.5" in share
    assert "not -1" in count
