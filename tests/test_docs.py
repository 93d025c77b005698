"""Is what the pages say about the house true of the house?"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import attrs
import pytest

from crm_portfolio import Settings
from crm_portfolio.connectors.hubspot import HubSpotSettings
from crm_portfolio.connectors.salesforce import SalesforceSettings

ROOT = Path(__file__).resolve().parents[1]


def test_the_architecture_page_draws_the_checked_layers() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = config["tool"]["importlinter"]["contracts"][0]["layers"]
    page = (ROOT / "docs/explanation/architecture.md").read_text(encoding="utf-8")
    house = page.split("```text")[2].split("```")[0]
    drawn = [re.split(r"\s{2,}", line)[0] for line in house.strip().splitlines()]
    assert drawn == layers


@pytest.mark.parametrize(
    "page",
    [
        "reference/settings",
        "how-to/connect-a-crm",
        "how-to/map-your-fields",
        "how-to/run-every-night",
    ],
)
def test_settings_on_a_page_can_be_loaded(page: str, tmp_path: Path) -> None:
    shown = (ROOT / f"docs/{page}.md").read_text(encoding="utf-8").split("```toml")[1:]
    assert shown
    for part in shown:
        file = tmp_path / "portfolio.toml"
        file.write_text(part.split("```")[0], encoding="utf-8")
        Settings.load(file)
        for org in Settings.orgs(file):
            Settings.load(file, org=org)


def test_every_setting_of_a_crm_is_on_the_page() -> None:
    page = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
    for layer in (SalesforceSettings, HubSpotSettings):
        for key in attrs.fields_dict(layer):
            assert f"`{key}`" in page, f"{layer.__name__}.{key}"


def test_links_between_pages_lead_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert not broken


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        targets = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text("utf-8"))
        waiting += [
            (page.parent / target).resolve()
            for target in targets
            if "://" not in target
        ]
    unreachable = {page.resolve() for page in ROOT.glob("docs/**/*.md")} - seen
    assert not unreachable


def test_the_tests_of_a_job_pass_as_the_page_shows_them(tmp_path: Path) -> None:
    page = (ROOT / "docs/how-to/test-your-job.md").read_text(encoding="utf-8")
    files = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", page, re.DOTALL))
    assert sorted(files) == ["job.py", "test_job.py"]
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
        capture_output=True,
        check=False,
        cwd=tmp_path,
        encoding="utf-8",
        timeout=300,
    )
    assert run.returncode == 0, run.stdout
    assert f"{files['test_job.py'].count('def test_')} passed" in run.stdout


def test_the_first_page_says_what_each_extra_brings() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    page = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \|", page.partition("| extra |")[2], re.MULTILINE)
    told = re.findall(r"`(\w+)`", " ".join(rows))
    assert sorted(told) == sorted(project["project"]["optional-dependencies"])


def test_the_pins_carry_no_index_address() -> None:
    for pins in (ROOT / "pins").glob("*.txt"):
        text = pins.read_text(encoding="utf-8")
        assert "://" not in text
        assert "index" not in text
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", text)
