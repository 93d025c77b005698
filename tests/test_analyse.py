from __future__ import annotations

from datetime import date

import attrs
import pyarrow as pa
import pytest

from crm_portfolio import analysis, samples
from crm_portfolio._analyse import Need, analyse, assigning
from crm_portfolio._analyse._book import NOUNS
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.settings import Settings


def test_all_analyses_are_made():
    findings = analyse(samples.firm())
    lacking = {
        "freed_capacity": (Need(("effort", "activity.minutes")),),
        "receivables": (Need(("invoice",)),),
    }
    made = [name for name in NOUNS if name not in lacking]
    assert list(findings) == made
    assert set(NOUNS) <= set(analysis.__all__)
    assert findings.skipped == lacking
    assert findings["tiers"].to_dict() == analysis.tiers(samples.firm()).to_dict()
    told = f"{', '.join(made)}, skipped: freed_capacity, receivables"
    assert repr(findings) == f"<Findings: {told}>"


@pytest.mark.parametrize("only", [["tiers"], "tiers", ("tiers", "tiers")])
def test_only_those_asked_for_are_made(only):
    assert list(analyse(samples.firm(), only=only)) == ["tiers"]


def test_an_analysis_nobody_knows_is_an_error_with_the_nearest_known():
    with pytest.raises(SettingsError, match="'tier'; did you mean 'tiers'"):
        analyse(samples.firm(), only=["tier"])


def test_what_lacks_its_table_is_skipped_and_says_which():
    portfolio = Portfolio.from_frames(
        as_of=date(2026, 6, 30), currency="EUR", account=pa.table({"account_id": ["A"]})
    )
    findings = analyse(portfolio)
    assert len(findings) == 0
    revenue, sales = Need(("revenue_line", "opportunity")), Need(("opportunity",))
    assert findings.skipped == {
        **dict.fromkeys(NOUNS, (revenue,)),
        **dict.fromkeys(("lost_opportunities", "win_back", "pipeline"), (sales,)),
        "freed_capacity": (revenue, Need(("effort", "activity.minutes"))),
        "receivables": (Need(("invoice",)),),
    }
    best = findings.unlocks[0]
    assert (best.add, best.kind, best.columns) == ("opportunity", "table", ())
    out_of_reach = {"freed_capacity", "receivables"}
    assert set(best.analyses) == set(NOUNS) - out_of_reach
    assert f"skipped: {', '.join(NOUNS)}" in repr(findings)


def test_the_common_period_fills_those_that_have_no_own():
    own = Period.last_months(6)
    settings = Settings(period=Period.all())
    settings = attrs.evolve(settings, tiers=analysis.TiersSettings(period=own))
    findings = analyse(samples.firm(), settings)
    names = {name: result.params["period"]["name"] for name, result in findings.items()}
    assert names.pop("tiers") == "last_6_months"
    # It goes from year to year, back from the end of the period.
    assert names.pop("succession") == "last_12_months"
    # A series of months to look at is no period that revenue is measured in.
    assert names.pop("pipeline") == "last_24_months"
    assert set(names.values()) == {"all"}


def test_those_that_assign_are_known_by_name() -> None:
    found = analyse(samples.firm())
    named = [name for name, each in found.items() if each.assignments() is not None]
    assert [name for name in named if name in assigning()] == list(assigning())
    assert set(named) == {*assigning(["lost_class", "win_back"])}
