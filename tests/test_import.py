"""Is the door light, and does every public name stand behind it?"""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

import crm_portfolio

HEAVY = (
    "pandas",
    "numpy",
    "pyarrow",
    "narwhals",
    "scipy",
    "sklearn",
    "matplotlib",
    "simple_salesforce",
    "hubspot",
    "requests",
    "duckdb",
    "typer",
)
UNASKED = ("scipy", "sklearn", "matplotlib", "simple_salesforce", "duckdb")
ALLOWED_SECONDS = 0.15


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    return done.stdout


def loaded(code: str) -> set[str]:
    said = python(f"{code}\nimport sys; print(*sys.modules, sep='\\n')")
    return {name.partition(".")[0] for name in said.splitlines()}


def test_importing_the_library_loads_nothing_heavy() -> None:
    assert loaded("import crm_portfolio").isdisjoint(HEAVY)


def test_a_portfolio_loads_neither_a_crm_client_nor_charts() -> None:
    code = "from crm_portfolio import Portfolio, Period, pull, connect"
    assert loaded(code).isdisjoint(UNASKED)


def test_the_vocabulary_loads_no_data_frame() -> None:
    assert "pandas" not in loaded("import crm_portfolio.protocols")


def test_importing_the_library_takes_no_time_to_speak_of() -> None:
    def best(code: str) -> float:
        taken = []
        for _ in range(5):
            start = time.perf_counter()
            python(code)
            taken.append(time.perf_counter() - start)
        return min(taken)

    assert best("import crm_portfolio") - best("pass") < ALLOWED_SECONDS


@pytest.mark.parametrize("name", crm_portfolio.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(crm_portfolio, name) is not None
    assert name in dir(crm_portfolio)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = crm_portfolio.nothing  # type: ignore[attr-defined]
