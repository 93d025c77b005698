"""Does the nightly job do all of its work, and only its work, for every org it is given?"""

from __future__ import annotations

import json
import os
import re
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from crm_portfolio import connect, setup
from crm_portfolio.cli._run import gravest
from crm_portfolio.simulator import Fault, Salesforce

AS_OF = "2026-06-30"
NIGHT = """
[sync]
crm = "salesforce"
folder = "books/only"
summary = "status"

[tiers]
method = "quantiles"

[salesforce.retry]
attempts = 1
first_wait_seconds = 0
"""
TIGHT = NIGHT + "[limits]\nmax_share = 0.0\nmin_changes = 0\n"


@pytest.fixture
def night(ready, shell, settings_file):
    """A night at the one org of these settings."""

    def spend(*more: object, text: str = NIGHT):
        file = settings_file(text)
        return shell("sync", *more, "--settings", file, "--as-of", AS_OF)

    return spend


def events(result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stderr.splitlines() if line[0] == "{"]


def event(result, name: str) -> dict[str, object]:
    (found,) = [each for each in events(result) if each["event"] == name]
    return found


def status(tmp_path: Path, name: str = "sync") -> dict[str, object]:
    found: dict[str, object] = json.loads(
        (tmp_path / "status" / f"{name}.json").read_text()
    )
    return found


class TestOneOrg:
    def test_who_watches_sees_rate_and_remaining_calls_and_analyses(self, night, ready):
        told = night("-v")
        assert told.exit_code == 0, told.stderr
        for step in ("calls", "analyses"):
            assert re.search(rf"^{step}: (\d+) of \1, ", told.stderr, re.M), step
        assert re.search(r"^apply: \d+ of \d+, [\d,]+/(s|min)", told.stderr, re.M)

    def test_a_night_writes_and_the_next_one_writes_nothing(self, night, ready):
        first = night("--log", "json")
        assert first.exit_code == 0, first.stderr
        assert event(first, "applied")["counts"]["written"] > 60
        assert event(first, "ended")["plan_id"] == event(first, "planned")["plan_id"]
        held = ready.snapshot()
        second = night("--log", "json")
        assert second.exit_code == 0
        assert event(second, "planned")["changes"] == 0
        assert not [each for each in events(second) if each["event"] == "applied"]
        assert ready.snapshot() == held

    def test_the_next_night_asks_only_for_what_changed(self, night, ready):
        night()
        ready.calls.clear()
        second = night("--log", "json")
        assert event(second, "pulled")["notes"] == 0
        assert "queryAll" in str(ready.calls)  # who was deleted is asked of increments

    def test_paths_are_those_of_the_settings_file(self, night, tmp_path):
        night()
        assert (tmp_path / "books" / "only" / "portfolio.json").is_file()
        assert (tmp_path / "archive" / "runs").is_dir()

    def test_a_dry_run_reaches_the_crm_by_what_cannot_write(self, night, ready):
        before = ready.snapshot()
        result = night("--dry-run", "--log", "json")
        assert result.exit_code == 0, result.stderr
        assert event(result, "planned")["changes"] > 60
        assert ready.snapshot() == before

    def test_a_dry_run_keeps_the_plan_and_says_how_to_write_it(
        self, night, shell, tmp_path, ready
    ):
        result = night("--dry-run")
        (kept,) = (tmp_path / "archive" / "kept").glob("*.jsonl")
        assert str(kept) in result.stderr.replace("\n", "")
        done = shell("apply", kept, "--archive", tmp_path / "archive")
        assert done.exit_code == 0, done.stderr

    def test_a_plan_beyond_its_limits_is_kept_and_can_be_released(
        self, night, shell, ready, tmp_path
    ):
        night()
        for place, record_id in enumerate([*ready.ids("opportunity").values()][:40]):
            amount = {"Amount": 900_000 + place, "CloseDate": "2026-05-15"}
            ready.edit("Opportunity", record_id, {"StageName": "Closed Won", **amount})
        result = night("--log", "json", text=TIGHT)
        assert result.exit_code == 4, result.stderr
        count = event(result, "planned")["changes"]
        (kept,) = (tmp_path / "archive" / "kept").glob("*.jsonl")
        release = ("apply", kept, "--archive", tmp_path / "archive")
        assert shell(*release, "--accept-changes", int(count) + 1).exit_code == 4
        assert shell(*release, "--accept-changes", count).exit_code == 0
        assert status(tmp_path)["exit_code"] == 4

    def test_a_spent_quota_is_transient_and_the_next_night_finishes(self, night, ready):
        ready.fault(Fault(at_call=ready.api_calls + 6, kind="over_quota"))
        result = night("--log", "json")
        assert result.exit_code == 5
        assert event(result, "failed")["exit_code"] == 5
        assert night().exit_code == 0

    def test_a_run_that_holds_the_org_makes_the_other_one_leave(
        self, night, ready, tmp_path
    ):
        from crm_portfolio import Archive, connect

        org = connect("salesforce").org()
        with Archive(tmp_path / "archive").lock(org, "someone"):
            result = night("--log", "json")
        assert result.exit_code == 6
        assert event(result, "failed")["error"] == "LockHeldError"

    def test_analyses_that_assign_nothing_are_an_error(self, night, ready):
        text = NIGHT.replace("[sync]", '[sync]\nanalyses = ["tiesr"]')
        result = night(text=text)
        assert result.exit_code == 2
        assert "did you mean 'tiers'" in result.stderr

    def test_settings_that_name_no_crm_are_an_error(self, shell, settings_file):
        result = shell("sync", "--settings", settings_file(""), "--as-of", AS_OF)
        assert result.exit_code == 2
        assert "crm =" in result.stderr

    def test_what_people_did_is_told_on_a_quiet_night_too(self, night, ready, tmp_path):
        night()
        record_id = ready.ids("account")["A0000007"]
        ready.edit("Account", record_id, {"Portfolio_Tier__c": "D"})
        result = night()
        assert f"{record_id}: edited by a person" in result.stderr
        assert status(tmp_path)["edited"] == [record_id]

    def test_what_nobody_expected_has_its_own_line_and_code(self, night, tmp_path):
        (tmp_path / "books").write_text("a file where a folder should be")
        result = night("--log", "json")
        assert result.exit_code in (1, 2)
        assert all(line.startswith("{") for line in result.stderr.splitlines())
        assert status(tmp_path)["exit_code"] == result.exit_code


class TestSeveralOrgs:
    ORGS = NIGHT + '[orgs.west]\nenvironment = "WEST_"\n[orgs.east]\n'

    @pytest.fixture
    def west(self, ready, monkeypatch):
        for name, value in ready.environment.items():
            monkeypatch.setenv(f"WEST_{name}", value)
        return ready

    def test_each_named_org_has_its_night(
        self, west, night, tmp_path, book, monkeypatch
    ):
        text = self.ORGS.replace('folder = "books/only"\n', "").replace(
            "[orgs.east]\n",
            '[orgs.east]\nfolder = "books/east"\nenvironment = "EAST_"\n',
        )
        with Salesforce(book.tables, currency="EUR", is_sandbox=False) as east:
            setup(connect("salesforce", environment=east.environment), dry_run=False)
            for name, value in east.environment.items():
                monkeypatch.setenv(f"EAST_{name}", value)
            before = west.snapshot(), east.snapshot()
            result = night("west", "east", "--log", "json", text=text)
            assert before[0] != west.snapshot()
            assert before[1] != east.snapshot()
        assert result.exit_code == 0, result.stderr
        assert [e["name"] for e in events(result) if e["event"] == "ended"] == [
            "west",
            "east",
        ]
        assert status(tmp_path, "west")["plan_id"]
        assert status(tmp_path, "east")["counts"]["written"] > 60

    @pytest.mark.parametrize("log", ["json", "text"])
    def test_two_names_of_one_org_have_one_night(self, west, night, tmp_path, log):
        result = night("west", "east", "--log", log, text=self.ORGS)
        assert result.exit_code == 2
        said = " ".join(result.stderr.split())
        assert "[orgs.east] reaches salesforce org 00D" in said
        assert "so does [orgs.west]" in said
        west_told, east_told = status(tmp_path, "west"), status(tmp_path, "east")
        assert (west_told["exit_code"], east_told["exit_code"]) == (0, 2)
        assert east_told["error"] == "SettingsError"
        assert not (tmp_path / "books" / "only" / "east").exists()
        if log == "json":
            told = [e["event"] for e in events(result) if e["name"] == "east"]
            assert told == ["failed"]

    def test_the_org_of_a_night_that_failed_is_not_visited_by_its_other_name(
        self, west, night, ready, tmp_path
    ):
        ready.fault(Fault(at_call=ready.api_calls + 6, kind="over_quota"))
        result = night("west", "east", "--log", "json", text=self.ORGS)
        codes = [status(tmp_path, name)["exit_code"] for name in ("west", "east")]
        assert (codes, result.exit_code) == ([5, 2], 2)

    def test_an_org_that_fails_does_not_stop_the_others(
        self, west, night, monkeypatch, tmp_path
    ):
        monkeypatch.setenv("WEST_SALESFORCE_CLIENT_SECRET", "wrong")
        result = night("--all", "--log", "json", text=self.ORGS)
        assert result.exit_code == 2
        assert event(result, "failed")["name"] == "west"
        assert event(result, "ended")["name"] == "east"
        assert (
            "wrong" not in result.stderr + (tmp_path / "status/west.json").read_text()
        )

    @pytest.mark.parametrize(
        ("more", "said"),
        [
            ((), "nothing is chosen"),
            (("nroth",), "no org"),
            (("west", "--all"), "--all"),
        ],
    )
    def test_who_chooses_nothing_or_nobody_is_told(self, night, more, said):
        result = night(*more, text=self.ORGS)
        assert result.exit_code == 2
        assert said in result.stderr


def test_a_log_of_json_holds_no_name_no_value_and_no_secret(night, ready):
    result = night("--log", "json")
    said = result.stderr
    assert all(line.startswith("{") for line in said.splitlines())
    for secret in os.environ.get("SALESFORCE_CLIENT_SECRET", "?"), "Bearer":
        assert secret not in said
    ids = ready.ids("account").values()
    names = [ready.record("Account", each)["Name"] for each in ids]
    assert not [name for name in names if name in said]


def test_without_a_day_the_last_one_that_is_over_is_taken(ready, shell, settings_file):
    zone = NIGHT.replace("[sync]", 'time_zone = "Pacific/Kiritimati"\n[sync]', 1)
    file = settings_file(zone)
    result = shell("sync", "--settings", file, "--dry-run", "--log", "json")
    assert result.exit_code == 0, result.stderr
    there = datetime.now(ZoneInfo("Pacific/Kiritimati")).date()  # noqa: TID251 - now
    told = date.fromisoformat(str(event(result, "started")["as_of"]))
    assert there - told in (timedelta(days=1), timedelta(days=2))


def test_the_gravest_code_is_the_one_a_person_must_see_to_first():
    assert gravest([]) == gravest([0, 0]) == 0
    order = [143, 130, 1, 7, 2, 4, 6, 5, 3, 0]
    for place, code in enumerate(order):
        assert gravest(order[place:][::-1]) == code
