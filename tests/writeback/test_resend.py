"""What failed for good goes to a file that a person mends, and from there to a plan."""

from __future__ import annotations

import csv
import os
import stat
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_portfolio import simulator, writeback
from crm_portfolio.archive import Archive, Entry, Journal, read_mended
from crm_portfolio.archive._failed import save_failed
from crm_portfolio.connectors.salesforce import Salesforce
from crm_portfolio.errors import MendedFileError, SettingsError, WrongOrgError
from crm_portfolio.protocols import Change
from crm_portfolio.writeback import Edited, Limits, Plan, plan, resend

Wanted = Callable[..., Any]
# Nothing settles by itself here.
apply = partial(writeback.apply, sleep=lambda _seconds: None)
Edit = Callable[..., None]
Held = Callable[[str], dict[str, Any]]
Save = Callable[..., Path]


@pytest.fixture(scope="module")
def account_count() -> int:
    return 6


@pytest.fixture
def journal(
    crm: Salesforce,
    sim: simulator.Salesforce,
    archive: Archive,
    ids: list[str],
    wanted: Wanted,
    edit: Edit,
) -> Journal:
    """A night of six accounts: two refused, one gone, one stale, two written."""
    values = {i: {"tier": "A", "portfolio_rank": 1} for i in ids}
    for refused in ids[:2]:
        values[refused] = {"tier": "Gold", "portfolio_rank": 1}
    proposal = plan([wanted(values)], crm)
    sim.delete("Account", ids[2])
    edit(ids[3], tier="D")
    return apply(proposal, crm, archive=archive)


@pytest.fixture
def save(journal: Journal, tmp_path: Path) -> Save:
    """The file of the failed changes, mended by these values for ``after``."""

    def to(mend: Mapping[tuple[str, str], str] | None = None, **how: Any) -> Path:
        path = tmp_path / "failed.csv"
        journal.save_failed(path)
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            key = row["record_id"], row["column"]
            row["after"] = (mend or {}).get(key, row["after"])
        told = how.get("rows", lambda rows: rows)(rows)
        with path.open("w", encoding=how.get("encoding", "utf-8"), newline="") as file:
            writer = csv.DictWriter(
                file,
                (told or rows)[0],
                delimiter=how.get("delimiter", ","),
                lineterminator=how.get("end", "\n"),
            )
            writer.writeheader()
            writer.writerows(told)
        return path

    return to


def test_the_file_holds_what_failed_for_good_and_nothing_else(
    journal: Journal, ids: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "failed.csv"
    assert journal.save_failed(path) == 6
    raw = path.read_bytes()
    assert b"\r" not in raw
    rows = list(csv.DictReader(raw.decode().splitlines()))
    told = {(r["record_id"], r["column"], r["after"], r["state"]) for r in rows}
    assert told == {
        (ids[0], "tier", "Gold", "rejected"),
        (ids[0], "portfolio_rank", "1", "rejected"),
        (ids[1], "tier", "Gold", "rejected"),
        (ids[1], "portfolio_rank", "1", "rejected"),
        (ids[2], "tier", "A", "gone"),
        (ids[2], "portfolio_rank", "1", "gone"),
    }
    assert {row["run"] for row in rows} == {journal.run_id}
    codes = {row["code"] for row in rows if row["state"] == "rejected"}
    assert codes == {"INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"}
    assert all(row["what_to_do"] for row in rows)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_only_its_owner_can_read_the_file(save: Save) -> None:
    assert stat.S_IMODE(save().stat().st_mode) == 0o600


def test_a_mended_file_becomes_a_plan_that_writes_it(
    crm: Salesforce, archive: Archive, ids: list[str], save: Save, held: Held
) -> None:
    path = save({(ids[0], "tier"): "B", (ids[1], "tier"): ""})
    proposal = resend(path, crm, archive=archive)
    assert [each.record_id for each in proposal.missing] == [ids[2]]
    assert Plan.from_bytes(proposal.to_bytes(), "p").records == proposal.records
    done = apply(proposal, crm, archive=archive)
    assert done.exit_code == 0
    assert {k: v for k, v in held(ids[0]).items() if k != "portfolio_stamp"} == {
        "tier": "B",
        "portfolio_rank": 1,
    }
    assert "tier" not in held(ids[1])
    # Ours: the next night takes it for no edit, and a second plan is empty.
    assert resend(path, crm, archive=archive).changes == ()


def test_a_file_that_an_older_version_wrote_is_of_accounts(
    crm: Salesforce, archive: Archive, ids: list[str], save: Save, held: Held
) -> None:
    def older(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        return [
            {
                "account_id" if name == "record_id" else name: text
                for name, text in row.items()
                if name != "table"
            }
            for row in rows
        ]

    path = save({(ids[0], "tier"): "B", (ids[1], "tier"): "C"})
    newer = resend(path, crm, archive=archive)
    path = save({(ids[0], "tier"): "B", (ids[1], "tier"): "C"}, rows=older)
    assert "account_id" in path.read_text(encoding="utf-8").partition("\n")[0]
    proposal = resend(path, crm, archive=archive)
    assert proposal.counts == newer.counts
    assert proposal.first_fills == newer.first_fills != {}
    assert apply(proposal, crm, archive=archive).exit_code == 0
    assert held(ids[0])["tier"] == "B"


def test_what_was_not_mended_keeps_its_reasons_and_what_was_has_none(
    crm: Salesforce, archive: Archive, ids: list[str], save: Save
) -> None:
    proposal = resend(save({(ids[0], "tier"): "B"}), crm, archive=archive)
    reasons = {
        (c.change.record_id, c.change.column): [r.code for r in c.reasons]
        for c in proposal.changes
    }
    assert reasons[ids[0], "tier"] == []
    assert reasons[ids[0], "portfolio_rank"] == ["rank_dormant"]


def test_lines_may_be_deleted(
    crm: Salesforce, archive: Archive, ids: list[str], save: Save
) -> None:
    path = save({(ids[1], "tier"): "B"}, rows=lambda rows: rows[2:4])
    assert {r.record_id for r in resend(path, crm, archive=archive).records} <= set(ids)
    assert len(resend(path, crm, archive=archive).records) == 1


@pytest.mark.parametrize(
    "how", [{"delimiter": ";", "end": "\r\n", "encoding": "utf-8-sig"}, {"end": "\r\n"}]
)
def test_a_spreadsheet_may_have_saved_it_its_own_way(
    crm: Salesforce, archive: Archive, ids: list[str], save: Save, how: dict[str, str]
) -> None:
    proposal = resend(save({(ids[0], "tier"): "B"}, **how), crm, archive=archive)
    assert [
        c.change.after
        for c in proposal.changes
        if (c.change.record_id, c.change.column) == (ids[0], "tier")
    ] == ["B"]


def test_all_faults_come_at_once_with_the_numbers_of_their_lines(
    crm: Salesforce, archive: Archive, ids: list[str], save: Save
) -> None:
    def spoil(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        rows[0]["after"] = "x" * 41
        rows[1]["after"] = "first"
        rows[2]["record_id"] = ids[4]  # which was written
        rows[3]["column"] = "AnnualRevenue"
        return [*rows, rows[4]]

    ordered = lambda rows: spoil(  # noqa: E731
        sorted(rows, key=lambda r: (r["record_id"], r["column"] != "tier"))
    )
    with pytest.raises(MendedFileError) as caught:
        resend(save(rows=ordered), crm, archive=archive)
    assert [fault.split(":")[0] for fault in caught.value.faults] == [
        "line 2",
        "line 3",
        "line 4",
        "line 5",
        "line 8",
    ]
    told = str(caught.value)
    assert caught.value.exit_code == 7
    assert told.startswith("5 fault(s) in failed.csv, nothing was planned:")
    assert "takes 40 characters at most" in told
    assert "takes a whole number, not 'first'" in told
    assert "did not fail for good" in told
    assert "stands in line 6 already" in told


def test_another_run_in_the_file_is_refused(
    crm: Salesforce, archive: Archive, save: Save
) -> None:
    def mixed(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        rows[-1]["run"] = "ffffffffffff"
        return rows

    with pytest.raises(MendedFileError, match="line 7: it is not of run"):
        resend(save(rows=mixed), crm, archive=archive)


def test_what_is_no_such_file_is_refused(
    crm: Salesforce, archive: Archive, save: Save, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        resend(tmp_path / "none.csv", crm, archive=archive)
    with pytest.raises(SettingsError, match="holds no change"):
        resend(save(rows=lambda rows: []), crm, archive=archive)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SettingsError, match="lacks the column 'run'"):
        resend(tmp_path / "other.csv", crm, archive=archive)
    (tmp_path / "utf16.csv").write_text("run", encoding="utf-16")
    with pytest.raises(SettingsError, match="CSV UTF-8"):
        resend(tmp_path / "utf16.csv", crm, archive=archive)


def test_another_org_is_refused(
    archive: Archive, save: Save, connected: Callable[..., Salesforce]
) -> None:
    path = save()
    with (
        simulator.Salesforce(is_sandbox=False) as production,
        pytest.raises(WrongOrgError),
    ):
        resend(path, connected(production), archive=archive)


def test_what_people_did_since_is_left_alone_and_listed(
    crm: Salesforce,
    archive: Archive,
    ids: list[str],
    save: Save,
    edit: Edit,
) -> None:
    path = save({(i, "tier"): "B" for i in ids[:2]})
    edit(ids[0], portfolio_rank=7)
    edit(ids[1], tier_pinned="C")
    proposal = resend(path, crm, archive=archive)
    assert proposal.edited == (Edited(ids[0], ("portfolio_rank", "tier")),)
    assert [pin.record_id for pin in proposal.pinned] == [ids[1]]
    assert {c.change.column for c in proposal.changes} == {
        "portfolio_rank",
        "portfolio_stamp",
    }


def test_the_limits_hold_as_for_any_plan(
    crm: Salesforce,
    archive: Archive,
    ids: list[str],
    wanted: Wanted,
    tmp_path: Path,
) -> None:
    first = {i: {"tier": "A"} for i in ids}
    apply(plan([wanted(first)], crm), crm, archive=archive)
    moved = {i: {"tier": "Gold"} for i in ids}
    proposal = plan([wanted(moved)], crm, limits=Limits(1))
    failed = apply(proposal, crm, archive=archive)
    path = tmp_path / "failed.csv"
    failed.save_failed(path)
    path.write_text(path.read_text().replace(",Gold,", ",B,"))
    tight = Limits(max_share=0, min_changes=0)
    again = resend(path, crm, archive=archive, limits=tight)
    assert {refusal.rule for refusal in again.refusals} == {"changed"}
    assert again.header.tiers == proposal.header.tiers


@given(
    after=st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(
        lambda text: "\x00" not in text and "\r" not in text
    ),
    found=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
)
@settings(deadline=None, max_examples=150)
def test_any_text_survives_the_file_and_runs_in_no_spreadsheet(
    tmp_path_factory: pytest.TempPathFactory, after: str, found: str | None
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    change = Change("001A", "tier", None, after)
    save_failed("0a1b", [Entry(change, "rejected", "=CODE()", found)], path)
    with path.open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    assert not [v for v in row.values() if v.startswith(("=", "+", "-", "@", "\t"))]
    (line,) = read_mended(path)
    assert line.after == after


def test_days_and_shares_are_read_back_as_they_were(
    journal: Journal, tmp_path: Path
) -> None:
    changes = [
        Change("001A", "tier_since_on", None, date(2026, 6, 30)),
        Change("001A", "revenue_share", None, -0.25),
    ]
    path = tmp_path / "failed.csv"
    save_failed("0a1b", [Entry(change, "rejected") for change in changes], path)
    assert [line.after for line in read_mended(path)] == ["2026-06-30", "-0.25"]
