"""Is what pip installed what we built?"""

from __future__ import annotations

import os
from importlib import metadata, resources
from pathlib import Path

import pytest

import crm_portfolio


def test_the_version_is_the_one_of_the_distribution() -> None:
    assert crm_portfolio.__version__ == metadata.version("crm-portfolio")


def test_the_types_and_the_catalogues_are_installed() -> None:
    package = resources.files("crm_portfolio")
    assert (package / "py.typed").is_file()
    assert (package / "locales" / "en.po").is_file()
    assert (package / "locales" / "fr.po").is_file()


def test_every_public_name_can_be_had() -> None:
    for name in crm_portfolio.__all__:
        assert getattr(crm_portfolio, name) is not None


@pytest.mark.skipif(
    os.environ.get("CRM_PORTFOLIO_TARGET") != "wheel",
    reason="only `make test TARGET=wheel` installs the wheel",
)
def test_the_suite_runs_against_the_installed_wheel() -> None:
    assert "site-packages" in Path(crm_portfolio.__file__).parts
