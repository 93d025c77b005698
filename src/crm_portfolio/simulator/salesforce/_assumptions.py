"""Which vendor behaviour is not verified, and which answer does the simulator give?

Each attribute is one such fact: turn it to see that a client does not depend on it.
"""

from __future__ import annotations

from typing import Literal

import attrs

__all__ = ["Assumptions"]


@attrs.frozen
class Assumptions:
    """Unverified facts; the defaults are what we believe.

    Attributes:
        collection_read_max: Ids that one collection read by POST may name.
        duplicate_field_code: Said when a custom field's name is taken.
        bad_value_refuses: Does an unknown field or a value of the wrong type in a
            collection refuse its row or the whole request?
        shows_org_currency: Does a single-currency org show its currency as
            ``Organization.DefaultCurrencyIsoCode``? Recorded orgs lack the field.
        oversize_status: Status for a request line and headers beyond 16,384 bytes.
        refused_right_code: Said when the running user lacks an administrator's right.
    """

    collection_read_max: int = 2000
    duplicate_field_code: str = "DUPLICATE_DEVELOPER_NAME"
    bad_value_refuses: Literal["row", "request"] = "row"
    shows_org_currency: bool = True
    oversize_status: Literal[414, 431] = 431
    refused_right_code: str = "INSUFFICIENT_ACCESS"
