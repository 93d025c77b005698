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
        unknown_properties: Are names that no property has left out in silence?
        unchanged_write_bumps: Does writing the value that is there move the stamp?
            A recorded update with the same values did not.
        null_in_write: Is a null among the values ignored, or is the request refused?
        duplicates_in_batch: Does an id that comes twice in a batch refuse it?
        key_without_id_property: Is an update by something else than an id an error, or
            does it pass and change nothing?
        malformed_token_status: Status for a token that cannot be one.
        long_url_bytes: The longest URL that is served.
        long_url_status: Status for a longer one.
        refresh_error: Does a failed refresh say why in ``status``, or as OAuth's RFC has it?
        retry_after: Does a 429 carry Retry-After?
        rate_error: Is a 429 described by ``policyName`` and ``errorType``, or by
            ``category``, as was once recorded for search?
        over_limit_status: Status for a page that is larger than allowed.
        inner_page: Linked records of one record that a list shows inline before an
            inner ``paging`` tells that there are more.
        list_cursor: Is the cursor of a list the next id, or something opaque?
        merged_read: Does the id of a merge's loser mean the winner?
        merged_ids: Does a winner name all that are now part of it, those that its loser
            had taken in included, or only its own losers?
        iso_in_search: Does a search filter take ISO moments besides milliseconds?
        search_tells_day: Does a search's reply tell how many calls the day has left? It
            did in a recording of 2022; the vendor's docs say no.
        dated_partial_status: Status of a partial batch in the dated paths.
        history_batch: Ids of one batch read with history.
        association_batch: Ids of one batch read of associations in the dated paths.
        association_page: Linked records of one record in one reply.
        no_association_says: The subCategory of an input that has no link.
        no_association_status: Status when an input has no link.
        existing_property_status: Status for a property whose name is taken.
        existing_property_category: What that refusal is called.
        rates_lead: Does an exchange rate lead to the portal's currency or from it?
        exports_at_once: Does a second export wait for the first, or is it refused?
        exported_moments: With internal values, are moments of an export as the API
            shows them, or minutes of the portal's zone?
        daily_limit_pro: Calls a day in the professional tier.
    """

    unknown_properties: Literal["ignored", "refused"] = "ignored"
    unchanged_write_bumps: bool = False
    null_in_write: Literal["ignored", "refused"] = "ignored"
    duplicates_in_batch: Literal["refused", "last"] = "refused"
    key_without_id_property: Literal["error", "silent"] = "error"
    malformed_token_status: Literal[401, 530] = 401
    long_url_bytes: int = 8_192
    long_url_status: Literal[400, 414, 502] = 414
    refresh_error: Literal["status", "rfc"] = "status"
    retry_after: bool = True
    rate_error: Literal["policy", "category"] = "policy"
    over_limit_status: Literal[400] | None = 400
    inner_page: int = 100
    list_cursor: Literal["next_id", "opaque"] = "next_id"
    merged_read: bool = True
    merged_ids: Literal["all", "own"] = "all"
    iso_in_search: bool = True
    search_tells_day: bool = False
    dated_partial_status: Literal[200, 207] = 200
    history_batch: int = 50
    association_batch: int = 1_000
    association_page: int = 500
    no_association_says: str | None = "crm.associations.NO_ASSOCIATIONS_FOUND"
    no_association_status: Literal[200, 207] = 207
    existing_property_status: Literal[400, 409] = 409
    existing_property_category: Literal["OBJECT_ALREADY_EXISTS", "CONFLICT"] = (
        "OBJECT_ALREADY_EXISTS"
    )
    rates_lead: Literal["to_company", "from_company"] = "to_company"
    daily_limit_pro: int = 625_000
    exports_at_once: Literal["queued", "refused"] = "queued"
    exported_moments: Literal["iso", "local"] = "iso"
