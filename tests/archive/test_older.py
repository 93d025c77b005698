"""A run that an older version of this library wrote can be read, taken back, gone on with."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from crm_portfolio import _storage, connect, setup
from crm_portfolio.archive import Archive
from crm_portfolio.connectors.salesforce import Salesforce
from crm_portfolio.errors import DamagedFileError
from crm_portfolio.protocols import Change
from crm_portfolio.simulator import Salesforce as Simulator
from crm_portfolio.writeback import Plan, history, undo

# What the last code of its time left of one night at four accounts of the simulator:
# `journal_1` has journals of version 1 and no index, `index_1` an index of version 1
# and journals of version 2. Plans were of version 1 in both. In `journal_2` plan and journal
# are of version 2, which knew accounts only.
RECORDED = Path(__file__).with_name("older")
ACCOUNTS = [f"001Sm000000000{place}IAA" for place in range(1, 5)]

RUN = "0a1b2c3d4e5f"
BEGIN = {
    "org": {
        "vendor": "salesforce",
        "org_id": "00D1",
        "is_sandbox": True,
        "currency": "EUR",
        "time_zone": "UTC",
    },
    "as_of": "2026-06-30",
    "portfolio_id": "p1",
    "settings_digest": "s1",
    "library_version": "0.1.0",
    "population": 10,
    "undoes": "",
    "change_count": 3,
}
A = ["001A", "tier", None, "A"]
B = ["001B", "tier", "A", "B"]
WRITTEN: tuple[tuple[str, Any], ...] = (
    ("begin", BEGIN),
    ("intent", {"send": [A], "left": [[*B, "stale", "", "C"]]}),
    ("outcome", {"intent": 2, "results": [["written", ""]]}),
    ("end", {"interrupted": "gone"}),
)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """As version 1 left it: a plan, and segments without a chain or an index."""
    folder = tmp_path / "runs" / RUN
    folder.mkdir(parents=True)
    (folder / "plan.jsonl").write_bytes(b"the plan")
    previous = _storage.digest(b"the plan")
    for number, (kind, content) in enumerate(WRITTEN, 1):
        body = {
            "format": "crm-portfolio journal",
            "version": 1,
            "run": RUN,
            "number": number,
            "kind": kind,
            "at": "2026-06-30T21:00:00+00:00",
            "previous": previous,
            "content": content,
        }
        previous = _storage.digest(_storage.canonical_json(body))
        text = _storage.canonical_json({**body, "sha256": previous}) + b"\n"
        (folder / f"{number:06d}.json").write_bytes(text)
    return Archive(tmp_path)


def test_its_journal_tells_what_it_wrote(archive: Archive) -> None:
    journal = archive.journal(RUN)
    assert journal.counts == {"not_sent": 1, "stale": 1, "written": 1}
    assert journal.touched == (Change("001A", "tier", None, "A"),)
    assert (journal.interrupted, journal.unexpected) == ("gone", ())


def test_it_can_be_gone_on_with(archive: Archive) -> None:
    last = archive.segments(RUN)[-1]
    begun = archive.append(RUN, "begin", BEGIN, after=last)
    archive.append(RUN, "end", {"interrupted": ""}, after=begun)
    assert archive.journal(RUN).interrupted == ""
    assert archive.runs() == (RUN,)
    assert [segment.version for segment in archive.segments(RUN)] == [1] * 4 + [4] * 2
    (archive.folder / "runs" / RUN / "000002.json").unlink()
    with pytest.raises(DamagedFileError, match="missing"):
        archive.journal(RUN)


def test_an_altered_segment_is_found_all_the_same(archive: Archive) -> None:
    path = archive.folder / "runs" / RUN / "000002.json"
    path.write_bytes(path.read_bytes().replace(b'"A"', b'"D"'))
    with pytest.raises(DamagedFileError, match="000002"):
        archive.journal(RUN)


@pytest.fixture
def recorded(tmp_path: Path, request: pytest.FixtureRequest) -> Archive:
    shutil.copytree(RECORDED / request.param, tmp_path / "archive")
    return Archive(tmp_path / "archive")


@pytest.fixture(scope="module")
def crm() -> Iterator[Salesforce]:
    """The org of the recorded night, before that night."""
    ids = ["A0", "A1", "A2", "A3"]
    tables = {"account": pa.table({"account_id": ids, "name": ids})}
    with (
        Simulator(tables, currency="EUR") as org,
        pytest.MonkeyPatch.context() as patch,
    ):
        for variable, value in org.environment.items():
            patch.setenv(variable, value)
        one = connect("salesforce")
        setup(one, dry_run=False)
        yield one


@pytest.mark.parametrize(
    "recorded", ["journal_1", "index_1", "journal_2"], indirect=True
)
def test_a_recorded_night_is_sound_and_is_taken_back(
    recorded: Archive, crm: Salesforce
) -> None:
    assert recorded.verify().exit_code == 0
    (run,) = (path.name for path in (recorded.folder / "runs").iterdir())
    journal = recorded.journal(run)
    assert (journal.counts, journal.as_of) == ({"written": 12}, date(2026, 6, 30))
    tiers = {c.record_id: c.after for c in journal.touched if c.column == "tier"}
    assert tiers == dict(zip(ACCOUNTS, "ABCD", strict=True))
    # The org as that night left it.
    assert {o.state for o in crm.write("account", journal.touched)} == {"written"}
    back = [planned.change for planned in undo(journal, crm).changes]
    taken = {(c.record_id, c.column, c.before, c.after) for c in back}
    assert taken == {(c.record_id, c.column, c.after, None) for c in journal.touched}
    assert {o.state for o in crm.write("account", back)} == {"written"}


@pytest.mark.parametrize("recorded", ["index_1", "journal_2"], indirect=True)
def test_a_recorded_index_tells_of_its_run(recorded: Archive) -> None:
    (told,) = recorded.index()
    assert recorded.runs() == (told.run_id,)
    assert (told.population, told.change_count, told.interrupted) == (4, 12, "")
    assert (told.as_of, told.is_quiet) == (date(2026, 6, 30), False)
    assert told.compared == {}


@pytest.mark.parametrize(
    ("recorded", "version"), [("index_1", 1), ("journal_2", 2)], indirect=["recorded"]
)
def test_a_recorded_plan_is_the_same_to_the_byte_and_tells_its_reasons(
    recorded: Archive, version: int
) -> None:
    (run,) = recorded.runs()
    raw = recorded.plan(run)
    plan = Plan.from_bytes(raw, "plan.jsonl")
    assert (plan.id, plan.version, plan.to_bytes()) == (run, version, raw)
    assert plan.first_fills == {"tier": 4, "tier_since_on": 4, "portfolio_stamp": 4}
    steps = history(recorded, ACCOUNTS[1])
    assert {(s.column, s.after) for s in steps} >= {("tier", "B")}
    (tier,) = [step for step in steps if step.column == "tier"]
    assert tier.reasons[0].code == "tier_slice"
