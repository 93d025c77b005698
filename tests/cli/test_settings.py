"""Are settings written, checked and explained from the command line?"""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest

from crm_portfolio import samples
from crm_portfolio.portfolio import Calendar
from crm_portfolio.settings import Settings, SyncSettings
from crm_portfolio.simulator import HubSpot, Salesforce

AS_OF = "2026-06-30"


def loaded(file: Path) -> Settings:
    return Settings.load(file)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def pulled(here: Path) -> Path:
    samples.firm().save(here / "book")
    return here / "book"


class TestInit:
    def test_it_writes_a_file_that_changes_nothing(self, shell, here: Path) -> None:
        result = shell("settings", "init")
        assert result.exit_code == 0, result.stderr
        assert result.stdout == ""
        found = attrs.evolve(loaded(here / "portfolio.toml"), sync=SyncSettings())
        assert found == Settings()
        assert shell("settings", "check").exit_code == 0

    def test_a_file_that_is_there_is_left_alone(self, shell, here: Path) -> None:
        file = here / "mine.toml"
        file.write_text("currency = 'USD'", encoding="utf-8")
        result = shell("settings", "init", "mine.toml")
        assert result.exit_code == 2
        assert "--force" in result.stderr
        assert file.read_text(encoding="utf-8") == "currency = 'USD'"
        assert shell("settings", "init", "mine.toml", "--force").exit_code == 0
        assert loaded(file).currency is None

    def test_a_dash_is_stdout(self, shell, here: Path) -> None:
        result = shell("settings", "init", "-")
        assert "\n[limits]\n" in result.stdout
        assert list(here.iterdir()) == []

    def test_a_folder_fills_in_what_it_shows(self, shell, pulled: Path) -> None:
        result = shell("settings", "init", "--folder", pulled)
        assert result.exit_code == 0, result.stderr
        file = pulled.parent / "portfolio.toml"
        assert loaded(file).currency == "EUR"
        text = " ".join(file.read_text(encoding="utf-8").replace("#", " ").split())
        assert "It cannot be made of" in text
        assert "it needs invoice." in text
        checked = shell("settings", "check", "--folder", pulled)
        assert (checked.exit_code, checked.stdout) == (0, "")

    def test_editors_find_a_schema_that_lies_beside(self, shell, here: Path) -> None:
        schema = shell("settings", "schema").stdout
        (here / "portfolio.schema.json").write_text(schema, encoding="utf-8")
        shell("settings", "init")
        text = (here / "portfolio.toml").read_text(encoding="utf-8")
        assert text.startswith("#:schema ./portfolio.schema.json\n")

    def test_one_of_folder_and_crm_is_looked_at(self, shell, pulled: Path) -> None:
        both = ("--folder", pulled, "--crm", "salesforce")
        assert shell("settings", "init", *both).exit_code == 2


@pytest.fixture(scope="module")
def pretend(book: samples.Book):
    """A pretend Salesforce with fields of its own."""
    text = {"type": "Text", "length": 80}
    fields = {
        "Opportunity.Main_Competitor__c": {**text, "label": "Main Competitor"},
        "Opportunity.Colour__c": {**text, "label": "Colour"},
    }
    with Salesforce(
        book.tables, currency="EUR", time_zone="Europe/Paris", fields=fields
    ) as org:
        yield org


class TestInitFromSalesforce:
    def test_it_fills_in_what_the_org_shows(
        self, shell, here: Path, pretend: Salesforce, monkeypatch
    ) -> None:
        for name, value in pretend.environment.items():
            monkeypatch.setenv(name, value)
        before = pretend.snapshot("Account")
        result = shell("settings", "init", "--crm", "salesforce")
        assert result.exit_code == 0, result.stderr
        assert pretend.snapshot("Account") == before
        file = here / "portfolio.toml"
        found = loaded(file)
        sync = SyncSettings(crm="salesforce", org_id=pretend.org_id).beside(file)
        assert found == attrs.evolve(
            Settings(),
            currency="EUR",
            calendar=Calendar("Europe/Paris"),
            sync=sync,
        )
        text = file.read_text(encoding="utf-8")
        assert '#competitor = "Main_Competitor__c"  # "Main Competitor", ' in text
        assert "Colour__c" in text
        assert "Stages of the pipeline" in text
        assert "Portfolio_" not in text
        secrets = [v for n, v in pretend.environment.items() if "URL" not in n]
        assert not [secret for secret in secrets if secret in text]

    def test_a_proposal_taken_is_found_by_the_check(
        self, shell, here: Path, pretend: Salesforce, monkeypatch, settings_file
    ) -> None:
        for name, value in pretend.environment.items():
            monkeypatch.setenv(name, value)
        table = "[salesforce.fields.opportunity]\n"
        good = settings_file(f'{table}competitor = "Main_Competitor__c"\n')
        result = shell("settings", "check", good, "--crm", "salesforce")
        assert (result.exit_code, result.stdout) == (0, "")
        bad = settings_file(f'{table}competitor = "Main_Competitors__c"\n')
        result = shell(
            "settings", "check", bad, "--crm", "salesforce", "--output", "json"
        )
        assert result.exit_code == 2
        (remark,) = json.loads(result.stdout)["remarks"]
        assert remark["key"] == "salesforce.fields.opportunity.competitor"
        assert remark["line"] == 2
        assert "Main_Competitors__c" in remark["said"]


class TestInitFromHubSpot:
    def test_it_fills_in_what_the_portal_shows(
        self, shell, here: Path, book: samples.Book, monkeypatch
    ) -> None:
        with HubSpot(book.tables, currency="EUR") as portal:
            for name, value in portal.environment.items():
                monkeypatch.setenv(name, value)
            result = shell("settings", "init", "--crm", "hubspot")
            assert result.exit_code == 0, result.stderr
            checked = shell("settings", "check", "--crm", "hubspot")
            assert checked.exit_code == 0, checked.stdout
            found = loaded(here / "portfolio.toml")
            assert found.currency == "EUR"
            assert found.sync.crm == "hubspot"
            assert found.sync.org_id == str(portal.portal_id)
            text = (here / "portfolio.toml").read_text(encoding="utf-8")
            assert "Stages of the pipeline" in text
            tokens = [v for n, v in portal.environment.items() if "URL" not in n]
            assert not [token for token in tokens if token in text]

    def test_without_a_login_the_way_in_is_told(self, shell, here: Path) -> None:
        result = shell("settings", "init", "--crm", "hubspot")
        assert result.exit_code == 2
        assert "HUBSPOT_ACCESS_TOKEN" in result.stderr
        assert list(here.iterdir()) == []


class TestCheck:
    def test_all_that_is_wrong_is_told_by_line(self, shell, settings_file) -> None:
        file = settings_file("[limits]\nmax_shar = 1\nmax_age_hours = '1'\n")
        result = shell("settings", "check", file)
        assert result.exit_code == 2
        told = " ".join(result.stdout.split())
        assert "fault portfolio.toml:2 [limits] max_shar is no setting" in told
        assert "did you mean 'max_share'?" in told
        assert "fault portfolio.toml:3 [limits] max_age_hours: this must be" in told
        assert "2 fault(s), 0 odd" in result.stderr

    def test_a_program_reads_the_same(self, shell, settings_file) -> None:
        file = settings_file("[hubspot]\nat_once = 4\n")
        result = shell("settings", "check", file, "--output", "json")
        assert result.exit_code == 0
        said = json.loads(result.stdout)
        assert said["is_good"] is True
        (remark,) = said["remarks"]
        assert (remark["state"], remark["key"], remark["line"]) == ("odd", "hubspot", 1)

    def test_the_file_may_be_named_by_the_environment(
        self, shell, settings_file, monkeypatch
    ) -> None:
        file = settings_file("curency = 'EUR'")
        monkeypatch.setenv("CRM_PORTFOLIO_SETTINGS", str(file))
        assert shell("settings", "check").exit_code == 2

    def test_a_file_that_is_not_there_is_named(self, shell, here: Path) -> None:
        result = shell("settings", "check")
        assert result.exit_code == 2
        assert "portfolio.toml" in result.stderr


class TestWhere:
    def test_the_source_of_a_value_is_told(self, shell, settings_file) -> None:
        file = settings_file("[limits]\nmax_share = 0.3\n")
        result = shell("settings", "where", "limits.max_share", "--settings", file)
        assert result.exit_code == 0
        assert result.stdout == "limits.max_share = 0.3  ([limits], line 2)\n"
        assert "named by --settings" in result.stderr

    def test_what_goes_before_the_file_is_told(
        self, shell, settings_file, monkeypatch
    ) -> None:
        file = settings_file("currency = 'EUR'\n")
        monkeypatch.setenv("CRM_PORTFOLIO_SETTINGS", str(file))
        result = shell("settings", "where", "--output", "json")
        said = json.loads(result.stdout)
        assert said["named_by"] == "CRM_PORTFOLIO_SETTINGS"
        assert said["settings"] == [
            {
                "key": "currency",
                "value": '"EUR"',
                "source": "file",
                "table": "",
                "line": 1,
                "overruled_by": "pull --currency",
            }
        ]

    def test_of_one_org_its_own_table_is_told(self, shell, settings_file) -> None:
        file = settings_file("[orgs.west]\ncrm = 'hubspot'\n")
        asked = ("settings", "where", "sync.crm", "--settings", file, "--org", "west")
        assert "the org's own, [orgs.west], line 2" in shell(*asked).stdout

    def test_a_key_that_is_none_is_a_fault(self, shell) -> None:
        result = shell("settings", "where", "max_shar")
        assert result.exit_code == 2
        assert "did you mean 'max_share'" in result.stderr


@pytest.mark.parametrize("command", ["init", "check", "where", "schema"])
def test_each_teaches_by_an_example(shell, command: str) -> None:
    result = shell("settings", command, "--help")
    assert f"crm-portfolio settings {command}" in result.stdout
    assert "[[" not in result.stdout


def test_the_schema_is_one_json_object(shell) -> None:
    assert json.loads(shell("settings", "schema").stdout)["title"] == "portfolio.toml"
