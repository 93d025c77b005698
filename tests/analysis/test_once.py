"""Is what was found of a portfolio found once, and let go with it?"""

from __future__ import annotations

import gc
import weakref
from datetime import date

import pytest

from crm_portfolio import analysis, samples
from crm_portfolio.analysis import _facts
from crm_portfolio.analysis._facts._once import forget, once_per_portfolio
from crm_portfolio.analysis._facts._sold_lines import let_go_of_lines
from crm_portfolio.portfolio import Period, Portfolio


def counted(portfolio: Portfolio, name: str, *, more: int = 0) -> list[int]:
    return [portfolio.row_counts[name] + more]


def test_the_same_question_of_the_same_portfolio_is_answered_once():
    once, one, other = once_per_portfolio(counted), samples.firm(), samples.firm()
    first = once(one, "account")
    assert once(one, "account") is first
    for asked in (
        once(one, "opportunity"),
        once(one, "account", more=1),
        once(other, "account"),
        once(one.at(date(2025, 11, 30)), "account"),
    ):
        assert asked is not first
    assert once(one, "account") is first


def test_few_answers_stay_and_the_oldest_goes_first():
    once, portfolio = once_per_portfolio(counted), samples.firm()
    found = [once(portfolio, "account", more=more) for more in range(6)]
    assert once(portfolio, "account", more=5) is found[5]
    assert once(portfolio, "account", more=0) is not found[0]


def test_what_is_forgotten_of_one_portfolio_is_found_again_and_of_no_other():
    once, one, other = once_per_portfolio(counted), samples.firm(), samples.firm()
    first, kept = once(one, "account"), once(other, "account")
    forget(one, once)
    forget(one, once)
    assert once(one, "account") == first
    assert once(one, "account") is not first
    assert once(other, "account") is kept


def test_lines_that_are_let_go_are_told_the_same_when_they_are_asked_for_again():
    book = samples.firm(backend="duckdb")
    facts = _facts.revenue_facts(
        book, Period.last_months(12), None, needed_by="this test"
    )
    days = _facts.account_days(book, "net_revenue")
    minor = _facts.monthly_revenue(book, facts).minor
    let_go_of_lines(book)
    again = _facts.monthly_revenue(book, facts).minor
    assert again is not minor
    assert again.sum() == minor.sum()
    assert _facts.account_days(book, "net_revenue") is not days


def test_an_error_is_no_answer():
    portfolio, answers = samples.firm(), iter((None, 7))

    @once_per_portfolio
    def sometimes(portfolio: Portfolio) -> int:
        answer = next(answers)
        if answer is None:
            raise ValueError("not yet")
        return answer

    with pytest.raises(ValueError, match="not yet"):
        sometimes(portfolio)
    assert sometimes(portfolio) == 7


def test_what_all_are_handed_cannot_be_written_to():
    portfolio = samples.firm()
    facts = _facts.revenue_facts(
        portfolio, Period.last_months(12), None, needed_by="this test"
    )
    assert facts is _facts.revenue_facts(
        portfolio, Period.last_months(12), "net_revenue", needed_by="another"
    )
    for array in (
        facts.by_account.revenue,
        _facts.monthly_revenue(portfolio, facts).minor,
        _facts.worked(portfolio, facts).seconds,
        _facts.attached(portfolio, facts).line_cost,
    ):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize("backend", ["pyarrow", "duckdb"])
def test_nothing_is_kept_of_a_portfolio_that_is_gone(backend, tmp_path):
    samples.firm().save(tmp_path / "book")
    portfolio = Portfolio.load(tmp_path / "book", backend=backend)
    assert analysis.risk(portfolio)
    assert analysis.loss_scenario(portfolio)
    held = weakref.ref(portfolio)
    facts = weakref.ref(
        _facts.revenue_facts(portfolio, Period.last_months(12), None, needed_by="this")
    )
    assert facts() is not None
    del portfolio
    gc.collect()
    assert held() is None
    assert facts() is None
