"""What is compared: the floor, ours, and what a user would write."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, Final

AS_OF: Final = date(2026, 6, 30)
_CHUNK: Final = 1 << 20
_MEMORY: Final = "/dev/shm"
_KEPT: Final = 20_000  # records that become one table
# Two columns of the book's own make it 20 fields in the request.
_OWN: Final = ("competitor", "product_id")


def connected(crm: str) -> Any:
    """Our connector, at its quickest: no pace but the CRM's own, Bulk, no export."""
    from crm_portfolio import connect

    settings: Any
    if crm == "hubspot":
        from crm_portfolio.connectors.hubspot import HubSpotSettings

        settings = HubSpotSettings(
            tables=("account", "opportunity"),
            exports="never",
            burst_calls=1_000_000,
            fields={"opportunity": {c: f"note_{n}" for n, c in enumerate(_OWN)}},
        )
    else:
        from crm_portfolio.connectors.salesforce import SalesforceSettings

        settings = SalesforceSettings(
            tables=("account", "opportunity"),
            bulk="always",
            fields={"opportunity": {c: f"Note_{n}__c" for n, c in enumerate(_OWN)}},
        )
    return connect(crm, settings=settings)


def asked(crm: str) -> list[str]:
    """The fields that ours asks for, so that the others ask for the same."""
    source = connected(crm)
    if crm == "hubspot":
        return list(source._layouts("opportunity")[0].properties)  # noqa: SLF001
    legs, _ = source._tables.legs(  # noqa: SLF001 - what is compared must ask alike
        "opportunity", None, is_increment=False, org=source.org()
    )
    return list(legs[0].select_since(None).query.fields)


def hubspot_floor(names: list[str]) -> int:
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
    kind = pa.struct([(name, pa.string()) for name in names])
    rows, kept, after = 0, [], None
    while True:
        more = {} if after is None else {"after": after}
        reply = api.get_page(
            limit=100,
            properties=names,
            associations=["companies"],
            _preload_content=False,
            **more,
        )
        page = orjson.loads(reply.data)
        kept += [record["properties"] for record in page["results"]]
        after = page.get("paging", {}).get("next", {}).get("after")
        if len(kept) >= _KEPT or after is None:
            rows += pa.Table.from_arrays(pa.array(kept, kind).flatten(), names).num_rows
            kept = []
        if after is None:
            return rows


def hubspot_user(names: list[str]) -> int:
    """What a user would write: all pages as models, then a frame."""
    import pandas as pd
    from hubspot import HubSpot

    client = HubSpot(
        access_token=os.environ["HUBSPOT_ACCESS_TOKEN"],
        host=os.environ["HUBSPOT_API_URL"],
    )
    deals = client.crm.deals.get_all(properties=names, associations=["companies"])
    return len(pd.DataFrame([{**deal.properties, **_company(deal)} for deal in deals]))


def _company(deal: Any) -> dict[str, str]:
    linked = (deal.associations or {}).get("companies")
    return {"company": linked.results[0].id} if linked else {}


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


def bulk_floor(names: list[str]) -> int:
    """Bare streaming in 1 MiB chunks into pyarrow.csv, every column as text."""
    import io

    import pyarrow as pa
    from pyarrow import csv

    client = _salesforce_client()
    jobs = client.bulk2_url + "query"
    soql = f"SELECT {', '.join(names)} FROM Opportunity"
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
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
                null_values=[""],
            ),
        )
        rows += len(table)
        locator = reply.headers["Sforce-Locator"]
    return rows


def salesforce_user(names: list[str]) -> int:
    """What a user would write: query_all, then a frame."""
    import pandas as pd

    client = _salesforce_client()
    soql = f"SELECT {', '.join(names)} FROM Opportunity"
    records = client.query_all(soql)["records"]
    return len(pd.DataFrame(records).drop(columns="attributes"))


def typed(crm: str) -> int:
    """Ours, as typed batches that nobody keeps."""
    return sum(batch.rows.num_rows for batch in connected(crm).pull("opportunity"))


def folder(crm: str) -> int:
    """Ours, pulled to a folder."""
    import pyarrow.parquet as pq

    from crm_portfolio import pull

    # In memory where that can be had: a disk's own time is no cost of the client.
    memory = _MEMORY if Path(_MEMORY).is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as place:
        pull(connected(crm), as_of=AS_OF, into=place)
        rows: int = pq.read_metadata(f"{place}/opportunity.parquet").num_rows
        return rows


OTHERS: Final[dict[str, tuple[str, Callable[[list[str]], int]]]] = {
    "hubspot-floor": ("hubspot", hubspot_floor),
    "hubspot-user": ("hubspot", hubspot_user),
    "bulk-floor": ("salesforce", bulk_floor),
    "salesforce-user": ("salesforce", salesforce_user),
}
OURS: Final[dict[str, Callable[[str], int]]] = {"typed": typed, "folder": folder}


def _contender(name: str, more: list[str]) -> Callable[[], int]:
    if name in OURS:
        return lambda: OURS[name](*more)
    crm, run = OTHERS[name]
    names = asked(crm)
    return lambda: run(names)


def _warm() -> None:
    """Imports are not what is compared."""
    import hubspot  # noqa: F401
    import orjson  # noqa: F401
    import pandas as pd  # noqa: F401
    import pyarrow.csv
    import pyarrow.parquet  # noqa: F401
    import simple_salesforce  # noqa: F401

    import crm_portfolio._pull  # noqa: F401

    for crm in ("hubspot", "salesforce"):  # what a connector loads when it is used
        connector = importlib.import_module(f"crm_portfolio.connectors.{crm}")
        for module in pkgutil.iter_modules(connector.__path__):
            importlib.import_module(f"{connector.__name__}.{module.name}")


def _used() -> tuple[float, float]:
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime, spent.ru_maxrss / 1024


def main() -> None:
    name, *more = sys.argv[1:]
    _warm()
    run = _contender(name, more)
    cpu, baseline = _used()
    start = time.monotonic()
    rows = run()
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
