"""The same plans end in the same org, by collections, by jobs and in HubSpot.

Absent, null and empty are three things on the way there: an absent field is not touched,
null and empty text clear it, and text such as ``#N/A`` is text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pretend import Org, started

from crm_portfolio._managed import STAMP, VALUES, canonical, is_own
from crm_portfolio.archive import Archive
from crm_portfolio.writeback import Limits, apply, plan

Wanted = Callable[..., Any]
Rows = Mapping[int, Mapping[str, Any]]
WAYS = (
    ("salesforce", {"bulk": "never"}),
    ("salesforce", {"bulk": "always"}),
    ("hubspot", {}),
)
AT_ONCE = Limits(canary_count=0, canary_share=0.0, settle_seconds=0)
ACCOUNTS = 6
ODD_TEXTS = (
    "#N/A",
    '"quoted", and, more',
    "two\nlines",
    "windows\r\nlines",
    "ends in a quote\"'",
    "NULL",
    "null",
    "0012",
    "=1+1",
    "é ü ñ 会社 Αθήνα 🙂",
    "ab\u200fcd\u202e",
    "\\N",
    "<b>&amp;",
)
# What a field of forty characters takes, without the blanks that a CRM may trim.
TEXTS = st.one_of(
    st.sampled_from(ODD_TEXTS),
    st.text(
        st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t"),
        min_size=1,
        max_size=20,
    ).filter(lambda text: text == text.strip()),
)
VALUE: Mapping[str, st.SearchStrategy[Any]] = {
    "tier": TEXTS,
    "dependence": TEXTS,
    "risk_reasons": TEXTS,
    "tier_since_on": st.dates(date(1990, 1, 1), date(2099, 12, 31)),
    "portfolio_rank": st.integers(0, 10**6),
    "revenue_share": st.one_of(
        st.sampled_from([0.0, 1.0, 1e-06, 0.5, 0.999999]),
        st.integers(0, 10**6).map(lambda millionths: millionths / 10**6),
    ),
}
EMPTY = {"tier": ["", None], "dependence": ["", None]}
WANTED = st.dictionaries(
    st.integers(0, ACCOUNTS - 1),
    st.fixed_dictionaries(
        {},
        optional={
            column: st.one_of(value, st.sampled_from(EMPTY.get(column, [None])))
            for column, value in VALUE.items()
        },
    ),
    min_size=1,
)


@pytest.fixture(scope="module")
def orgs() -> Iterator[list[tuple[Org, Mapping[str, Any]]]]:
    running = [(started(crm, ACCOUNTS), how) for crm, how in WAYS]  # type: ignore[arg-type]
    found = [(next(org).given_our_fields(), how) for org, how in running]
    for org, _ in found:
        for column in EMPTY:  # any text may stand there
            text = (
                {"type": "string", "field_type": "text", "options": ()}
                if org.crm == "hubspot"
                else {"type": "string", "length": 40, "is_restricted": False}
            )
            org.there.change_field(org.object, org.name(column), **text)
    yield found
    for org, _ in running:
        next(org, None)


def held(org: Org) -> list[dict[str, Any]]:
    """The canonical values of each account, and whether its stamp is ours."""
    rows = []
    stored = org.held([*VALUES["account"], STAMP])
    for one in org.ids:
        row = {
            column: canonical(column, value) for column, value in stored[one].items()
        }
        mark = row.pop(STAMP, None)
        has_values = any(value is not None for value in row.values())
        assert mark is not None if has_values else True
        assert mark is None or is_own(str(mark), row)
        rows.append(
            {column: value for column, value in row.items() if value is not None}
        )
    return rows


@settings(
    max_examples=8,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(plans=st.lists(WANTED, min_size=1, max_size=2))
@example(
    plans=[
        {n: {"tier": text, "revenue_share": 0.1} for n, text in enumerate(part)}
        for part in (ODD_TEXTS[:6], ODD_TEXTS[6:12])
    ]
)
@example(plans=[{0: {"tier": "#N/A", "portfolio_rank": 3}}, {0: {"tier": ""}}])
@example(plans=[{0: {"tier": "x", "dependence": "y"}}, {0: {"tier": None}}, {1: {}}])
def test_three_ways_end_in_one_org(
    orgs: list[tuple[Org, Mapping[str, Any]]],
    wanted: Wanted,
    tmp_path_factory: pytest.TempPathFactory,
    plans: list[Rows],
) -> None:
    before = held(orgs[0][0])
    for rows in plans:
        if not any(rows.values()):
            continue
        after = []
        for org, how in orgs:
            folder = tmp_path_factory.mktemp("archive")
            after.append(_applied(org, how, rows, wanted, folder))
        expected = [
            {
                **row,
                **{
                    column: canonical(column, value)
                    for column, value in rows.get(place, {}).items()
                },
            }
            for place, row in enumerate(before)
        ]
        expected = [
            {column: value for column, value in row.items() if value is not None}
            for row in expected
        ]
        assert after == [expected] * len(WAYS)
        before = expected


def _applied(
    org: Org,
    how: Mapping[str, Any],
    rows: Rows,
    wanted: Wanted,
    folder: Path,
) -> list[dict[str, Any]]:
    """The org after a plan for each set of columns: what has none is not assigned."""
    archive = Archive(folder)
    shapes = dict.fromkeys(tuple(sorted(row)) for row in rows.values() if row)
    for shape in shapes:
        values = {
            org.ids[place]: row
            for place, row in rows.items()
            if tuple(sorted(row)) == shape
        }
        proposal = plan([wanted(values)], org.connected(**how), limits=AT_ONCE)
        _write(proposal, org, how, archive)
        again = plan([wanted(values)], org.connected(**how), limits=AT_ONCE)
        assert (again.changes, again.edited) == ((), ())
    return held(org)


def _write(proposal: Any, org: Org, how: Mapping[str, Any], archive: Archive) -> None:
    if not proposal.changes:
        return
    writes = org.writes
    journal = apply(
        proposal,
        org.connected(**how),
        archive=archive,
        accept_changes=len(proposal.changes),
        sleep=lambda _: None,
    )
    assert journal.counts.keys() == {"written"}
    assert org.writes > writes
