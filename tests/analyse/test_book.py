"""Is each analysis made once, and handed to those that take it?"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from inspect import unwrap
from types import CodeType, FrameType

import attrs
import pytest

from crm_portfolio import analysis
from crm_portfolio._analyse import _book, analyse
from crm_portfolio._analyse._book import NOUNS, Book, in_turn
from crm_portfolio.analysis._win_back import win_back_by
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.settings import Settings

NAMES: dict[CodeType, str] = {
    unwrap(getattr(analysis, name)).__code__: name
    for name in analysis.__all__
    if f"{name.title().replace('_', '')}Result" in analysis.__all__
} | {win_back_by.__code__: "win_back"}


def calls_of(work: Callable[[], object]) -> Counter[str]:
    """How often each analysis is begun meanwhile, whoever asks for it."""
    begun: Counter[str] = Counter()

    def watch(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code in NAMES:
            begun[NAMES[frame.f_code]] += 1

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        work()
    finally:
        sys.setprofile(before)
    return begun


def test_every_public_analysis_is_made(whole, settings) -> None:
    assert set(NOUNS) == {*NAMES.values()}
    found = analyse(whole, settings)
    assert list(found) == list(NOUNS)
    assert (dict(found.skipped), dict(found.gaps), found.unlocks) == ({}, {}, ())


def test_each_analysis_is_made_once_in_one_run(whole, settings) -> None:
    begun = calls_of(lambda: analyse(whole, settings))
    # What may be tried again reaches further back than what is told of the period: it is
    # judged once more, but not told once more.
    assert begun == dict.fromkeys(NOUNS, 1)


def test_what_asks_most_of_the_long_tables_is_made_while_there_are_no_results() -> None:
    assert in_turn(NOUNS)[:3] == ["lost_opportunities", "win_back", "pipeline"]
    assert sorted(in_turn(NOUNS)) == sorted(NOUNS)
    assert in_turn(["tiers", "win_back"]) == ["win_back", "tiers"]


def test_it_is_told_in_one_order_however_it_is_made(whole, settings) -> None:
    made: list[str] = []
    asked = ("win_back", "tiers", "concentration")

    def tell(name: str, done: int, _total: int | None) -> None:
        made.extend([name] * done)

    found = analyse(whole, settings, only=asked, progress=tell)
    assert made == ["win_back", "concentration", "tiers"]
    assert list(found) == ["concentration", "tiers", "win_back"]


def test_of_a_long_book_what_was_lost_is_let_go_and_told_again_to_who_asks(
    whole, settings, monkeypatch
) -> None:
    names = ("lost_opportunities", "win_back")
    short = analyse(whole, settings, only=names)["lost_opportunities"]
    kept = short._losses.triage.ends.clock
    assert short._losses.triage.ends.clock is kept
    told = short.records_arrow()
    monkeypatch.setattr(_book, "_LONG", 1)
    long = analyse(whole, settings, only=names)["lost_opportunities"]
    again = long._losses.triage.ends.clock
    assert again is not kept
    assert long._losses.triage.ends.clock is again
    assert long.records_arrow().equals(told)


@pytest.mark.parametrize(
    ("asked", "made"),
    [
        (("tiers",), ("tiers",)),
        (("risk", "receivables"), ("risk", "receivables", "tiers")),
        (("profitability",), ("profitability", "receivables")),
        (
            ("revenue_at_risk", "risk"),
            ("revenue_at_risk", "risk", "receivables", "succession", "tiers"),
        ),
        (
            ("lifetime_value",),
            ("lifetime_value", "profitability", "receivables", "succession"),
        ),
    ],
)
def test_only_what_an_analysis_takes_is_made_for_it(
    whole, settings, asked: Iterable[str], made: Iterable[str]
) -> None:
    assert calls_of(lambda: analyse(whole, settings, only=asked)) == Counter(made)


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("allocation", "tiers"),
        ("risk", "tiers"),
        ("focus", "tiers"),
        ("freed_capacity", "succession"),
        ("freed_capacity", "win_back"),
        ("revenue_at_risk", "succession"),
        ("lifetime_value", "succession"),
        ("lifetime_value", "profitability"),
        ("profitability", "receivables"),
        ("review", "pipeline"),
        ("exit_review", "profitability"),
        ("exit_review", "receivables"),
        ("exit_review", "tiers"),
        ("exit_review", "succession"),
        ("exit_review", "win_back"),
        ("exit_review", "freed_capacity"),
    ],
)
def test_a_result_says_that_it_is_made_of_the_one_that_is_told(
    found, name: str, taken: str
) -> None:
    of = found[taken].params
    told = {key: of[key] for key in ("measure", "period", "settings")}
    assert found[name].params[taken] == told


@pytest.fixture(scope="module")
def found(whole: Portfolio, settings: Settings) -> object:
    half = Period.last_months(6)
    chosen = attrs.evolve(
        settings,
        # Other than usual each, so that none can be made anew and be the same.
        tiers=analysis.TiersSettings(method=analysis.Quantiles(3), period=half),
        receivables=attrs.evolve(settings.receivables, slow_days=3.0),
        profitability=analysis.ProfitabilitySettings(break_even_share=0.07),
        pipeline=analysis.PipelineSettings(months=9),
        succession=analysis.SuccessionSettings(interest_months=7),
        win_back=analysis.WinBackSettings(hours=7.0),
    )
    return analyse(whole, chosen)


def test_what_is_said_once_holds_for_all_that_leave_it_open(whole) -> None:
    loss = analysis.LossScenarioSettings(fixed_costs=5_000.0, variable_cost_share=0.5)
    own = analysis.FocusSettings(fixed_costs=1_000.0)
    chosen = Settings(period=Period.all(), language="fr", loss_scenario=loss, focus=own)
    book = Book(whole, chosen)
    said = book.profitability.params["settings"]
    assert (said["fixed_costs"], said["variable_cost_share"]) == (5_000.0, 0.5)
    assert book.profitability.params["period"]["name"] == "all"
    assert book.focus.params["settings"]["fixed_costs"] == 1_000.0
    assert book.focus.params["settings"]["variable_cost_share"] == 0.5
    assert book.risk.params["settings"]["language"] == "fr"


def test_values_are_in_revenue_where_no_cost_is_known(tables, make_book) -> None:
    bare = tables["revenue_line"].drop_columns(["cost"])
    book = make_book({"account": tables["account"], "revenue_line": bare})
    found = analyse(book, only=["lifetime_value"])["lifetime_value"]
    assert found.summary["value_is"] == "revenue"
    assert found.params["profitability"] is None
    costed = make_book({n: tables[n] for n in ("account", "revenue_line")})
    assert analyse(costed)["lifetime_value"].summary["value_is"] == "margin"


def test_losses_are_judged_as_far_back_as_they_may_be_tried_again(whole) -> None:
    book = Book(whole, Settings())
    told = book.win_back.params["lost_opportunities"]["period"]
    assert told["start"] == "2024-06-30"
    assert book.lost_opportunities.params["period"]["start"] == "2025-07-01"


def test_a_review_without_a_target_looks_at_no_work_ahead(whole) -> None:
    assert calls_of(lambda: analyse(whole, only=["review"])) == Counter(["review"])


def test_what_freed_hours_would_bring_is_what_an_hour_is_worth_to_the_exit_review(
    tables, make_book, settings
) -> None:
    """Without opportunities nobody else says what an hour brings elsewhere."""
    sold = ("opportunity", "opportunity_change", "stage", "enquiry")
    kept = {
        name: each.drop_columns({"opportunity_id"} & {*each.column_names})
        for name, each in tables.items()
        if name not in sold
    }
    found = analyse(make_book(kept), settings)
    review = found["exit_review"]
    assert review.params["freed_capacity"] is not None
    assert review.summary["hour_value"] > 0
    assert review.summary["criteria"]["F12"]["known_count"] > 0
    hourless = {n: t for n, t in kept.items() if n not in ("effort", "activity")}
    told = analyse(make_book(hourless), only=["exit_review"])["exit_review"]
    assert told.params["freed_capacity"] is None


def test_progress_names_each_analysis_before_and_after_it_is_made(whole) -> None:
    told: list[tuple[str, int, int | None]] = []
    asked = ("tiers", "concentration")
    analyse(whole, only=asked, progress=lambda *step: told.append(step))
    assert told == [
        *(("concentration", 0, 1), ("concentration", 1, 1)),
        *(("tiers", 0, 1), ("tiers", 1, 1)),
    ]
