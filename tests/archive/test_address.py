"""An address leads to one place, and a secret in it is refused without being repeated."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest

from crm_portfolio.archive import Archive, address_of
from crm_portfolio.errors import CrmPortfolioError, MissingExtraError, SettingsError

SECRET = "wJalrXUtnFEMI"


@pytest.mark.parametrize("given", ["runs", "/runs", "a/s3:b", "C:runs", ""])
def test_a_plain_path_leads_to_a_folder(given: str) -> None:
    assert address_of(given) == address_of(Path(given)) == Path(given)


@pytest.mark.parametrize("given", ["file:///runs/a%20b", "file://localhost/runs/a%20b"])
def test_a_file_address_leads_to_a_folder(given: str) -> None:
    assert address_of(given) == Path("/runs/a b")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("s3://bucket/crm/", "s3://bucket/crm"),
        ("S3://Bucket", "s3://Bucket"),
        ("abfss://box@account.dfs.core.windows.net/crm", None),
        ("unlocked+sftp://me@host/crm", None),
    ],
)
def test_a_place_in_a_store_has_one_name(given: str, told: str | None) -> None:
    found = address_of(given)
    assert str(found) == (told or given)
    assert address_of(str(found)) == address_of(found) == found  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "given",
    [
        f"s3://AKIDEXAMPLE:{SECRET}@bucket/crm",
        f"s3://{SECRET}@bucket/crm",
        f"gs://me:{SECRET}@bucket",
        f"az://box/crm?sv=1&sig={SECRET}",
        f"abfs://box:{SECRET}@account.dfs.core.windows.net/crm",
        f"unlocked+ftp://me:{SECRET}@host/crm",
        f"s3://bucket/crm#{SECRET}",
        f"file://{SECRET}/crm",
        f"{SECRET}+{SECRET}+x://bucket",
    ],
)
def test_a_secret_is_refused_and_not_repeated(given: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Archive(given)
    assert caught.value.exit_code == 2
    assert SECRET not in str(caught.value)
    assert "AKID" not in str(caught.value)


@pytest.mark.parametrize("given", ["s3://", "s3:///", "://x", "s3://bucket/../other"])
def test_an_address_that_leads_nowhere_is_refused(given: str) -> None:
    with pytest.raises(SettingsError, match="address"):
        Archive(given)


@pytest.mark.parametrize(
    "given", ["s3://bucket/crm", "unlocked+s3://b/c", "memory://a"]
)
def test_an_address_that_became_a_path_is_not_taken_for_a_folder(given: str) -> None:
    with pytest.raises(SettingsError, match="give it as text"):
        Archive(Path(given))


@pytest.mark.parametrize("given", ["sftp://host/crm", "ftp://host/crm", "nfs://h/x"])
def test_a_store_that_keeps_no_two_runs_apart_must_be_asked_for(given: str) -> None:
    with pytest.raises(SettingsError, match="nothing keeps two runs apart") as caught:
        Archive(given)
    assert f"unlocked+{given.partition('/')[0]}" in str(caught.value)


def test_what_fsspec_does_not_know_is_said() -> None:
    with pytest.raises(SettingsError, match="fsspec does not know nope://"):
        Archive("unlocked+nope://host/crm")


@pytest.mark.parametrize(
    ("package", "given"),
    [("obstore", "s3://bucket/crm"), ("fsspec", "memory://a/b")],
)
def test_a_missing_package_is_told_with_the_extra_that_has_it(
    monkeypatch: pytest.MonkeyPatch, package: str, given: str
) -> None:
    for name in [*sys.modules]:
        if name.partition(".")[0] == package:
            monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError) as caught:
        Archive(given)
    assert "pip install 'crm-portfolio[remote]'" in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_folder_needs_no_extra(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for package in ("obstore", "fsspec"):
        monkeypatch.setitem(sys.modules, package, None)
    assert Archive(tmp_path.as_uri()).runs() == ()


def test_an_archive_crosses_processes_without_a_login(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    archive = Archive("s3://bucket/crm")
    sent = pickle.dumps(archive)
    assert SECRET.encode() not in sent
    assert b"AKIDEXAMPLE" not in sent
    assert pickle.loads(sent) == archive
    assert SECRET not in repr(archive)


def test_a_place_in_a_store_is_no_folder() -> None:
    archive = Archive("memory://a/b")
    with pytest.raises(CrmPortfolioError, match="is no folder of this machine"):
        _ = archive.folder
    assert archive.inside("kept", "x.jsonl") == "memory://a/b/kept/x.jsonl"
