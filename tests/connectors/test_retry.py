"""What may a person say about patience?"""

from __future__ import annotations

import pytest

from crm_portfolio.connectors._retry import RetrySettings
from crm_portfolio.errors import SettingsError


@pytest.mark.parametrize(
    "wrong",
    [{"attempts": 0}, {"first_wait_seconds": -1.0}, {"longest_wait_seconds": -1.0}],
)
def test_patience_that_cannot_be_had_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="no negative wait"):
        RetrySettings(**wrong)
