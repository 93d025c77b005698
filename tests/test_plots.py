from __future__ import annotations

import pytest

from crm_portfolio import analysis, samples
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


def test_tiers_show_revenue_and_accounts_side_by_side(ax):
    analysis.tiers(samples.firm()).plot(ax=ax, lang="fr")
    many = ax.figure.axes[1]
    assert [bar.get_height() for bar in ax.patches][:4] == [260e3, 194e3, 264e3, 230e3]
    assert [bar.get_height() for bar in many.patches] == [1, 2, 3, 4, 1, 2]
    assert all(bar.get_hatch() for bar in many.patches)
    assert ax.get_ylabel() == "Chiffre d'affaires (EUR)"
    assert many.get_ylabel() == "Nombre de comptes"


def test_zero_is_at_the_same_height_on_both_axes(ax):
    for result in (analysis.concentration, analysis.tiers):
        ax.figure.clear()
        own = ax.figure.subplots()
        result(samples.firm()).plot(ax=own)
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
