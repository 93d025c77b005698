"""A plan is a document: Markdown to paste, a page to open, and both do nothing but tell."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from html.parser import HTMLParser
from typing import Any

import attrs
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_portfolio import Portfolio, analysis, samples
from crm_portfolio._managed import stamp
from crm_portfolio._wording import Reason
from crm_portfolio.writeback import (
    Bordering,
    Edited,
    Ended,
    Header,
    Pinned,
    Plan,
)
from crm_portfolio.writeback._planned import Missing

MakePlan = Callable[..., Plan]
OURS = {"tier": "B", "portfolio_rank": 9}
HELD = {**OURS, "portfolio_stamp": stamp("earlier", OURS)}
HOSTILE = "=1+1\x1b[31m<script>alert(1)</script>|[x](http://e)\u202e\n../*a*`b`"


def book(**names: str) -> Portfolio:
    columns = {"account_id": list(names), "name": list(names.values())}
    return Portfolio.from_frames(
        as_of=date(2026, 6, 30), currency="EUR", account=pa.table(columns)
    )


@pytest.fixture
def plan(plan_of: MakePlan, header: Header) -> Plan:
    rows = {
        **{
            f"up-{n:02}": (HELD, {"tier": "A", "portfolio_rank": n})
            for n in range(1, 31)
        },
        "down": (HELD, {"tier": None, "portfolio_rank": None}),
        "first": ({}, {"tier": "D", "revenue_share": 0.1}),
    }
    near = Reason(
        "tier_next",
        {
            "tier": "B",
            "better": "A",
            "edge_above": 1000.0,
            "gap": 10.0,
            "currency": "EUR",
        },
    )
    return plan_of(
        rows,
        header=attrs.evolve(header, previous=120, unknown={"tier": 3}),
        pinned=[
            Pinned("pin-1", "A", date(2026, 12, 31), "005X"),
            Pinned("pin-2", "B", None, None),
        ],
        edited=[
            Edited("up-01", ("tier", "portfolio_rank"), ("portfolio_rank",)),
            Edited("kept", ("tier", "dependence")),
        ],
        missing=[Missing("lost")],
        ended=[Ended("over", "A", date(2026, 6, 29), None)],
        borders=[Bordering("near", near)],
    )


def section(text: str, title: str) -> list[str]:
    """The lines of one part of the Markdown."""
    _, _, after = text.partition(f"\n## {title}\n\n")
    return after.split("\n\n## ")[0].rstrip().splitlines()


class TestMarkdown:
    def test_it_says_what_the_plan_is_and_what_it_costs(self, plan: Plan) -> None:
        told = plan.to_markdown()
        assert told.startswith(f"# Plan {plan.id}\n\n## What it is\n\n")
        assert section(told, "What it is") == [
            "- for salesforce org 00D000000000001 (sandbox)",
            "- as of 2026-06-30",
            "- made 2026-06-30 21:00 UTC, holds until 2026-07-01 21:00 UTC",
            "- 95 changes on 32 accounts; 32 of the changes are stamps",
            "- 100 accounts compared, 120 at the last run",
            "- API calls to apply it: about 6; 9,990 of 10,000 left today",
            "- from portfolio aaaaaaaaaaaa",
            "- under settings bbbbbbbbbbbb",
            "- by crm-portfolio 0.1.0",
        ]

    def test_it_says_what_is_refused_and_how_to_accept_it(self, plan: Plan) -> None:
        assert section(plan.to_markdown(), "Refused by the limits") == [
            "- 20 accounts fewer than at the last run; the limit is 12 of 120.",
            "- tier would change on 31 accounts; the limit is 20 of 100.",
            "- To accept all of it, after a look: --accept-changes 95",
        ]

    def test_it_counts_per_field(self, plan: Plan) -> None:
        titles = ["changed", "allowed", "emptied", "filled first", "unknown"]
        assert section(plan.to_markdown(), "Fields") == [
            f"| field | {' | '.join(titles)} |",
            "| --- | --- | --- | --- | --- | --- |",
            r"| tier | 31 | 20 | 1 | 1 | 3 |",
            r"| portfolio\_rank | 30 | 100 | 1 | 0 | 0 |",
            r"| revenue\_share | 0 | 100 | 0 | 1 | 0 |",
        ]
        assert section(plan.to_markdown(), "Moves")[2:] == [
            "| tier | B | A | 30 |",
            "| tier | B | empty | 1 |",
            "| tier | empty | D | 1 |",
        ]

    def test_it_lists_the_largest_and_says_how_many_more(self, plan: Plan) -> None:
        told = section(plan.to_markdown(), "Largest accounts that move")
        assert told[0] == "| account | rank | from | to | why |"
        why = "Tier none: its net revenue is 0\N{NO-BREAK SPACE}EUR."
        assert told[2] == f"| up-01 | 1 | B | A | {why} |"
        assert len(told) == 2 + 25 + 2
        assert told[-1] == "and 6 more, in the file of the plan"

    def test_it_gives_reasons_with_samples(self, plan: Plan) -> None:
        why = "Tier none: its net revenue is 0\N{NO-BREAK SPACE}EUR."
        assert section(plan.to_markdown(), "Reasons") == [
            "| field | accounts | such as | samples |",
            "| --- | --- | --- | --- |",
            f"| tier | 32 | {why} | down, first, up-01 |",
        ]

    def test_it_tells_what_people_did(self, plan: Plan) -> None:
        told = plan.to_markdown()
        assert section(told, "Edited by people")[2:] == [
            r"| up-01 | portfolio\_rank |  | portfolio\_rank |",
            "| kept | not known which | tier, dependence |  |",
        ]
        assert section(told, "Pinned by people")[2:] == [
            "| over | A |  | ended on 2026-06-29 |",
            "| pin-1 | A | 005X | holds until 2026-12-31 |",
            "| pin-2 | B |  | holds until someone lifts it |",
        ]
        assert section(told, "Not in the CRM")[2:] == ["| lost |"]

    def test_it_tells_who_stands_near_a_border(self, plan: Plan) -> None:
        nbsp = "\N{NO-BREAK SPACE}"
        assert section(plan.to_markdown(), "Near a border")[2:] == [
            f"| near | Tier A begins at 1,000{nbsp}EUR: 10{nbsp}EUR to go. |"
        ]

    def test_reasons_may_be_told_in_french(self, plan: Plan) -> None:
        (_, _, line) = section(plan.to_markdown(lang="fr"), "Near a border")
        assert "| near | La tranche A commence à" in line

    def test_names_are_told_where_they_are_asked_for(self, plan: Plan) -> None:
        names = book(**{"up-01": "Acme", "kept": "Bolt"})
        told = plan.to_markdown(names)
        assert "| Acme (up-01) | 1 | B | A |" in told
        assert "| Bolt (kept) | not known which |" in told
        assert "Acme" not in plan.to_markdown()

    def test_an_empty_plan_has_one_part(self, plan_of: MakePlan) -> None:
        told = plan_of({}).to_markdown()
        assert re.findall("^## (.*)$", told, re.M) == ["What it is"]

    def test_a_plan_that_takes_back_says_which_run(
        self, plan_of: MakePlan, header: Header
    ) -> None:
        back = attrs.evolve(header, undoes="0a1b", quota=None)
        told = plan_of({}, header=back, edited=[Edited("1", ("tier",))]).to_markdown()
        assert "- takes back run 0a1b" in told
        assert section(told, "Changed since")[2:] == [
            "| 1 | not known which | tier |  |"
        ]
        assert "left today" not in told

    def test_it_stays_short_however_large_the_plan_is(self, plan_of: MakePlan) -> None:
        rows = {f"{n:04}": (HELD, {"tier": "A"}) for n in range(2000)}
        everyone = [f"{n:04}" for n in range(2000)]
        told = plan_of(
            rows,
            missing=map(Missing, everyone),
            edited=[Edited(each, ("tier",)) for each in everyone],
            pinned=[Pinned(each, "A", None, None) for each in everyone],
        ).to_markdown()
        assert len(told.splitlines()) < 200


class _Page(HTMLParser):
    """The tags of a page, its attributes and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.cells: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attributes}

    def handle_data(self, data: str) -> None:
        self.cells.append(data)


class TestHtml:
    def test_it_is_a_page_that_needs_and_runs_nothing(self, plan: Plan) -> None:
        page = plan.to_html()
        assert page.startswith("<!doctype html>")
        assert "default-src 'none'" in page
        found = _Page(page)
        assert not found.tags & {"script", "link", "img", "iframe", "form"}
        assert not {a for a in found.attributes if a.startswith("on")}
        assert not {"src", "href"} & found.attributes

    def test_it_holds_the_parts_and_every_change(self, plan: Plan) -> None:
        page = plan.to_html()
        titles = re.findall("<h2>(.*?)</h2>", page)
        assert titles == [
            "What it is",
            "Refused by the limits",
            "Fields",
            "Moves",
            "Largest accounts that move",
            "Reasons",
            "Near a border",
            "Edited by people",
            "Pinned by people",
            "Not in the CRM",
            "Changes",
        ]
        changes = page.partition("<h2>Changes</h2>")[2]
        assert changes.count("<tr>") == 1 + 63
        assert (
            '<td>down</td><td>portfolio_rank</td><td class="n">9</td><td>empty</td>'
            in changes
        )

    def test_it_holds_the_first_thousand_changes(self, plan_of: MakePlan) -> None:
        rows = {f"{n:04}": (HELD, {"tier": "A"}) for n in range(1003)}
        changes = plan_of(rows).to_html().partition("<h2>Changes</h2>")[2]
        assert changes.count("<tr>") == 1001
        assert "and 3 more, in the file of the plan" in changes


@pytest.fixture
def hostile(plan_of: MakePlan) -> Plan:
    """A plan in which all that comes from a CRM does its worst."""
    held = {"tier": HOSTILE, "portfolio_stamp": HOSTILE}
    return plan_of(
        {HOSTILE: (held, {"tier": "A"})},
        pinned=[Pinned(HOSTILE, HOSTILE, None, HOSTILE)],
        edited=[Edited(HOSTILE, ("tier",))],
        missing=[Missing(HOSTILE)],
        ended=[Ended(HOSTILE, HOSTILE, date(2026, 6, 1), HOSTILE)],
        borders=[
            Bordering(HOSTILE, Reason("dependence_unknown", {"group_id": HOSTILE}))
        ],
    )


class TestHostileText:
    def test_in_markdown_it_is_only_read(self, hostile: Plan) -> None:
        told = hostile.to_markdown(book(**{HOSTILE: HOSTILE}))
        assert not {"\x1b", "\u202e"} & set(told)
        assert not re.search(r"(?<!\\)<", told)
        assert not re.search(r"(?<!\\)[`*\[]", told)
        rows = [line for line in told.splitlines() if line.startswith("|")]
        widths = {
            len(re.split(r"(?<!\\)\|", row)) for row in rows if r"\<script\>" in row
        }
        assert widths <= {3, 4, 6, 7}

    def test_on_a_page_it_is_text(self, hostile: Plan) -> None:
        page = hostile.to_html(book(**{HOSTILE: HOSTILE}))
        assert not {"\x1b", "\u202e"} & set(page)
        found = _Page(page)
        assert "script" not in found.tags
        assert any("<script>alert(1)</script>" in cell for cell in found.cells)

    @given(st.text(min_size=1, max_size=40))
    @settings(deadline=None, max_examples=40)
    def test_no_text_makes_a_tag_a_line_or_a_cell(
        self, plan_of: MakePlan, text: str
    ) -> None:
        held = {"tier": text, "portfolio_stamp": "x"}

        def told(each: str) -> Plan:
            rows = {each: ({**held, "tier": each}, {"tier": "A"})}
            return plan_of(
                rows, missing=[Missing(each)], edited=[Edited(each, ("tier",))]
            )

        plain, other = told("plain"), told(text)
        assert len(other.to_markdown().split("\n")) == len(
            plain.to_markdown().split("\n")
        )
        tags = re.compile(r"<[^>]*>")
        assert tags.findall(other.to_html()) == tags.findall(plain.to_html())


def test_tiers_offer_the_accounts_near_their_edges() -> None:
    result = analysis.tiers(samples.firm())
    near = [(each, r.code, r.values["tier"]) for each, r in result.borders()]
    assert ("A05", "tier_next", "B") in near
    assert ("A05", "tier_margin", "B") in near
    assert {code for _, code, _ in near} == {
        "tier_next",
        "tier_margin",
        "tier_smallest",
    }
    assert len(near) == len(set(near))
    listed = {
        account["account_id"]
        for border in result.to_dict()["summary"]["borders"]
        for side in ("above", "below")
        for account in border[side]
    }
    assert {each for each, _, _ in near} <= listed
    assert analysis.concentration(samples.firm()).borders() == ()
