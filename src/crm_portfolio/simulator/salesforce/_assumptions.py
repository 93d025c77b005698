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
        bulk_quotes_all: Does a CSV of Bulk API 2.0 quote every field and show null as a
            pair of quotes? Else it quotes what needs it, and null is nothing at all.
        bulk_rows_in_id_order: Do the rows of one page of a Bulk result come in the order
            of their ids? The pages themselves come in any order.
        bulk_error_tail: What follows the message in ``sf__Error``: ``{fields}`` are the
            fields it names, separated by commas.
        bulk_oversize_status: Status for an upload beyond 100 MB.
        bulk_second_upload_status: Status for a second upload to the same job.
        collection_read_max: Ids that one collection read by POST may name.
        duplicate_field_code: Said when a custom field's name is taken.
        bad_value_refuses: Does an unknown field or a value of the wrong type in a
            collection refuse its row or the whole request?
        shows_org_currency: Does a single-currency org show its currency as
            ``Organization.DefaultCurrencyIsoCode``? Recorded orgs lack the field.
        oversize_status: Status for a request line and headers beyond 16,384 bytes.
        refused_right_code: Said when the running user lacks an administrator's right.
        all_rows: Does the REST API take ``ALL ROWS`` in a query?
        decimals: Are decimals beyond a field's scale kept, or rounded half up?
        derived_moves_stamp: Does a new ``LastActivityDate``, formula or roll-up move the
            record's SystemModstamp?
        deleted_lists_hard: Does getDeleted list what was deleted for good?
        composite_collections_max: Queries and collections among the subrequests of one
            composite request.
        conversion_rate: What ``ConversionRate`` counts: units of the currency for one of
            the org's own, or the other way round.
        tracked_fields_max: Fields of one object whose history can be tracked; none in an
            org that tracks no history of the object.
        untrackable_code: Said when one more is to be tracked.
        record_count: Does ``limits/recordCount`` count all records, or those that the
            running user sees?
    """

    bulk_quotes_all: bool = True
    bulk_rows_in_id_order: bool = False
    bulk_error_tail: Literal["{fields} --", "--"] = "{fields} --"
    bulk_oversize_status: Literal[400, 413] = 413
    bulk_second_upload_status: Literal[400, 409] = 400
    collection_read_max: int = 2000
    duplicate_field_code: str = "DUPLICATE_DEVELOPER_NAME"
    bad_value_refuses: Literal["row", "request"] = "row"
    shows_org_currency: bool = True
    oversize_status: Literal[414, 431] = 431
    refused_right_code: str = "INSUFFICIENT_ACCESS"
    all_rows: bool = False
    decimals: Literal["kept", "rounded"] = "kept"
    derived_moves_stamp: bool = False
    deleted_lists_hard: bool = True
    composite_collections_max: int = 5
    conversion_rate: Literal["foreign_per_corporate", "corporate_per_foreign"] = (
        "foreign_per_corporate"
    )
    tracked_fields_max: int = 20
    untrackable_code: str = "FIELD_INTEGRITY_EXCEPTION"
    record_count: Literal["all", "seen"] = "all"
