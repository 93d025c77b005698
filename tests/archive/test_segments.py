"""Each file of a journal says what it is, whose, and what it follows."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from shelves import Shelf

from crm_portfolio import _storage
from crm_portfolio.archive import Archive
from crm_portfolio.archive._segments import (
    RESTORE,
    VERSION,
    name_of,
    read_segment,
    sealed,
    segments_among,
)
from crm_portfolio.errors import DamagedFileError

RUN = "0a1b2c3d4e5f"


@pytest.fixture
def folder(archive: Archive, short_run: Callable[..., None]) -> Shelf:
    short_run(archive, RUN)
    return Shelf(archive) / "runs" / RUN


def rewritten(path: Shelf, **told: Any) -> None:
    """The segment with something else in it and a checksum that fits."""
    body = json.loads(path.read_bytes()) | told
    body.pop("sha256")
    digest = _storage.digest(_storage.canonical_json(body))
    whole = _storage.canonical_json({**body, "sha256": digest})
    path.write_bytes(whole + b"\n")


def test_a_file_holds_all_that_its_checksum_covers(folder: Shelf) -> None:
    path = folder / "000002.json"
    body = json.loads(path.read_bytes())
    digest = body.pop("sha256")
    assert (
        body.pop("previous")
        == json.loads((folder / "000001.json").read_bytes())["sha256"]
    )
    assert abs((datetime.now(UTC) - datetime.fromisoformat(body.pop("at"))).days) < 1  # noqa: TID251
    assert body == {
        "format": "crm-portfolio journal",
        "version": VERSION,
        "run": RUN,
        "number": 2,
        "kind": "intent",
        "content": {"send": [["001A", "tier", None, "A"]], "left": []},
    }
    found = read_segment(path.read_bytes(), f"{RUN}/000002.json", 2, None, digest)
    assert (found.number, found.kind, found.digest) == (2, "intent", digest)
    assert (found.content, found.version) == (body["content"], VERSION)
    segment, raw = sealed(RUN, 2, "intent", body["content"], "previous")
    assert json.loads(raw)["at"] == segment.at
    assert raw.endswith(b"}\n")


def damage(path: Shelf, number: int, previous: str | None, known: str | None) -> Any:
    with pytest.raises(DamagedFileError) as caught:
        read_segment(path.read_bytes(), f"{RUN}/{path.name}", number, previous, known)
    return caught.value


def test_damage_is_told_with_its_file_its_kind_and_the_way_out(folder: Shelf) -> None:
    path = folder / "000002.json"
    found = damage(path, 2, None, "f" * 64)
    assert (found.file, found.problem) == (
        f"{RUN}/000002.json",
        "this segment was replaced",
    )
    assert found.hint == RESTORE
    found = damage(path, 2, "f" * 64, None)
    assert (found.file, found.problem) == (
        f"{RUN}/000002.json",
        "this segment does not follow",
    )
    assert found.hint == RESTORE
    found = damage(folder / "000001.json", 1, "f" * 64, None)
    assert (found.file, found.problem) == (
        f"{RUN}/plan.jsonl",
        "this plan was replaced",
    )
    assert found.hint == RESTORE
    found = damage(path, 1, None, None)
    assert (found.file, found.problem) == (
        f"{RUN}/000001.json",
        "this segment is missing",
    )
    assert found.hint == RESTORE


@pytest.mark.parametrize("told", [{"run": "another"}, {"number": 3}])
def test_a_segment_of_elsewhere_was_swapped(
    folder: Shelf, told: dict[str, Any]
) -> None:
    path = folder / "000002.json"
    rewritten(path, **told)
    found = damage(path, 2, None, None)
    assert (found.file, found.problem) == (
        f"{RUN}/000002.json",
        "this segment was swapped with another",
    )
    assert found.hint == RESTORE


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]\n", b"{}\n", b'{"sha256":"0"}\n', b"7\n"]
)
def test_what_is_no_segment_was_changed(folder: Shelf, content: bytes) -> None:
    path = folder / "000002.json"
    path.write_bytes(content)
    found = damage(path, 2, None, None)
    assert (found.file, found.problem) == (
        f"{RUN}/000002.json",
        "this segment was changed",
    )
    assert found.hint == RESTORE


@pytest.mark.parametrize("more", [b" ", b"\n"])
def test_not_even_a_blank_may_be_added(folder: Shelf, more: bytes) -> None:
    path = folder / "000002.json"
    path.write_bytes(path.read_bytes() + more)
    assert damage(path, 2, None, None).problem == "this segment was changed"


def test_a_newer_version_says_which_and_what_to_do(folder: Shelf) -> None:
    path = folder / "000002.json"
    rewritten(path, version=VERSION + 1)
    found = damage(path, 2, None, None)
    assert found.file == f"{RUN}/000002.json"
    told = f"this journal has format {VERSION + 1}, this library reads up to {VERSION}"
    assert (found.problem, found.hint) == (told, "Upgrade crm-portfolio.")


def test_only_numbered_files_are_segments_in_their_order(archive: Archive) -> None:
    for name in ("000010.json", "000002.json", "00003.json", "x000004.json", "a.json"):
        (Shelf(archive) / name).write_bytes(b"")
    names = segments_among(archive.root.files())
    assert names == [name_of(2), name_of(10)] == ["000002.json", "000010.json"]
