"""Files survive a crash; one value has one spelling."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_portfolio import _storage

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def test_now_is_an_aware_utc_moment() -> None:
    assert _storage.now().utcoffset() == timedelta(0)


def test_a_file_is_written_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    _storage.write_atomically(path, b"one")
    _storage.write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_private_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    _storage.write_atomically(path, b"", private=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_public_file_obeys_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        _storage.write_atomically(tmp_path / "open", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "open").stat().st_mode) == 0o640


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.mkdir()
    (path / "inside").touch()
    with pytest.raises(OSError):  # noqa: PT011 - which one differs by system
        _storage.write_atomically(path, b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept"]


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot flush a folder")
@pytest.mark.parametrize("write", [_storage.write_atomically, _storage.write_once])
def test_content_and_name_are_flushed_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[..., None]
) -> None:
    flushed: list[tuple[bool, bool]] = []
    path = tmp_path / "a.json"

    def flush(handle: int) -> None:
        flushed.append((stat.S_ISDIR(os.fstat(handle).st_mode), path.exists()))

    monkeypatch.setattr(os, "fsync", flush)
    write(path, b"one")
    assert flushed == [(False, False), (True, True)]


@pytest.mark.parametrize("has_links", [True, False])
def test_a_name_that_is_taken_is_not_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool
) -> None:
    def refuse(_: Path, __: Path) -> None:
        raise PermissionError

    if not has_links:  # as on some network shares
        monkeypatch.setattr(os, "link", refuse)
    path = tmp_path / "a.json"
    _storage.write_once(path, b"one", private=True)
    with pytest.raises(FileExistsError):
        _storage.write_once(path, b"two", private=True)
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


def test_of_two_writers_at_once_one_gets_the_name(tmp_path: Path) -> None:
    def take(content: bytes) -> bool:
        try:
            _storage.write_once(tmp_path / "a.json", content)
        except FileExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(take, [bytes([n]) for n in range(32)]))
    assert taken.count(True) == 1
    assert (tmp_path / "a.json").read_bytes() == bytes([taken.index(True)])


def test_a_file_name_may_be_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    _storage.write_atomically(path, b"x")
    assert path.read_bytes() == b"x"


def test_days_and_moments_are_iso_text() -> None:
    value = {"on": date(2026, 6, 30), "at": datetime(2026, 6, 30, tzinfo=UTC)}
    assert (
        _storage.canonical_json(value)
        == b'{"at":"2026-06-30T00:00:00+00:00","on":"2026-06-30"}'
    )


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        _storage.canonical_json({"a": number})


def test_a_value_without_a_spelling_is_refused() -> None:
    with pytest.raises(TypeError, match="set has no canonical JSON"):
        _storage.canonical_json({1, 2})


@given(JSON)
@settings(deadline=None)
def test_canonical_json_reads_back_and_stays_as_it_is(value: object) -> None:
    once = _storage.canonical_json(value)
    read = json.loads(once)
    assert read == value
    assert _storage.canonical_json(read) == once


@given(st.dictionaries(st.text(), st.integers()))
@settings(deadline=None)
def test_the_order_of_keys_does_not_matter(value: dict[str, int]) -> None:
    turned = dict(reversed(value.items()))
    assert _storage.canonical_json(turned) == _storage.canonical_json(value)


def test_a_lone_surrogate_survives() -> None:
    assert json.loads(_storage.canonical_json("\ud800")) == "\ud800"


def test_the_digest_is_sha_256() -> None:
    assert _storage.digest(b"") == (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )
