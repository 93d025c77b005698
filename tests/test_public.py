"""Is what we promise to keep what there is?"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import crm_portfolio
from crm_portfolio import errors
from crm_portfolio.archive import _index, _segments
from crm_portfolio.connectors.hubspot._fields import OUR_PROPERTIES
from crm_portfolio.connectors.salesforce._fields import OUR_FIELDS
from crm_portfolio.portfolio import _header
from crm_portfolio.schema import HUMAN, MANAGED, ManagedField
from crm_portfolio.writeback import _document

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/reference/what-is-public.md").read_text(encoding="utf-8")
LINES = (ROOT / "docs/reference/command-line.md").read_text(encoding="utf-8")
NOT_FOR_IMPORT = ("cli", "example_dags")


def part(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def table(title: str) -> list[list[str]]:
    found = [line for line in part(title).splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def without_underscore() -> set[str]:
    """All modules that do not begin with an underscore."""
    home = Path(crm_portfolio.__file__).parent
    found = set()
    for file in home.rglob("*.py"):
        *folders, name = file.relative_to(home.parent).with_suffix("").parts
        words = [*folders, *([] if name == "__init__" else [name])]
        if not any(word.startswith("_") or word in NOT_FOR_IMPORT for word in words):
            found.add(".".join(words))
    return found


def test_every_module_of_ours_is_on_the_page_or_begins_with_an_underscore():
    named = {name for row in table("Names in Python") for name in quoted(row[0])}
    assert named == without_underscore()


def test_every_public_module_says_what_of_it_is_public():
    named = [name for row in table("Names in Python") for name in quoted(row[0])]
    for name in named:
        if ".airflow" in name:
            continue
        module = import_module(name)
        assert all(hasattr(module, each) for each in module.__all__), name


def test_the_front_door_is_as_the_page_lists_it():
    (said,) = re.findall(r"offers (.*?)\.\n\n", part("Names in Python"), re.DOTALL)
    assert quoted(said) == crm_portfolio.__all__


def test_exit_codes_are_those_of_the_errors():
    told = {int(code): set(quoted(names)) for code, names in table("The command line")}
    held: dict[int, set[str]] = {0: set(), 3: set()}
    for name in errors.__all__:
        if isinstance(error := getattr(errors, name), type):
            held.setdefault(error.exit_code, set()).add(name)
    assert told == held


def test_the_command_lines_page_tells_the_same_codes():
    rows = LINES.partition("\n## Exit codes\n")[2].partition("\n## ")[0]
    told = {int(code) for code in re.findall(r"^\| (\d) \|", rows, re.MULTILINE)}
    assert told == {int(code) for code, _ in table("The command line")}


def test_formats_have_the_versions_that_the_page_tells():
    told = {
        name: (int(version), {int(each) for each in reads.split(", ")})
        for name, version, reads in table("Files")
    }
    assert told == {
        "the folder of a portfolio": (
            _header._VERSION,
            {_header._VERSION, _header._WITH_PARTS},
        ),
        "a plan": (_document.VERSION, set(_document._VERSIONS)),
        "a journal": (_segments.VERSION, set(range(1, _segments.VERSION + 1))),
        "the index of an archive": (_index.VERSION, set(_index._VERSIONS)),
    }


PARTED = ", or 2 where tables are [partitioned](../how-to/analyse-a-large-book.md)"


def test_files_page_tells_the_same_versions():
    page = (ROOT / "docs/reference/files.md").read_text(encoding="utf-8")
    for file, version, older in [
        ("a plan", _document.VERSION, ", reads 1 and 2"),
        ("`ARCHIVE/runs/RUN/`", _segments.VERSION, ", reads 1 to 3"),
        ("`ARCHIVE/index.jsonl`", _index.VERSION, ", reads 1"),
        ("`FOLDER/portfolio.json`, `FOLDER/TABLE.parquet`", _header._VERSION, PARTED),
    ]:
        (row,) = [line for line in page.splitlines() if line.startswith(f"| {file} |")]
        assert f"| {version}{older} |" in row


def test_fields_in_the_crm_are_those_that_setup_makes():
    told = [tuple(row) for row in table("Fields in the CRM")]
    assert told == [
        (f"`{name}.{field.column}`", when(field))
        for name in MANAGED
        for field in (*MANAGED[name], *HUMAN[name])
    ]


def when(field: ManagedField) -> str:
    if field.is_human:
        return "never, by people"
    # Nothing of an opportunity is written that nobody asked for, the stamp included.
    is_asked_for = field.opt_in or field.table != "account"
    return "on request" if is_asked_for else "always"


def test_the_page_of_fields_names_them_as_each_crm_does():
    page = (ROOT / "docs/reference/fields-in-the-crm.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `(\w+)` \| `(\w+)` \| `(\w+)` \|", page, re.MULTILINE)
    assert told == [
        (column, name, OUR_PROPERTIES[table][column])
        for table, names in OUR_FIELDS.items()
        for column, name in names.items()
    ]
