"""How much of what is said stays so, by number and by worth, and how much comes back?"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from crm_portfolio import Portfolio, Settings, backtest
from crm_portfolio._backtest import BacktestResult
from crm_portfolio._backtest._said import Said, named
from crm_portfolio._backtest._stability import stability, stability_table, together
from crm_portfolio._plots import _axes
from crm_portfolio._wording import LANGS
from crm_portfolio.errors import SettingsError

END = date(2024, 12, 31)
SAID = """\
On 31 December 2024, the risk of 25 accounts was said to be high or critical; that of 150 \
others was lower.
It came true where, by 31 December 2025, the account brought at least 50 % less than in \
the same time before, or had no contract left.
20 of 25 left or brought so much less: 80.0 %, and from 60.9 % to 91.1 % as far as so few \
can tell.
Of the others it was so for 10 of 150: 6.7 %, and from 3.7 % to 11.8 %.
That is 12 times as often as among the others, and more than chance: by 53.5 to 84.9 points.
4 days replayed, from 31 December 2023 to 30 June 2025; what was said has 12 months to \
come true.
Revenue is what was invoiced, net of credit notes and discounts.
"""


def on(day: date, levels: dict[str, str | None], worth: float = 1.0) -> Said:
    """What risk said one day; A is worth ten times as much as the others."""
    ids = sorted(levels)
    table = pa.table(
        {
            "account_id": ids,
            "risk_level": pa.array([levels[each] for each in ids], pa.string()),
            "revenue": [worth * (10.0 if each == "A" else 1.0) for each in ids],
        }
    )
    return Said(day, {"risk": table}, {}, {})


FIRST = on(date(2025, 1, 31), {"A": "high", "B": "low", "C": "low", "D": "low"})
SECOND = on(date(2025, 2, 28), {"A": "low", "B": "low", "C": "high", "E": "critical"})
THIRD = on(date(2025, 3, 31), {"A": "high", "B": "low", "C": "high", "E": "low"})


def test_what_stays_is_counted_and_weighed() -> None:
    """Of A, B and C only B stays: one of three, and 1 of 12 by worth."""
    first, second = stability_table(stability([FIRST, SECOND, THIRD])).to_pylist()
    assert (first["both_count"], first["same_count"]) == (3, 1)
    assert first["same_share"] == pytest.approx(1 / 3)
    assert first["same_worth_share"] == pytest.approx(1 / 12)
    assert (second["both_count"], second["same_count"]) == (4, 2)
    assert second["same_worth_share"] == pytest.approx(2 / 13)


def test_the_list_has_its_own_churn() -> None:
    """A was on it and goes, C and E come; then A comes back and E goes."""
    first, second = stability_table(stability([FIRST, SECOND, THIRD])).to_pylist()
    names = ("named_before_count", "stayed_count", "came_count")
    assert [first[name] for name in names] == [1, 0, 2]
    assert [second[name] for name in names] == [2, 1, 1]
    assert (first["stayed_share"], second["stayed_share"]) == (0.0, 0.5)


def test_a_move_that_is_undone_is_to_and_fro() -> None:
    """Of those there on all three days only A moves in the second step: back."""
    first, second = stability_table(stability([FIRST, SECOND, THIRD])).to_pylist()
    assert (first["moved_count"], first["returned_count"]) == (0, 0)
    assert (second["moved_count"], second["returned_count"]) == (1, 1)
    told: Any = together(stability([FIRST, SECOND, THIRD]))["risk"]
    assert (told["both_count"], told["same_count"]) == (7, 3)
    assert told["returned_share"] == 1.0


def test_nobody_knows_twice_is_the_same() -> None:
    unknown = on(date(2025, 4, 30), {"A": None, "B": "low"})
    again = on(date(2025, 5, 31), {"A": None, "B": "low"}, worth=0.0)
    [row] = stability_table(stability([unknown, again])).to_pylist()
    assert row["same_count"] == 2
    [row] = stability_table(stability([again, unknown])).to_pylist()
    assert row["same_worth_share"] is None


def test_one_day_has_no_step() -> None:
    assert stability([FIRST]) == []
    assert together([]) == {}
    assert named(FIRST, "tier") is None


@pytest.fixture(scope="module")
def result(book: Portfolio, settings: Settings) -> BacktestResult:
    days = [date(2023, 12, 31), date(2024, 6, 30), END, date(2025, 6, 30)]
    return backtest(book, settings, days)


def test_every_line_is_told_in_both_languages(result: BacktestResult) -> None:
    for key in result.arrow["forecast"].to_pylist():
        for lang in LANGS:
            said = result.explain(key, lang=lang)
            assert len(said.splitlines()) >= 4
            assert "{" not in said
    said = result.explain("risk 2024-12-31").replace("\N{NO-BREAK SPACE}", " ")
    assert f"{said}\n" == SAID


def test_it_is_saved_and_compared_like_any_result(
    result: BacktestResult, book: Portfolio, settings: Settings, tmp_path: Path
) -> None:
    for suffix in ("csv", "parquet", "xlsx", "html"):
        result.save(tmp_path / f"looked-back.{suffix}")
        assert (tmp_path / f"looked-back.{suffix}").stat().st_size > 500
    stricter = backtest(book, settings, [END], lost_share=1.0)
    compared = stricter.compared_with(backtest(book, settings, [END]))
    assert compared.changed["settings.lost_share"] == (0.5, 1.0)
    found = result.to_dict()
    assert {"levels", "recommendations", "stop_rules", "stability"} <= set(found)


def drawn(result: BacktestResult) -> dict[str, Any]:
    return {
        "risk": lambda ax, lang: result.plot(ax=ax, lang=lang, of="risk"),
        "first": lambda ax, lang: result.plot(ax=ax, lang=lang),
        "levels": lambda ax, lang: result.plot_levels(ax=ax, lang=lang),
        "stability": lambda ax, lang: result.plot_stability(ax=ax, lang=lang),
    }


@pytest.mark.parametrize("lang", LANGS)
def test_pictures_say_what_they_show(result: BacktestResult, lang: Any) -> None:
    for draw in drawn(result).values():
        picture = _axes.as_svg(lambda ax, draw=draw: draw(ax, lang))
        assert "%" in picture
        assert picture == _axes.as_svg(lambda ax, draw=draw: draw(ax, lang))
    axes = result.plot(of="risk", lang=lang)
    names = [label.get_text() for label in axes.get_xticklabels()]
    assert any(name.startswith("2024-12-31") for name in names)


def test_where_nothing_is_known_the_picture_says_so(
    book: Portfolio, settings: Settings
) -> None:
    waiting = backtest(book, settings, [date(2025, 6, 30)])
    for draw in (waiting.plot, waiting.plot_levels):
        [text] = draw().texts
        assert text.get_text() == "Nothing is known yet of what came."


def test_a_list_nobody_knows_is_asked_about(result: BacktestResult) -> None:
    with pytest.raises(SettingsError, match="rising"):
        result.plot(of="risng")  # type: ignore[arg-type]
