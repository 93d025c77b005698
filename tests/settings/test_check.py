"""Is all that is wrong with a file told, where it stands, and what is odd besides?"""

from __future__ import annotations

from pathlib import Path

import pytest

from crm_portfolio import Settings, samples
from crm_portfolio.errors import SettingsError
from crm_portfolio.settings import Remark, check
from crm_portfolio.settings._against import against_folder

TOKEN = "pat-na1-01234567-89ab-cdef-0123-456789abcdef"


@pytest.fixture
def checked(tmp_path: Path):
    def run(text: str, *, environment=(), look=()) -> list[Remark]:
        file = tmp_path / "portfolio.toml"
        file.write_text(text, encoding="utf-8")
        named = dict.fromkeys(environment, "")
        return check(file, environment=named, look=look)

    return run


def told(remarks: list[Remark]) -> list[tuple[str, str, int | None]]:
    return [(each.state, each.key, each.line) for each in remarks]


class TestFaults:
    def test_all_of_them_are_told_with_key_and_line(self, checked) -> None:
        remarks = checked(
            "curency = 'EUR'\n"
            "year_starts = 17\n"
            "[limits]\n"
            "max_share = 7\n"
            "max_emptied = -1\n"
            "min_changes = '3'\n"
            "[risk]\n"
            "veto_criteria = 'violence'\n"
            "[tiers]\n"
            "count = 0\n"
        )
        assert told(remarks) == [
            ("fault", "curency", 1),
            ("fault", "year_starts", 2),
            ("fault", "limits.max_share", 4),
            ("fault", "limits.max_emptied", 5),
            ("fault", "limits.min_changes", 6),
            ("fault", "risk.veto_criteria", 8),
            ("fault", "tiers.count", 10),
        ]
        assert "did you mean 'currency'" in remarks[0].said

    def test_what_two_settings_are_together_is_of_one_of_them(self, checked) -> None:
        text = (
            "[tiers.potential]\nmedium_from = 0.8\nhigh_from = 0.7\nrecent_days = 0\n"
        )
        assert {key for _, key, _ in told(checked(text))} == {
            "tiers.potential.high_from",
            "tiers.potential.recent_days",
        }

    def test_a_fault_of_one_org_stands_in_its_table(self, checked) -> None:
        text = (
            "[limits]\nmax_share = 0.1\n[orgs.west.limits]\nmax_share = 2\n[orgs.east]"
        )
        assert told(checked(text)) == [("fault", "orgs.west.limits.max_share", 4)]

    def test_a_fault_of_all_orgs_is_told_once(self, checked) -> None:
        text = "[limits]\nmax_share = 2\n[orgs.west]\n[orgs.east]\n"
        assert told(checked(text)) == [("fault", "limits.max_share", 2)]

    def test_what_no_org_could_map_is_told_without_one(self, checked) -> None:
        text = "[salesforce.fields.opportunity]\nfoo = 'X__c'\n[hubspot.fields.nope]\nx = 'y'"
        assert told(checked(text))[:2] == [
            ("fault", "salesforce.fields.opportunity.foo", 2),
            ("fault", "hubspot.fields", 3),
        ]

    def test_what_is_no_toml_is_told_with_its_line(self, checked) -> None:
        assert told(checked("currency = 'EUR'\nlimits == 3")) == [("fault", "", 2)]

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match=r"none\.toml"):
            check(tmp_path / "none.toml", environment={})

    def test_a_secret_is_a_fault_and_never_shown(self, checked) -> None:
        (remark,) = checked(f"[hubspot]\naccess_token = '{TOKEN}'")
        assert (remark.state, remark.line) == ("fault", 2)
        assert TOKEN not in remark.said

    def test_beside_a_secret_the_other_faults_are_told_too(self, checked) -> None:
        remarks = checked(
            f"language = 'de'\n[hubspot]\naccess_token = '{TOKEN}'\nat_once = 'x'"
        )
        assert told(remarks) == [
            ("fault", "language", 1),
            ("fault", "hubspot.access_token", 3),
            ("fault", "hubspot.at_once", 4),
        ]
        assert not any(TOKEN in remark.said for remark in remarks)

    def test_a_zone_that_is_none_hides_no_other_fault(self, checked) -> None:
        remarks = checked("time_zone = 'Paris'\nyear_starts = 13\ncurrency = 'euro'")
        assert told(remarks) == [
            ("fault", "time_zone", 1),
            ("fault", "year_starts", 2),
            ("fault", "currency", 3),
        ]
        assert "'EUR'" in remarks[2].said

    @pytest.mark.parametrize("silence", ["[0.2]", "[0.2, 0.1, 0.05, 0.01]"])
    def test_a_list_of_another_length_is_told_in_plain_words(
        self, checked, silence: str
    ) -> None:
        (remark,) = checked(f"[risk]\nsilence = {silence}")
        assert remark.said == "[risk] silence: this must be a list of 3 values"

    @pytest.mark.parametrize(
        ("text", "helps"),
        [
            (b"currency = EUR", "quotes"),
            (b"[limits]\nmax_share = 0,2", "point"),
            (b"[tiers]\n[tiers]", "once"),
            (b"language = '\xe9'", "UTF-8"),
        ],
    )
    def test_what_is_no_toml_says_how_it_is_written(
        self, tmp_path: Path, text: bytes, helps: str
    ) -> None:
        file = tmp_path / "portfolio.toml"
        file.write_bytes(text)
        (remark,) = check(file, environment={})
        assert helps in remark.said


class TestOdd:
    @pytest.mark.parametrize(
        "line",
        [
            "financing_rate = 6",
            "financing_rates = [{ from_on = 2025-01-01, rate = 6 }]",
        ],
    )
    def test_a_rate_written_in_percent(self, checked, line: str) -> None:
        (remark,) = checked(f"[receivables]\n{line}")
        assert (remark.state, remark.line) == ("odd", 2)
        assert remark.said.endswith("600 % a year; 6 % is 0.06")
        assert checked(f"[receivables]\n{line.replace('6', '0.06')}") == []

    def test_a_table_for_a_crm_without_a_login(self, checked) -> None:
        text = "[hubspot]\nat_once = 4\n[salesforce]\n"
        assert told(checked(text)) == [("odd", "hubspot", 1)]
        assert checked(text, environment=["HUBSPOT_ACCESS_TOKEN"]) == []

    def test_a_table_for_another_crm_than_the_nights(self, checked) -> None:
        remarks = checked("[sync]\ncrm = 'salesforce'\n[hubspot]\nat_once = 4")
        assert ("odd", "hubspot", 3) in told(remarks)
        assert ("odd", "tiers", None) in told(remarks)  # no stability, every night

    @pytest.mark.parametrize(
        "value", [TOKEN, "00D5e000000abcd!AQEAQ.abcdefghijklmnopqrst"]
    )
    def test_a_text_that_looks_like_a_secret(self, checked, value: str) -> None:
        (remark,) = checked(f"[files]\nencoding = '{value}'")
        assert (remark.state, remark.key) == ("odd", "files.encoding")
        assert value not in remark.said

    def test_service_for_a_tier_that_there_is_not(self, checked) -> None:
        text = "[tiers]\ncount = 2\n[allocation.service.C]\nchannel = 'visit'"
        assert told(checked(text)) == [("odd", "allocation.service.C", 3)]
        assert checked(text.replace("count = 2", "count = 3")) == []


class TestWithoutAFile:
    def test_a_folder_is_no_settings_file_and_says_how_to_look_into_it(
        self, tmp_path
    ) -> None:
        for ask in (lambda each: check(each, environment={}), Settings.load):
            with pytest.raises(SettingsError) as refused:
                ask(tmp_path)
            said = str(refused.value)
            assert said.startswith(f"{tmp_path} is a folder, not a settings file")
            assert f"crm-portfolio settings check FILE --folder {tmp_path}" in said

    def test_where_there_is_none_the_next_command_begins_one(self, tmp_path) -> None:
        file = tmp_path / "europe.toml"
        for ask in (lambda each: check(each, environment={}), Settings.load):
            with pytest.raises(SettingsError) as refused:
                ask(file)
            said = str(refused.value)
            assert said.startswith(f"there is no settings file {file}")
            assert said.endswith(f"crm-portfolio settings init {file}")


@pytest.fixture(scope="module")
def look():
    return (against_folder(samples.firm()),)


class TestAgainstAFolder:
    def test_accounts_of_a_scenario_must_be_there(self, checked, look) -> None:
        account = samples.firm().arrow("account")["account_id"][0].as_py()
        text = f"[loss_scenario.scenario]\naccounts = ['{account}', 'nobody']\n"
        (remark,) = checked(text, look=look)
        assert told([remark]) == [("fault", "loss_scenario.scenario.accounts", 2)]
        assert "'nobody' is not in account.account_id" in remark.said
        assert account not in remark.said

    def test_other_words_that_are_not_there_are_odd(self, checked, look) -> None:
        text = "[tiers.potential]\ncore_segments = ['nobody']\n"
        assert told(checked(text, look=look)) == [
            ("odd", "tiers.potential.core_segments", 2)
        ]

    def test_defaults_are_not_held_against_it(self, checked, look) -> None:
        assert checked("", look=look) == []

    def test_a_period_that_is_not_over_in_it_is_refused(self, checked, look) -> None:
        year = "period = {start = 2026-01-01, end = 2027-01-01}"
        (remark,) = checked(year, look=look)
        assert told([remark]) == [("fault", "period", 1)]
        assert "ends on 2026-12-31, and the folder knows nothing after" in remark.said
        own = checked(f"[tiers]\n{year}\n[review]\n{year}", look=look)
        assert told(own) == [("fault", "tiers.period", 2)]
        over = year.replace("2027-01", "2026-07")
        assert checked(over, look=look) == []

    def test_another_currency_is_odd(self, checked, look) -> None:
        assert told(checked("currency = 'USD'", look=look)) == [("odd", "currency", 1)]
        assert checked("currency = 'EUR'", look=look) == []
