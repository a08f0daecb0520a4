"""429: the SDK waits as long as it is told, and goes on."""

import time

from azure.core.exceptions import HttpResponseError

from .azure import client, control, expect, expect_error


def check_the_sdk_waits_when_it_is_throttled():
    azure = client()
    start = time.monotonic()
    # The bucket of GETs of one cluster holds 60.
    for _ in range(62):
        expect("a cluster", azure.managed_clusters.get("throttled", "weu").name, "weu")
    statuses = [entry["status"] for entry in control("/log") if entry["path"].endswith("/weu")]
    expect("a refusal, and a success at the end", (429 in statuses, statuses[-1]), (True, 200))
    expect("it waited", time.monotonic() - start >= 1, True)
    once = client(retry_total=0)

    def until_refused():
        for _ in range(70):
            once.managed_clusters.get("throttled", "weu")

    error = expect_error(until_refused, HttpResponseError, 429, "Throttled", "throttled")
    expect("seconds to stay away", error.response.headers["Retry-After"].isdigit(), True)
