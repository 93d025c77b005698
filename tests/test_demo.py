"""Does the demonstration show what it promises, on data whose truths are known?"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from crm_portfolio import Archive, Portfolio, _demo, samples
from crm_portfolio._folder import write_folder
from crm_portfolio.errors import SettingsError
from crm_portfolio.writeback import Plan


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("demo") / "files of the demo"


@pytest.fixture(scope="module")
def told() -> list[_demo.Act]:
    return []


@pytest.fixture(scope="module")
def shown(folder: Path, told: list[_demo.Act]) -> _demo.Demo:
    return _demo.demo(keep=folder, tell=told.append)


def test_it_comes_out_well(shown: _demo.Demo) -> None:
    assert shown.is_good


def test_it_pulls_the_whole_book_within_the_call_budget(shown: _demo.Demo) -> None:
    truths = samples.book().truths
    pulled = shown.pulled
    assert pulled.rows["account"] == 300
    assert pulled.rows["opportunity"] == 4_000
    assert pulled.faults["open_without_amount"] == truths["without_amount"]
    assert pulled.faults["opportunity_without_account"] == truths["without_account"]
    assert pulled.api_calls <= 1 + 2 + 1 + 5
    assert (pulled.currency, pulled.as_of) == ("EUR", date(2026, 6, 30))


def test_it_shows_the_planted_truths(shown: _demo.Demo) -> None:
    truths = samples.book().truths
    first, *others = shown.looked.top
    assert len(others) == 9
    assert first.share == pytest.approx(truths["giant_share"])
    assert (first.tier, first.dependence) == ("A", "dependent")
    assert all(row.dependence in ("none", "major") for row in others)
    assert shown.looked.revenue == pytest.approx(truths["won_revenue"])
    assert sum(tier.accounts for tier in shown.looked.tiers) == 300
    reasons = " ".join(said for why in shown.looked.reasons for said in why.said)
    assert "13.0" in reasons
    assert "Tier new" in reasons
    assert "Tier none" in reasons


def test_it_plans_writes_and_is_quiet_afterwards(shown: _demo.Demo) -> None:
    assert shown.planned.accounts == 300
    assert shown.applied.counts == {"written": shown.planned.changes}
    assert (shown.again.changes, shown.again.write_calls) == (0, 0)


def test_it_takes_everything_back(shown: _demo.Demo) -> None:
    assert shown.undone.changes == shown.planned.changes
    assert shown.undone.accounts_compared == 300
    assert shown.undone.values_compared > 300 * 5
    assert shown.undone.values_different == 0


def test_it_leaves_its_files(shown: _demo.Demo, folder: Path) -> None:
    kept = shown.kept
    assert kept.folder == str(folder)
    assert len(Portfolio.load(Path(kept.portfolio))["account"]) == 300
    assert Plan.load(kept.plan).id == shown.planned.plan_id
    assert Plan.load(kept.undo).header.undoes == shown.applied.run_id
    assert shown.applied.run_id in Archive(kept.archive).runs()


def test_every_act_is_told_as_it_ends(shown: _demo.Demo, told: list[_demo.Act]) -> None:
    kinds = [type(act) for act in told]
    assert kinds == [
        _demo.Started,
        _demo.Pulled,
        _demo.Looked,
        _demo.SetUp,
        _demo.Planned,
        _demo.Applied,
        _demo.Again,
        _demo.Undone,
        _demo.Kept,
    ]


def test_its_calls_add_up(shown: _demo.Demo, told: list[_demo.Act]) -> None:
    assert shown.kept.all_api_calls == sum(act.api_calls or 0 for act in told)


class TestOwnData:
    @pytest.fixture
    def data(self, tmp_path: Path) -> Path:
        tables = samples.book(accounts=40, opportunities=250, seed=1).tables
        write_folder(tmp_path / "data", tables)
        return tmp_path / "data"

    def test_it_runs_twice_into_the_same_folder(
        self, data: Path, tmp_path: Path
    ) -> None:
        for _ in range(2):
            shown = _demo.demo(data=data, keep=tmp_path / "kept")
            assert shown.is_good
            assert shown.pulled.rows["account"] == 40

    def test_the_day_can_be_chosen(self, data: Path, tmp_path: Path) -> None:
        day = date(2026, 5, 31)
        shown = _demo.demo(data=data, keep=tmp_path / "kept", as_of=day)
        assert shown.pulled.as_of == day

    def test_without_closed_opportunities_the_day_must_be_said(
        self, tmp_path: Path
    ) -> None:
        write_folder(tmp_path / "data", {"account": samples.book().tables["account"]})
        with pytest.raises(SettingsError, match="--as-of"):
            _demo.demo(data=tmp_path / "data", keep=tmp_path / "kept")


def test_hubspot_shows_the_same_book(shown: _demo.Demo, tmp_path: Path) -> None:
    other = _demo.demo("hubspot", keep=tmp_path)
    assert other.is_good
    assert other.started.crm == "HubSpot"
    assert other.agrees_with(shown)
    assert other.pulled.faults == shown.pulled.faults
    # Account and properties, pages of a hundred, stages, owners who are here and gone.
    assert other.pulled.api_calls <= 1 + 2 + 3 + 40 + 1 + 2 + 5
