"""429: the SDK waits as long as it is told, and goes on."""

import time

from azure.core.exceptions import HttpResponseError

from .azure import client, control, expect, expect_error

# The bucket of reads of one cluster holds 60 and gains one a second: enough of them empty it.
ENOUGH = 300


def check_the_sdk_waits_when_it_is_throttled():
    azure = client()
    start = time.monotonic()
    until(lambda: azure.managed_clusters.get("throttled", "weu"), lambda: 429 in statuses())
    expect("status in the end", statuses()[-1], 200)
    expect("it waited", time.monotonic() - start >= 1, True)

    at_once = client(retry_total=0)
    error = expect_error(
        lambda: until(lambda: at_once.managed_clusters.get("throttled", "weu"), lambda: False),
        HttpResponseError, 429, "Throttled", "request limit has been exceeded",
    )
    expect("seconds to stay away", error.response.headers["Retry-After"].isdigit(), True)


def until(call, holds):
    for _ in range(ENOUGH):
        call()
        if holds():
            return
    raise AssertionError(f"not throttled in {ENOUGH} calls")


def statuses():
    return [entry["status"] for entry in control("/log") if entry["path"].endswith("/managedClusters/weu")]
