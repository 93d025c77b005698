"""What do we believe of the vendors that nobody has verified?

Each such belief is one constant, so that a surprise is mended in one place.
"""

from __future__ import annotations

from typing import Final

__all__ = ["COLLECTION_READ_MAX", "DUPLICATE_FIELD_CODES", "ORG_CURRENCY_FIELD"]

# Records that one POST to composite/sobjects/{Object} reads.
COLLECTION_READ_MAX: Final = 2_000

# What the Tooling API says when a custom field's name is taken.
DUPLICATE_FIELD_CODES: Final = frozenset(
    {"DUPLICATE_DEVELOPER_NAME", "DUPLICATE_VALUE"}
)

# Recorded orgs with one currency lack it; it is asked for only where describe has it.
ORG_CURRENCY_FIELD: Final = "DefaultCurrencyIsoCode"
