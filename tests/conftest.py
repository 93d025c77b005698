"""What every test may ask for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is not a slow function; speed is measured elsewhere.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real and sample data beside the checkout."""
    folder = Path(os.environ.get("CRM_PORTFOLIO_DATA", SHARED))
    if not folder.is_dir():
        pytest.skip(
            "the shared data is not on this machine: put it in ../shared/data or name "
            "its folder in CRM_PORTFOLIO_DATA"
        )
    return folder
