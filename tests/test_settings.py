"""Does one file fill all settings, and does it say everything that is wrong with it?"""

from __future__ import annotations

import pickle
import sys
from datetime import date
from pathlib import Path
from subprocess import run

import attrs
import pytest

from crm_portfolio import analyse, samples
from crm_portfolio.analysis import (
    Abc,
    Bands,
    NaturalBreaks,
    Potential,
    PotentialWeights,
    Quantiles,
    Scenario,
    ServiceLevel,
    Slices,
    Stability,
)
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Calendar, Period
from crm_portfolio.settings import Settings, SyncSettings


@pytest.fixture
def load(tmp_path: Path):
    def loaded(text: str) -> Settings:
        file = tmp_path / "portfolio.toml"
        file.write_text(text, encoding="utf-8")
        return Settings.load(file)

    return loaded


@pytest.fixture
def refused(load):
    def message(text: str) -> str:
        with pytest.raises(SettingsError) as caught:
            load(text)
        return str(caught.value)

    return message


ORGS = """
[limits]
max_share = 0.3
[sync]
crm = "salesforce"
archive = "runs"
[orgs.east]
[orgs.west]
crm = "hubspot"
environment = "WEST_"
[orgs.west.limits]
max_emptied = 1
"""


class TestSeveralOrgs:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        file = tmp_path / "portfolio.toml"
        file.write_text(ORGS, encoding="utf-8")
        return file

    def test_what_stands_with_an_org_lies_over_the_rest(self, file: Path) -> None:
        west = Settings.load(file, org="west")
        assert (west.sync.org, west.sync.crm) == ("west", "hubspot")
        assert (west.limits.max_share, west.limits.max_emptied) == (0.3, 1)
        assert west.sync.archive == str(file.parent / "runs")

    def test_the_other_org_does_not_see_it(self, file: Path) -> None:
        east = Settings.load(file, org="east")
        assert (east.sync.crm, east.sync.environment) == ("salesforce", "")
        assert east.limits.max_emptied == Settings().limits.max_emptied

    def test_they_are_listed_in_the_order_of_the_file(self, file: Path) -> None:
        assert Settings.orgs(file) == ("east", "west")

    def test_an_org_that_is_not_there_is_told_with_its_neighbour(
        self, file: Path
    ) -> None:
        with pytest.raises(SettingsError, match="did you mean 'west'"):
            Settings.load(file, org="wets")

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("orgs = 3", "one table for each org"),
            ('[orgs]\neast = "salesforce"', "one table for each org"),
            ('[orgs."../x"]', "letters, digits"),
        ],
    )
    def test_what_is_no_table_of_orgs_is_refused(self, refused, text, said) -> None:
        assert said in refused(text)

    def test_an_address_is_no_folder(self, refused) -> None:
        said = refused('[sync]\nfolder = "ftp://me:secret@host/x"')
        assert "sync.folder is a folder of this machine" in said
        assert "secret" not in said

    def test_an_archive_may_be_at_an_address_without_a_login(
        self, load, refused
    ) -> None:
        for address in ("s3://bucket/crm", "memory://a/b"):
            told = load(f'[sync]\narchive = "{address}"')
            assert told.sync.archive == address
        said = refused('[sync]\narchive = "s3://key:secret@bucket/crm"')
        assert "must not hold a login" in said
        assert "secret" not in said
        assert "key:" not in said

    def test_a_key_that_is_none_is_refused_in_an_org_too(self, file: Path) -> None:
        file.write_text(ORGS + "max_emtied = 2\n", encoding="utf-8")
        with pytest.raises(SettingsError, match="did you mean 'max_emptied'"):
            Settings.load(file, org="west")


class TestWhatAFileSays:
    def test_an_empty_file_is_the_defaults(self, load) -> None:
        found = load("")
        assert attrs.evolve(found, sync=SyncSettings()) == Settings()

    def test_every_layer_gets_its_own(self, load) -> None:
        settings = load(
            """
            currency = "EUR"
            time_zone = "Europe/Paris"
            year_starts = 7
            language = "fr"
            [concentration]
            major_share = 0.15
            [limits]
            max_share = 0.3
            max_share_by_field = { tier = 0.1 }
            [policy]
            edited = "overwrite"
            [salesforce]
            timeout = [5, 30]
            [salesforce.fields.opportunity]
            kind = "Deal_Kind__c"
            amount = { field = "Net__c", as = "number" }
            [files]
            decimal = ","
            stages = { "Gagné" = "won" }
            """
        )
        assert settings.currency == "EUR"
        assert settings.calendar == Calendar("Europe/Paris", 7)
        assert settings.language == "fr"
        assert settings.concentration.major_share == 0.15
        assert settings.limits.max_share == 0.3
        assert settings.limits.share_of("tier") == 0.1
        assert settings.policy.edited == "overwrite"
        assert settings.salesforce.timeout == (5.0, 30.0)
        assert settings.salesforce.fields["opportunity"] == {
            "kind": "Deal_Kind__c",
            "amount": {"field": "Net__c", "as": "number"},
        }
        assert settings.files.decimal == ","
        assert settings.files.stages == {"Gagné": "won"}

    def test_without_a_time_zone_the_orgs_own_stands(self, load) -> None:
        assert load('currency = "EUR"').calendar is None

    @pytest.mark.parametrize(
        ("table", "method", "names"),
        [
            ('method = "slices"\ncount = 3', Slices(3), "ABC"),
            ("count = 5", Slices(5), "ABCDE"),
            ('method = "quantiles"\ncount = 2', Quantiles(2), "AB"),
            (
                'method = "bands"\nedges = [100_000, 50_000.5]',
                Bands((1e5, 50_000.5)),
                "ABC",
            ),
            ('method = "abc"\na_share = 0.7', Abc(0.7, 0.95), "ABC"),
            ('method = "natural_breaks"', NaturalBreaks(4, "log"), "ABCD"),
            (
                'method = "natural_breaks"\ncount = 3\nscale = "raw"',
                NaturalBreaks(3, "raw"),
                "ABC",
            ),
            ("", Slices(4), "ABCD"),
        ],
    )
    def test_a_method_stands_beside_its_own_settings(
        self, load, table: str, method: object, names: str
    ) -> None:
        settings = load(f"[tiers]\n{table}\nborder_count = 1")
        assert settings.tiers.method == method
        assert settings.tiers.border_count == 1
        assert settings.tier_names == tuple(names)

    def test_stability_has_a_table_of_its_own(self, load) -> None:
        text = "[tiers]\ncount = 3\n[tiers.stability]\nreplay_from = 2025-01-31\n"
        found = load(text).tiers
        assert found.stability == Stability(replay_from=date(2025, 1, 31))
        assert found.method == Slices(3)

    def test_potential_has_a_table_of_its_own(self, load) -> None:
        text = """
            [tiers.potential]
            wallet_share = 0.02
            core_segments = ["food", "retail"]
            high_from = 0.75
            weights = { size = 0.5, growth = 0 }
        """
        assert load(text).tiers.potential == Potential(
            wallet_share=0.02,
            core_segments=("food", "retail"),
            high_from=0.75,
            weights=PotentialWeights(size=0.5, growth=0),
        )
        assert load("[tiers.potential]").tiers.potential == Potential()
        assert load("[tiers]").tiers.potential is None

    def test_each_tier_has_a_service_level_of_its_own(self, load) -> None:
        text = """
            [allocation]
            hours = 1600
            [allocation.service.A]
            contact_days = 14
            [allocation.service.new]
            channel = "visit"
        """
        found = load(text).allocation
        assert found.hours == 1600
        assert found.service == {
            "A": ServiceLevel(contact_days=14),
            "new": ServiceLevel(channel="visit"),
        }

    def test_a_scenario_has_a_table_of_its_own(self, load) -> None:
        text = """
            [loss_scenario]
            fixed_costs = 320_000
            variable_cost_share = 0.6
            [loss_scenario.scenario]
            accounts = ["A01", "A02"]
            starts_on = 2026-09-01
            ramp_months = 6
        """
        found = load(text).loss_scenario
        assert found.scenario == Scenario(
            ["A01", "A02"], date(2026, 9, 1), ramp_months=6
        )
        assert (found.fixed_costs, found.variable_cost_share) == (320_000, 0.6)
        by_owner = load('[loss_scenario]\nscenario = {owner_id = "U1"}').loss_scenario
        assert by_owner.scenario == Scenario.owner("U1")

    def test_a_scenario_that_takes_nobody_is_refused(self, load) -> None:
        with pytest.raises(SettingsError, match="exactly one of accounts, owner_id"):
            load("[loss_scenario]\nscenario = {ramp_months = 3}")

    @pytest.mark.parametrize(
        ("written", "period"),
        [
            ('"last 12 months"', Period.last_months(12)),
            ('"last 1 month"', Period.last_months(1)),
            ('"all"', Period.all()),
            (
                "{ start = 2025-07-01, end = 2026-07-01 }",
                Period.between(date(2025, 7, 1), date(2026, 7, 1)),
            ),
        ],
    )
    def test_one_period_fills_all_analyses(
        self, load, written: str, period: Period
    ) -> None:
        settings = load(f"period = {written}")
        assert settings.tiers.period == settings.concentration.period == period

    def test_an_analysis_may_have_its_own_period(self, load) -> None:
        settings = load('period = "all"\n[tiers]\nperiod = "last 12 months"')
        findings = analyse(samples.firm(), settings)
        starts = {
            name: result.params["period"]["start"] for name, result in findings.items()
        }
        assert starts.pop("tiers") == "2025-07-01"
        assert starts.pop("succession") == "2025-07-01"  # always the last year
        assert starts.pop("pipeline") == "2024-07-01"  # a series to look at
        assert set(starts.values()) == {"0001-01-01"}

    def test_the_rule_of_the_tiers_is_that_of_the_succession_too(self, load) -> None:
        rule = 'method = "quantiles"\ncount = 3'
        written = f"[tiers]\n{rule}\n[succession]\nsmoothing = 2"
        found = analyse(samples.firm(), load(written), only=["succession"])
        told = found["succession"].params["settings"]
        assert told["method"] == {"kind": "Quantiles", "count": 3}
        assert told["smoothing"] == 2

    def test_a_rule_of_its_own_is_refused_with_its_place(self, load) -> None:
        with pytest.raises(SettingsError, match=r"it stands in \[tiers\]"):
            load('[succession]\nmethod = "quantiles"')

    def test_each_connector_finds_its_part(self, load) -> None:
        settings = load("[salesforce]\npage_size = 500")
        assert settings.of_connector("salesforce") == settings.salesforce
        assert settings.of_connector("files") == settings.files
        assert settings.of_connector("someone-elses") is None

    def test_a_byte_order_mark_is_no_fault(self, tmp_path: Path) -> None:
        file = tmp_path / "portfolio.toml"
        file.write_bytes(b'\xef\xbb\xbfcurrency = "EUR"')
        assert Settings.load(file).currency == "EUR"


class TestWhatAFileMayNotSay:
    def test_unknown_keys_are_told_all_at_once_with_what_was_meant(
        self, refused
    ) -> None:
        said = refused(
            """
            curency = "EUR"
            [limits]
            max_shar = 0.2
            min_chnges = 3
            [limts]
            max_share = 0.1
            [salesforce.retry]
            atempts = 3
            """
        )
        assert "portfolio.toml has 5 fault(s)" in said
        assert "curency is no setting; did you mean 'currency'?" in said
        assert "[limits] max_shar is no setting; did you mean 'max_share'?" in said
        assert "[limits] min_chnges is no setting; did you mean 'min_changes'?" in said
        assert "limts is no setting; did you mean 'limits'?" in said
        assert "[salesforce.retry] atempts is no setting" in said

    def test_a_key_like_no_other_is_told_what_there_is(self, refused) -> None:
        assert "[tiers] k is no setting; there are a_share, " in refused(
            "[tiers]\nk = 4"
        )
        said = refused("[loss_scenario]\nzzzz = 4")
        assert "[loss_scenario] zzzz is no setting; there are cash, " in said
        assert "won_per_month." in said

    def test_a_key_in_the_wrong_table_is_told_its_place(self, refused) -> None:
        assert "max_share is no setting; it stands in [limits]" in refused(
            "max_share = 1"
        )

    def test_a_key_of_another_method_is_told_its_method(self, refused) -> None:
        said = refused('[tiers]\nmethod = "slices"\nedges = [1]')
        assert (
            "[tiers] edges is no setting; it is of [tiers] with method = 'bands'"
            in said
        )

    def test_values_of_the_wrong_kind_are_told_with_their_place(self, refused) -> None:
        said = refused(
            """
            language = "de"
            period = "last year"
            [tiers]
            count = "4"
            [limits]
            max_share = "a fifth"
            min_changes = true
            max_share_by_field = { tier = "much" }
            [files]
            decimal = ";"
            """
        )
        assert "language: this must be 'en' or 'fr', not 'de'" in said
        assert 'period: this must be "last 12 months", "all"' in said
        assert "[tiers] count: this must be a whole number, not a text" in said
        assert "[limits] max_share: this must be a number, not a text" in said
        assert "[limits] min_changes: this must be a whole number, not true" in said
        assert "[limits.max_share_by_field] tier: this must be a number" in said
        assert "[files] decimal: this must be ',' or '.', not ';'" in said

    def test_values_out_of_bounds_are_told_by_their_class(self, refused) -> None:
        assert "max_share is a share from 0 to 1, not 7" in refused(
            "[limits]\nmax_share = 7"
        )
        assert "page_size is from 200 to 2000" in refused("[salesforce]\npage_size = 1")

    def test_an_unknown_method_is_told_the_known_ones(self, refused) -> None:
        said = refused('[tiers]\nmethod = "slice"')
        known = "abc, bands, natural_breaks, quantiles, slices"
        assert f"[tiers] method must be one of {known}" in said

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("weights = { sise = 1 }", "[tiers.potential.weights] sise is no setting"),
            ("weights = { size = -1 }", "weights are no less than 0"),
            ("high_from = 0.3", "high_from is above potential.medium_from"),
            (
                "least_coverage = 0",
                "potential.least_coverage is a share above 0",
            ),
            (
                "recent_days = 0",
                "potential.recent_days is no less than 1, not 0",
            ),
        ],
    )
    def test_what_is_wrong_with_the_potential_is_told(
        self, refused, text: str, told: str
    ) -> None:
        assert told in refused(f"[tiers.potential]\n{text}")

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("floor_hours = -1", "floor_hours is no less than 0"),
            ('new_accounts = "none"', "must be 'by_revenue' or 'own_group'"),
            ("service = { A = { chanel = 1 } }", "chanel is no setting"),
            ('service = { A = { channel = "fax" } }', "'visit' or 'call' or 'online'"),
            (
                "service = { A = { contact_days = 0 } }",
                "contact_days is no less than 1",
            ),
        ],
    )
    def test_what_is_wrong_with_the_allocation_is_told(
        self, refused, text: str, told: str
    ) -> None:
        assert told in refused(f"[allocation]\n{text}")

    def test_an_unknown_scale_is_told_the_known_ones(self, refused) -> None:
        said = refused('[tiers]\nmethod = "natural_breaks"\nscale = "logs"')
        assert "[tiers] scale: this must be 'log' or 'raw', not 'logs'" in said

    def test_a_method_that_lacks_its_setting_says_which(self, refused) -> None:
        said = refused('[tiers]\nmethod = "bands"')
        assert "[tiers] edges: this is missing" in said

    def test_a_table_that_is_none_is_refused(self, refused) -> None:
        assert "tiers" in refused('tiers = "slices"')
        assert "limits: this must be a table" in refused("limits = 3")
        said = refused("[risk]\nveto_criteria = { violence = 1 }")
        assert "[risk] veto_criteria: this must be a list" in said
        assert "[salesforce] timeout: this must be a list" in refused(
            "[salesforce]\ntimeout = 30"
        )
        assert "[files] stages: this must be a table" in refused(
            "[files]\nstages = [1]"
        )

    def test_a_wrong_period_is_told_once(self, refused) -> None:
        for period in ("{ start = 2025-01-01, end = 2025-01-01 }", '"last year"', "3"):
            assert "1 fault(s)" in refused(f"period = {period}")

    @pytest.mark.parametrize(
        ("text", "where"),
        [
            ('[salesforce]\nclient_secret = "hush"', "SALESFORCE_CLIENT_SECRET"),
            ('[salesforce]\nprivate_key = "hush"', "SALESFORCE_PRIVATE_KEY_FILE"),
            ('[salesforce]\nACCESS_TOKEN = "hush"', "SALESFORCE_ACCESS_TOKEN"),
            ('[salesforce]\npassword = "hush"', "environment"),
            ('api_key = "hush"', "environment"),
            ('[mine.deeper]\nrefresh_token = "hush"', "environment"),
        ],
    )
    def test_a_secret_is_refused_and_never_shown(
        self, refused, text: str, where: str
    ) -> None:
        said = refused(text)
        assert where in said
        assert "hush" not in said

    def test_what_is_no_toml_says_where(self, refused) -> None:
        assert "line 2" in refused('currency = "EUR"\nlimits == 3')

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match=r"none\.toml"):
            Settings.load(tmp_path / "none.toml")

    def test_the_error_travels_between_processes(self, load) -> None:
        with pytest.raises(SettingsError) as caught:
            load("max_share = 1")
        copied = pickle.loads(pickle.dumps(caught.value))
        assert str(copied) == str(caught.value)


def test_settings_load_no_crm_client() -> None:
    code = "import sys, crm_portfolio.settings as s; s.Settings(); print(*sys.modules)"
    loaded = run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"simple_salesforce", "matplotlib", "uvicorn", "duckdb"} & set(loaded)
