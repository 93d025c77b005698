"""What is compared: the floor, ours, and what a user would write."""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from typing import Any, Final

AS_OF: Final = date(2026, 6, 30)
_CHUNK: Final = 1 << 20
_KEPT: Final = 20_000  # records behind one batch, as ours
_DEAL: Final = (
    "dealname", "amount", "dealstage", "pipeline", "closedate", "createdate",
    "hubspot_owner_id", "hs_is_closed", "hs_is_closed_won", "hs_is_closed_lost",
    "hs_primary_associated_company", "hs_next_step",
    *(f"note_{number}" for number in range(8)),
)  # fmt: skip
_FIELDS: Final = (
    "Id", "AccountId", "Name", "OwnerId", "StageName", "IsClosed", "IsWon", "Amount",
    "CreatedDate", "CloseDate", "LeadSource", "NextStep",
    *(f"note_{number}__c" for number in range(8)),
)  # fmt: skip
_TAKEN: Final = {  # custom columns need a home in the model; text columns of ours lend it
    "loss_reason": 0, "competitor": 1, "product_id": 2,
}  # fmt: skip


def _hubspot_settings() -> Any:
    from crm_portfolio.connectors.hubspot import HubSpotSettings

    return HubSpotSettings(tables=("account", "opportunity"), exports="never")


def hubspot_floor() -> int:
    """The vendor's client below its models, orjson, Arrow; nothing else."""
    import orjson
    import pyarrow as pa
    from hubspot import HubSpot

    client = HubSpot(
        access_token=os.environ["HUBSPOT_ACCESS_TOKEN"],
        host=os.environ["HUBSPOT_API_URL"],
    )
    api = client.crm.deals.basic_api
    api.api_client.set_default_header("Accept-Encoding", "gzip")
    kind = pa.struct([(name, pa.string()) for name in _DEAL])
    rows, kept, after = 0, [], None
    tables = []
    while True:
        more = {} if after is None else {"after": after}
        reply = api.get_page(
            limit=100, properties=list(_DEAL), _preload_content=False, **more
        )
        page = orjson.loads(reply.data)
        kept += [record["properties"] for record in page["results"]]
        after = page.get("paging", {}).get("next", {}).get("after")
        if len(kept) >= _KEPT or after is None:
            tables.append(
                pa.Table.from_arrays(pa.array(kept, kind).flatten(), list(_DEAL))
            )
            rows += len(kept)
            kept = []
            tables.clear()
        if after is None:
            return rows


def hubspot_user() -> int:
    """What a user would write: all pages as models, then a frame."""
    import pandas as pd
    from hubspot import HubSpot

    client = HubSpot(
        access_token=os.environ["HUBSPOT_ACCESS_TOKEN"],
        host=os.environ["HUBSPOT_API_URL"],
    )
    deals = client.crm.deals.get_all(properties=list(_DEAL))
    return len(pd.DataFrame([deal.properties for deal in deals]))


def _salesforce_client() -> Any:
    import requests
    from requests.adapters import HTTPAdapter
    from simple_salesforce import Salesforce

    from crm_portfolio.connectors.salesforce._login import login_from

    class PlainHttp(HTTPAdapter):
        def send(self, request: Any, **given: Any) -> Any:
            request.url = request.url.replace("https://", "http://", 1)
            return super().send(request, **given)

    ticket = login_from(os.environ).ticket(timeout=(10.0, 60.0))
    session = requests.Session()
    session.mount("https://", PlainHttp())
    return Salesforce(
        session=session,
        session_id=ticket.token,
        instance=ticket.origin.netloc,
        version="66.0",
    )


def bulk_floor() -> int:
    """Bare streaming in 1 MiB chunks into pyarrow.csv, every column as text."""
    import io

    import pyarrow as pa
    from pyarrow import csv

    client = _salesforce_client()
    jobs = client.bulk2_url + "query"
    soql = f"SELECT {', '.join(_FIELDS)} FROM Opportunity"
    made = client.session.post(
        jobs, headers=client.headers, json={"operation": "query", "query": soql}
    ).json()
    while client.session.get(f"{jobs}/{made['id']}", headers=client.headers).json()[
        "state"
    ] not in ("JobComplete", "Failed"):
        time.sleep(0.05)
    rows, locator = 0, ""
    while locator != "null":
        query = {"maxRecords": "100000", **({"locator": locator} if locator else {})}
        reply = client.session.get(
            f"{jobs}/{made['id']}/results",
            params=query,
            headers={**client.headers, "Accept": "text/csv"},
            stream=True,
        )
        page = b"".join(reply.iter_content(_CHUNK))
        table = csv.read_csv(
            io.BytesIO(page),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(_FIELDS, pa.string()),
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
                null_values=[""],
            ),
        )
        rows += len(table)
        locator = reply.headers["Sforce-Locator"]
    return rows


def salesforce_user() -> int:
    """What a user would write: query_all, then a frame."""
    import pandas as pd

    client = _salesforce_client()
    soql = f"SELECT {', '.join(_FIELDS)} FROM Opportunity"
    records = client.query_all(soql)["records"]
    return len(pd.DataFrame(records).drop(columns="attributes"))


def _connected(crm: str) -> Any:
    from crm_portfolio import connect

    settings: Any
    # Eight custom fields beside the model's own make 20 in the request.
    if crm == "hubspot":
        settings = _hubspot_settings()
    else:
        from crm_portfolio.connectors.salesforce import SalesforceSettings

        settings = SalesforceSettings(tables=("account", "opportunity"), bulk="always")
    return connect(crm, settings=settings)


def typed(crm: str) -> int:
    """Ours, as typed batches that nobody keeps."""
    return sum(batch.rows.num_rows for batch in _connected(crm).pull("opportunity"))


def folder(crm: str) -> int:
    """Ours, pulled to a folder."""
    import pyarrow.parquet as pq

    from crm_portfolio import pull

    with tempfile.TemporaryDirectory() as place:
        pull(_connected(crm), as_of=AS_OF, into=place)
        rows: int = pq.read_metadata(f"{place}/opportunity.parquet").num_rows
        return rows


CONTENDERS: Final[dict[str, Callable[..., int]]] = {
    "hubspot-floor": hubspot_floor,
    "hubspot-user": hubspot_user,
    "bulk-floor": bulk_floor,
    "salesforce-user": salesforce_user,
    "typed": typed,
    "folder": folder,
}


def _warm() -> None:
    """Imports are not what is compared."""
    import crm_portfolio.connectors.hubspot
    import hubspot  # noqa: F401
    import orjson  # noqa: F401
    import pandas as pd  # noqa: F401
    import pyarrow.csv
    import pyarrow.parquet  # noqa: F401
    import simple_salesforce  # noqa: F401

    import crm_portfolio._pull
    import crm_portfolio.connectors.salesforce  # noqa: F401


def _used() -> tuple[float, float]:
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime, spent.ru_maxrss / 1024


def main() -> None:
    name, *more = sys.argv[1:]
    _warm()
    cpu, baseline = _used()
    start = time.monotonic()
    rows = CONTENDERS[name](*more)
    after, peak = _used()
    print(
        json.dumps(
            {
                "cpu_seconds": after - cpu,
                "wall_seconds": time.monotonic() - start,
                "peak_mb": peak,
                "baseline_mb": baseline,
                "rows": rows,
            }
        )
    )


if __name__ == "__main__":
    main()
