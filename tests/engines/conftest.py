"""One Spark for all tests, and one folder that every engine reads."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gappy_book import AS_OF, tables

from crm_portfolio.portfolio import Calendar, Portfolio

TIMES = 12  # so that no table that is long is as short as what is counted of it

# For tables this small, to translate a plan takes longer than to interpret it, and two
# calls of three only told where in our code an expression was made.
SPARK = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "2g",
    "spark.python.sql.dataFrameDebugging.enabled": "false",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "1",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    if "JAVA_HOME" not in os.environ and shutil.which("java") is None:
        pytest.skip("PySpark needs Java 17, which is not on this machine")
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master("local[2]")
    for name, value in SPARK.items():
        builder = builder.config(name, value)
    interrupted = signal.getsignal(signal.SIGINT)
    session = builder.getOrCreate()
    # Spark takes Ctrl-C for itself, and would keep it from the tests that come after.
    signal.signal(signal.SIGINT, interrupted)
    session.sparkContext.setLogLevel("ERROR")
    # Each of a quarter of a million little objects would be given back in a call of its own.
    client = session.sparkContext._gateway._gateway_client
    client.gateway_property.enable_memory_management = False
    yield session
    session.stop()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("engines") / "book"
    book = Portfolio.from_frames(
        as_of=AS_OF, currency="EUR", calendar=Calendar("Europe/Paris"), **tables(TIMES)
    )
    book.save(place)
    return place
