"""Is the site whole, and does it need nobody else?"""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Mapping
from html.parser import HTMLParser
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from crm_portfolio import errors
from crm_portfolio._wording import CODES
from crm_portfolio.schema import FAULTS, TABLES

pytest.importorskip("mkdocs", reason="the site is not built here")
ROOT = Path(__file__).resolve().parents[1]
DOCUMENTED = (
    "crm_portfolio",
    "crm_portfolio.analysis",
    "crm_portfolio.testing",
    "crm_portfolio.simulator",
)
NOWHERE = "http://127.0.0.1:9"  # a door that nobody opens


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as `make docs` does, where every way out of the machine is shut."""
    to = tmp_path_factory.mktemp("site")
    shut = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), NOWHERE)
    shut |= {name.lower(): NOWHERE for name in shut} | {"NO_PROXY": "", "no_proxy": ""}
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", to],
        check=False,
        capture_output=True,
        cwd=ROOT,
        encoding="utf-8",
        env={**os.environ, **shut, "NO_MKDOCS_2_WARNING": "1"},
        timeout=300,
    )
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    return to


class Page(HTMLParser):
    """What a browser would load by itself, and what a reader can read."""

    _LOADS: Mapping[str, str] = {
        "script": "src",
        "img": "src",
        "iframe": "src",
        "link": "href",
        "source": "src",
    }

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        wanted = given.get(self._LOADS.get(tag, ""))
        if wanted and given.get("rel") not in ("canonical", "next", "prev"):
            self.loaded.append(wanted)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_no_page_asks_anybody_else_for_anything(site: Path) -> None:
    pages = [*site.rglob("*.html")]
    assert len(pages) > 60
    asked = {
        (page.name, address)
        for page in pages
        for address in Page(page.read_text(encoding="utf-8")).loaded
        if "//" in address
    }
    assert not asked
    styles = "".join(file.read_text("utf-8") for file in site.rglob("*.css"))
    assert not re.search(r"(?:@import|url\()\s*['\"]?(?:https?:)?//", styles)


def _inventory(site: Path) -> set[str]:
    """The names that other sites could link to here."""
    packed = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    lines = zlib.decompress(packed).decode().splitlines()
    return {line.split(" ", 1)[0] for line in lines}


@pytest.mark.parametrize("module", DOCUMENTED)
def test_every_public_name_is_in_the_reference(site: Path, module: str) -> None:
    found = import_module(module)
    wanted = {
        f"{module}.{name}"
        for name in found.__all__
        if not inspect.ismodule(getattr(found, name))
    }
    assert wanted
    assert not wanted - _inventory(site)


def _words(site: Path, page: str) -> str:
    return Page((site / page).read_text(encoding="utf-8")).text


def test_every_code_is_on_the_page_of_codes(site: Path) -> None:
    from crm_portfolio.archive import PERMANENT

    said = set(re.findall(r"\w+", _words(site, "reference/codes.html")))
    spec = spec_from_file_location("site_of_ours", ROOT / "docs/site.py")
    assert spec is not None
    assert spec.loader is not None
    made_by = module_from_spec(spec)
    spec.loader.exec_module(made_by)
    sentences = {code for code in CODES if not made_by.is_word_of_a_page(code)}
    assert len(sentences) > 900
    assert not sentences - said
    assert not FAULTS.keys() - said
    assert not PERMANENT - said
    assert not {name for name in errors.__all__ if name.endswith("Error")} - said


def test_both_languages_are_on_the_page_of_codes(site: Path) -> None:
    said = " ".join(_words(site, "reference/codes.html").split())
    assert "Period: " in said
    assert "Période" in said


def test_every_page_has_its_place_in_the_navigation() -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("\nnav:", 1)[1]
    named = re.findall(r"([\w/-]+\.md)$", nav, re.MULTILINE)
    pages = {p.relative_to(ROOT / "docs").as_posix() for p in ROOT.glob("docs/**/*.md")}
    assert sorted(named) == sorted(set(named)), "a page stands there twice"
    assert set(named) == pages


def test_each_table_is_a_heading_of_the_schema_page(site: Path) -> None:
    page = (site / "reference/tables.html").read_text(encoding="utf-8")
    assert not [name for name in TABLES if f'id="{name}"' not in page]


def test_the_glossary_has_both_languages() -> None:
    page = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:-1] for line in page.splitlines() if line[:1] == "|"]
    assert [cell.strip() for cell in rows[0]] == ["say", "for", "in French"]
    assert all(len(row) == 3 and row[2].strip() for row in rows)
