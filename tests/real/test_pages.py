"""Do the pages on real books say what the analyses say of them today?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from books import PAGES, SAID, picture

# Said of the rules, not of the book.
OF_THE_RULES = {"20", "80", "80/20"}
_NUMBER = re.compile(r"\d[\d,./]*")


def numbers(text: str) -> set[str]:
    return {each.rstrip(",./") for each in _NUMBER.findall(text)}


def prose(name: str) -> str:
    """The page on one line, without links and pictures."""
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    page = re.sub(r"\]\([^)]*\)", "]", page)
    return " ".join(page.split())


@pytest.mark.parametrize("name", SAID)
def test_every_figure_of_a_page_is_what_the_analyses_find(
    name: str, shared_data: Path
) -> None:
    said, page = SAID[name](shared_data), prose(name)
    assert [each for each in said if " ".join(each.split()) not in page] == []


@pytest.mark.parametrize("name", SAID)
def test_no_page_says_a_figure_that_nothing_checks(
    name: str, shared_data: Path
) -> None:
    checked = numbers(" ".join(SAID[name](shared_data)))
    assert numbers(prose(name)) - checked - OF_THE_RULES == set()


@pytest.mark.parametrize("name", SAID)
def test_its_picture_shows_what_would_be_drawn_today(
    name: str, shared_data: Path
) -> None:
    """By its words and numbers: the lines between them are matplotlib's."""
    pytest.importorskip("matplotlib")
    kept = (PAGES / "pictures" / f"{name}.svg").read_text(encoding="utf-8")
    words = re.compile(r"<text[^>]*>(.*?)</text>", re.DOTALL)
    assert words.findall(kept) == words.findall(picture(name, shared_data))
    assert len(kept) < 100_000
    assert f"(pictures/{name}.svg)" in (PAGES / f"{name}.md").read_text("utf-8")
