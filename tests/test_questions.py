"""Does each question of an owner lead to what answers it, and to the test that holds it?"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from crm_portfolio import analysis

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/reference/from-question-to-function.md"
LINK = re.compile(r"\[(\w+)\]\(([^)#]+)(?:#([^)]+))?\)")
PLANNED = re.compile(r"`([\w.]+)` \(planned\)")
TEST = re.compile(r"`(tests/[^`]+)`")

Row = tuple[int, str, str, str]


def rows() -> list[Row]:
    """Number, question, answers and tests of each line of the tables."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    cells = [
        line.strip("| ").split(" | ") for line in lines if re.match(r"\| \d", line)
    ]
    return [(int(n), question, answers, tests) for n, question, answers, tests in cells]


@cache
def anchors(page: Path) -> frozenset[str]:
    """What a heading of the page can be linked as."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", head.lower()) for head in heads)
    return frozenset(head.replace(" ", "-") for head in plain)


@cache
def named_in(path: str) -> frozenset[str]:
    """Tests as ``test`` or ``Class::test``, found without importing the file."""
    found: set[str] = set()
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            inside = (each for each in node.body if isinstance(each, ast.FunctionDef))
            found |= {f"{node.name}::{each.name}" for each in inside}
    return frozenset(name for name in found if "test_" in name)


def is_public(name: str) -> bool:
    """Whether the door of the analyses has it: a noun, or an attribute of a class."""
    thing: object = analysis
    for part in name.split("."):
        if thing is analysis and part not in analysis.__all__:
            return False
        if not hasattr(thing, part):
            return False
        thing = getattr(thing, part)
    return True


def test_no_question_is_missing() -> None:
    numbers = [number for number, *_ in rows()]
    assert numbers == list(range(1, 90))


def test_each_line_is_a_question_asked_once() -> None:
    questions = [question for _, question, *_ in rows()]
    assert all("?" in question for question in questions)
    assert len(set(questions)) == len(questions)


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"question {row[0]}")
def test_what_answers_it_is_there_or_said_to_be_planned(row: Row) -> None:
    _, _, answers, tests = row
    links, planned = LINK.findall(answers), PLANNED.findall(answers)
    assert len(links) + len(planned) == len(answers.split(", "))
    for noun, target, anchor in links:
        page = (PAGE.parent / target).resolve()
        assert page.exists(), target
        assert not anchor or anchor in anchors(page), f"{target}#{anchor}"
        assert page.stem == noun
        assert is_public(noun), noun
        assert callable(getattr(analysis, noun))
    for name in planned:
        assert not is_public(name), f"{name} has been built"
    assert bool(links) == bool(TEST.findall(tests))


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"question {row[0]}")
def test_the_test_that_holds_it_exists(row: Row) -> None:
    _, _, answers, tests = row
    named = TEST.findall(tests)
    assert named or not LINK.search(answers)
    for each in named:
        path, _, name = each.partition("::")
        assert (ROOT / path).exists(), path
        assert name in named_in(path), each


def test_every_analysis_answers_some_question() -> None:
    nouns = {
        name
        for name in analysis.__all__
        if f"{name.title().replace('_', '')}Result" in analysis.__all__
    }
    answering = {
        noun for *_, answers, _ in rows() for noun, *_ in LINK.findall(answers)
    }
    assert nouns <= answering
