"""A run that an older version of this library wrote can be read, taken back, gone on with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crm_portfolio import _storage
from crm_portfolio.archive import Archive
from crm_portfolio.errors import DamagedFileError
from crm_portfolio.protocols import Change

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
    assert [segment.version for segment in archive.segments(RUN)] == [1] * 4 + [2] * 2
    (archive.folder / "runs" / RUN / "000002.json").unlink()
    with pytest.raises(DamagedFileError, match="missing"):
        archive.journal(RUN)


def test_an_altered_segment_is_found_all_the_same(archive: Archive) -> None:
    path = archive.folder / "runs" / RUN / "000002.json"
    path.write_bytes(path.read_bytes().replace(b'"A"', b'"D"'))
    with pytest.raises(DamagedFileError, match="000002"):
        archive.journal(RUN)
