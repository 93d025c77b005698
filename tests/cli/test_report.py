"""Does `report` write the page, in the language and against the folder asked for?"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import pytest

from crm_portfolio import samples


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("books")
    firm = samples.firm()
    firm.save(place / "book")
    firm.at(date(2025, 12, 31)).save(place / "older")
    return place


def test_it_writes_one_page_that_tells_what_moved(shell, folders, tmp_path) -> None:
    page = tmp_path / "page.html"
    asked = ("--lang", "fr", "--against", folders / "older")
    result = shell("report", folders / "book", "-o", page, *asked)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    assert str(page) in result.stderr.replace("\n", "")
    html = page.read_text("utf-8")
    assert '<html lang="fr">' in html
    assert "Depuis le 31" in html


def test_without_the_extra_it_says_how_to_get_pictures(
    shell, folders, tmp_path, monkeypatch
) -> None:
    page = tmp_path / "page.html"
    assert "pip install" not in shell("report", folders / "book", "-o", page).stderr
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = shell("report", folders / "book", "-o", page)
    assert result.exit_code == 0, result.stderr
    assert "pip install 'crm-portfolio[report]'" in " ".join(result.stderr.split())


def test_the_two_folders_the_wrong_way_round_are_refused(shell, folders, tmp_path):
    page = tmp_path / "page.html"
    result = shell(
        "report", folders / "older", "-o", page, "--against", folders / "book"
    )
    assert result.exit_code == 2
    assert "the other way round" in result.stderr
    assert "Traceback" not in result.stderr
    assert not page.exists()


def test_anything_but_a_page_is_refused_before_any_work(shell, tmp_path) -> None:
    result = shell("report", tmp_path / "nowhere", "-o", tmp_path / "page.pdf")
    assert result.exit_code == 2
    assert "name it .html" in result.stderr


def test_a_folder_that_is_none_is_told_without_a_traceback(shell, tmp_path) -> None:
    result = shell("report", tmp_path / "nowhere", "-o", tmp_path / "page.html")
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr
