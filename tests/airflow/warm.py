"""One process of Airflow for many commands: to start takes it longer than to work.

Reads one JSON object a line and answers each with one: a command line of Airflow's own,
Python to evaluate in its process, or what a person answers to the next request.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from functools import cache
from typing import Any

ANSWERS = os.fdopen(os.dup(1), "w")


def run(arguments: list[str]) -> int:
    """`airflow …`, as its own entry point runs it."""
    from airflow.cli import cli_parser

    args = cli_parser.get_parser().parse_args(arguments)
    try:
        args.func(args)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code)
        return end.code if isinstance(end.code, int) else 1
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def evaluate(code: str) -> Any:
    found: dict[str, Any] = {}
    exec(code, found)
    return found["answer"]


@cache
def api() -> Any:
    """Airflow's REST API, and the log-in of a person who may use it."""
    from airflow.api_fastapi.app import create_app
    from fastapi.testclient import TestClient

    client = TestClient(create_app("core"), base_url="http://localhost")
    token = client.get("/auth/token").json()["access_token"]
    client.headers["Authorization"] = f"Bearer {token}"
    return client


def respond(dag_id: str, said: dict[str, Any]) -> None:
    """As a person would: the first request of this DAG's that waits."""
    client = api()
    while True:
        waiting = client.get(f"/api/v2/dags/{dag_id}/dagRuns/~/hitlDetails").json()
        open_ones = [
            each
            for each in waiting["hitl_details"]
            if not each["response_received"]
            and each["task_instance"]["state"] == "awaiting_input"
        ]
        if open_ones:
            break
        time.sleep(0.1)
    task = open_ones[0]["task_instance"]
    where = f"dagRuns/{task['dag_run_id']}/taskInstances/{task['task_id']}/-1"
    done = client.patch(f"/api/v2/dags/{dag_id}/{where}/hitlDetails", json=said)
    assert done.status_code == 200, done.text


def told(asked: dict[str, Any]) -> dict[str, Any]:
    """What one line asks for."""
    os.environ.update(asked.get("env", {}))
    if "eval" in asked:
        return {"value": evaluate(asked["eval"])}
    if answer := asked.get("answer"):
        thread = threading.Thread(target=respond, args=answer, daemon=True)
        thread.start()
    return {"code": run(asked["run"])}


def with_output_in(path: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Do it with all that is said, by whomever, in a file."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    kept = os.dup(1), os.dup(2)
    os.dup2(file, 1)
    os.dup2(file, 2)
    try:
        return work()
    except Exception:
        traceback.print_exc()
        return {"code": 1}
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(kept[0], 1)
        os.dup2(kept[1], 2)
        for each in (file, *kept):
            os.close(each)


for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps(with_output_in(asked["log"], lambda: told(asked))), file=ANSWERS)
    ANSWERS.flush()
