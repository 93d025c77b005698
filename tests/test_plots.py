from __future__ import annotations

import re
from datetime import date

import pyarrow as pa
import pytest

from crm_portfolio import _plots, analysis, samples
from crm_portfolio._plots import as_svg

matplotlib = pytest.importorskip("matplotlib")
figure = pytest.importorskip("matplotlib.figure")


@pytest.fixture
def ax():
    return figure.Figure().subplots()


@pytest.fixture(autouse=True)
def quiet_backend():
    matplotlib.use("Agg")
    yield
    from matplotlib import pyplot as plt

    plt.close("all")


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.get_xticklabels()]


def test_the_ranking_has_a_bar_for_each_account_and_a_curve(ax):
    result = analysis.concentration(samples.firm())
    assert result.plot(ax=ax) is ax
    assert [bar.get_height() for bar in ax.patches][:3] == [260_000, 98_000, 96_000]
    assert texts(ax)[0] == "Aster Foods"
    curve = ax.figure.axes[1]
    assert list(curve.lines[0].get_ydata())[:2] == pytest.approx([26.0, 35.8])
    assert curve.get_ylabel() == "Cumulative share of revenue (%)"
    assert ax.get_ylabel() == "Revenue (EUR)"
    assert ax.get_xlabel() == "Accounts, largest first"


@pytest.fixture(scope="module")
def timed():
    """The firm, with time sheets of some accounts."""
    effort = pa.table(
        {
            "account_id": ["A01", "A05", "A07", "A11"],
            "worked_on": pa.array([date(2025, 9, 1)] * 4, pa.date32()),
            "minutes": [600.0, 300.0, 60.0, 90.0],
        }
    )
    return samples.firm().with_tables(effort=effort)


def test_tiers_show_revenue_and_hours_side_by_side(ax, timed):
    analysis.tiers(timed).plot(ax=ax, lang="fr")
    hours = ax.figure.axes[1]
    assert [bar.get_height() for bar in ax.patches][:4] == [260e3, 194e3, 264e3, 230e3]
    assert [bar.get_height() for bar in hours.patches] == [10, 5, 1, 0, 1.5, 0]
    assert all(bar.get_hatch() for bar in hours.patches)
    assert ax.get_ylabel() == "Chiffre d'affaires (EUR)"
    assert hours.get_ylabel() == "Heures"
    assert texts(ax)[0] == "A\n1 compte"
    assert texts(ax)[1] == "B\n2 comptes\n(heures de 1)"
    # Nobody noted hours for tier D: that is no bar and no nought.
    said = [text.get_text() for text in hours.texts]
    assert said == ["10", "5", "1", "?", "1,5", "?"]


def test_tiers_without_hours_show_revenue_alone_and_say_so(ax):
    analysis.tiers(samples.firm()).plot(ax=ax)
    assert ax.figure.axes == [ax]
    assert [bar.get_height() for bar in ax.patches][:4] == [260e3, 194e3, 264e3, 230e3]
    assert ax.get_title(loc="left") == "Revenue by tier"
    assert "nobody noted the time" in ax.get_xlabel()


def test_zero_is_at_the_same_height_on_both_axes(ax, timed):
    for result in (analysis.concentration, analysis.tiers):
        ax.figure.clear()
        own = ax.figure.subplots()
        result(timed).plot(ax=own)
        heights = [
            -each.get_ylim()[0] / (each.get_ylim()[1] - each.get_ylim()[0])
            for each in own.figure.axes
        ]
        assert heights[0] == pytest.approx(heights[1])
        assert heights[0] > 0


def test_only_the_largest_are_drawn_and_the_title_says_so(ax):
    book = samples.book(accounts=60, opportunities=600)
    from crm_portfolio.portfolio import Portfolio

    portfolio = Portfolio.from_frames(
        as_of=book.truths["as_of"], currency=book.truths["currency"], **book.tables
    )
    result = analysis.concentration(portfolio)
    result.plot(ax=ax)
    assert len(ax.patches) == 25
    assert ax.get_title(loc="left").endswith(
        f"the 25 largest of {result.summary['by_account']['n']}"
    )


def test_without_axes_a_figure_is_made():
    ax = analysis.tiers(samples.firm()).plot()
    assert ax.figure.get_size_inches().tolist() == [9.0, 4.8]


@pytest.mark.parametrize("name", ["$x^", "\x1b[2J", "a" * 80, "東京"])
def test_any_name_can_be_drawn(name):
    from crm_portfolio._plots import Words, pareto

    words = Words("t", "x", "y", "z", "n", lang="en")
    picture = as_svg(
        lambda ax: pareto(
            ax,
            names=[name],
            amounts=[1.0],
            cum_percent=[100.0],
            target_percent=80.0,
            words=words,
        )
    )
    assert picture.startswith("<svg")
    assert "\x1b" not in picture
    assert "a" * 30 not in picture


WORDS = _plots.Words("", "", "", "", "nothing", lang="fr")


def test_a_matrix_has_its_numbers_in_its_cells_and_leaves_the_unknown_empty(ax):
    shares = [[1.0, 0.125, 0.0004], [0.9996, float("nan"), 0.0]]
    _plots.matrix(
        ax, rows=["A", "B"], columns=["1", "2", "3"], shares=shares, words=WORDS
    )
    assert [text.get_text() for text in ax.texts] == [
        "100",
        "12,5",
        "<0,1",
        "100,0",
        "0",
    ]


def test_many_columns_have_whole_numbers(ax):
    columns = [str(at) for at in range(9)]
    shares = [[0.126] * 8 + [0.004]]
    _plots.matrix(ax, rows=["A"], columns=columns, shares=shares, words=WORDS)
    assert [text.get_text() for text in ax.texts] == ["13"] * 8 + ["<1"]


def test_a_matrix_of_nothing_says_so(ax):
    _plots.matrix(ax, rows=["A"], columns=["1"], shares=None, words=WORDS)
    assert [text.get_text() for text in ax.texts] == ["nothing"]


@pytest.fixture
def at_risk():
    odds = dict.fromkeys([f"A{at:02}" for at in range(1, 14)], 0.1)
    few = analysis.RevenueAtRiskSettings(draws=2_000)
    return analysis.revenue_at_risk(samples.firm(), few, odds=odds)


def test_a_distribution_has_bars_that_are_all_years_and_says_its_axes(ax, at_risk):
    assert at_risk.plot(ax=ax, lang="fr") is ax
    bars = ax.containers[0]
    assert sum(bar.get_height() for bar in bars) == pytest.approx(100, abs=0.1)
    assert ax.get_xlabel() == "Chiffre d'affaires perdu dans l'année (EUR)"
    assert ax.get_ylabel() == "Part des années (%)"
    named = [text.get_text() for text in ax.get_legend().get_texts()]
    assert named == [
        "Chaque client indépendant des autres",
        "Avec un facteur commun de 0,20",
    ]


def test_the_odds_of_losing_more_fall_to_nothing(ax, at_risk):
    at_risk.plot_odds(ax=ax)
    for curve in ax.lines[:2]:
        odds = list(curve.get_ydata())
        assert odds == sorted(odds, reverse=True)
        assert odds[0] > 50
        assert odds[-1] < 0.1
    assert ax.get_ylabel() == "Odds of losing more (%)"


def test_marks_at_one_place_share_their_line(ax):
    words = _plots.Words("", "", "", "", "", lang="en")
    series = {"one": [50.0, 50.0], "other": [40.0, 60.0]}
    marks = {"VaR 90": 3.0, "VaR 95": 3.0, "VaR 99": 4.0}
    _plots.distribution(ax, edges=[0.0, 5.0], series=series, marks=marks, words=words)
    assert [text.get_text() for text in ax.texts] == ["VaR 90, VaR 95", "VaR 99"]


@pytest.mark.parametrize("draw", [_plots.stacked, _plots.side_by_side])
@pytest.mark.parametrize("names", [["ops", "dev"], ["account_manager", "service_desk"]])
def test_the_legend_covers_no_name(names, draw):
    sheet = figure.Figure(figsize=(9.0, 4.8), layout="constrained")
    ax = sheet.subplots()
    words = _plots.Words("Hours", "Role", "Hours", "", "Nothing", lang="en")
    parts = {"given out": [1.0, 2.0], "in reserve": [2.0, 1.0]}
    draw(ax, names=names, series=parts, words=words)
    sheet.draw_without_rendering()
    legend = ax.get_legend().get_window_extent()
    below = [*ax.get_xticklabels(), ax.xaxis.label, *ax.patches]
    assert not any(legend.overlaps(each.get_window_extent()) for each in below)
    assert sheet.bbox.x1 >= legend.x1


def test_bars_without_height_beside_unknown_ones_are_not_drawn(ax):
    words = _plots.Words("", "", "", "", "No hours are known", lang="en")
    series = {"allotted": [None, 0.0], "spent": [None, None]}
    _plots.side_by_side(ax, names=["A", "none"], series=series, words=words)
    assert [text.get_text() for text in ax.texts] == ["No hours are known"]
    assert not ax.patches


def test_an_axis_of_nothing_has_no_steps(ax):
    words = _plots.Words("", "", "Number", "Amount", "", lang="en")
    _plots.parts(
        ax,
        names=["Not judged"],
        left=([3.0], [1.0]),
        right=([0.0], [None]),
        words=words,
        marked=("", ""),
    )
    amounts = ax.figure.axes[1]
    assert list(amounts.get_yticks()) == [0]
    assert len(ax.get_yticks()) > 2


@pytest.fixture(scope="module")
def tiers_drawn() -> str:
    return as_svg(lambda ax: analysis.tiers(samples.firm()).plot(ax=ax))


def test_a_picture_for_a_page_holds_no_style_and_no_comment(tiers_drawn):
    """So that a page may forbid inline styles, and is light."""
    assert not re.search(r"style|<!--|<metadata|font-family", tiers_drawn)
    assert len(tiers_drawn) < 12_000


def test_a_picture_takes_the_colours_of_its_page(tiers_drawn):
    colours = set(re.findall(r'(?:fill|stroke)="([^"]*)"', tiers_drawn))
    plain = {each for each in colours if not each.startswith("url(#")}
    assert plain <= {
        *("currentColor", "none"),
        *("var(--paper,#fff)", "var(--bar,#8aa0b4)", "var(--rule,#ccc)"),
    }


def test_a_picture_says_in_words_what_it_shows(tiers_drawn):
    assert 'role="img"' in tiers_drawn
    assert 'aria-label="Revenue by tier"' in tiers_drawn


def test_hatches_and_edges_still_point_at_their_own(ax):
    def drawn(count: float) -> str:
        looks = {"names": ["a"], "notes": ["n"], "words": WORDS}
        return as_svg(
            lambda ax: _plots.paired_bars(ax, amounts=[1.0], others=[count], **looks)
        )

    one, other = drawn(1.0), drawn(2.0)
    for picture in (one, other):
        ids = set(re.findall(r'id="([^"]*)"', picture))
        pointers = set(re.findall(r'(?:url\(#|href="#)([^")]*)', picture))
        assert ids
        assert pointers == ids
        assert "<pattern" in picture
    assert not set(re.findall(r'id="([^"]*)"', one)) & set(
        re.findall(r'id="([^"]*)"', other)
    )


def test_a_fuller_cell_is_a_larger_share(ax):
    shares = [[0.0, 0.5, 1.0]]
    _plots.matrix(ax, rows=["A"], columns=["1", "2", "3"], shares=shares, words=WORDS)
    fullness = [bar.get_alpha() for bar in ax.patches]
    assert fullness == sorted(fullness)
    assert len(set(fullness)) == 3
    assert not ax.images
