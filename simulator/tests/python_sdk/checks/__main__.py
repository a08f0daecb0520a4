"""Runs all functions `check_…` of the modules that are named, side by side, and says what became of each.

With `--quirks` the simulator first gets all of `QUIRKS`: what Azure does now and then must not disturb the SDK.
"""

import importlib
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor

from .azure import control

# What a client that is written against the documentation has to bear with. What fails does so every second
# time for one that asks alone, so that the next try succeeds.
QUIRKS = [
    {"quirk": "nullArrays"},
    {"quirk": "unsortedUpgrades"},
    {"quirk": "otherCaseIds"},
    {"quirk": "unknownFields"},
    {"quirk": "numbersForStrings"},
    {"quirk": "emptyPages"},
    {"quirk": "errorInSucceeded"},
    {"quirk": "failingPolls", "clusters": ["pool"], "every": 2},
    {"quirk": "failingReads", "clusters": ["image"], "calls": ["getPool"], "every": 2},
    {"quirk": "throttled", "clusters": ["if-match"], "calls": ["getCluster"], "every": 2, "seconds": 1},
]

# Most of a check's time is spent waiting for an operation.
AT_ONCE = 8


def main(modules):
    quirky = modules[0] == "--quirks"
    if quirky:
        modules = modules[1:]
        for quirk in QUIRKS:
            control("/quirks", quirk)
    checks = [check for name in modules for check in checks_of(name)]
    if not checks:
        sys.exit(f"no checks in {modules}")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        failed = [name for name, error in pool.map(run, checks) if error]
    idle = [rule for rule in control("/quirks") if rule["struck"] == 0] if quirky else []
    if idle:
        sys.exit(f"these quirks did not strike: {idle}")
    print(f"{len(checks) - len(failed)} of {len(checks)} checks hold")
    if failed:
        sys.exit("failed: " + ", ".join(failed))


def checks_of(module):
    functions = vars(importlib.import_module(f"checks.{module}"))
    return [(f"{module}.{name}", function) for name, function in functions.items() if name.startswith("check_")]


def run(named):
    name, function = named
    start = time.monotonic()
    try:
        function()
        error = ""
    except Exception:  # Whatever goes wrong in a check is its failure.
        error = traceback.format_exc()
    verdict = "FAILED" if error else "ok"
    print(f"{verdict:6} {name} ({time.monotonic() - start:.1f} s)\n{error}", end="", flush=True)
    return name, error


main(sys.argv[1:])
