"""The Rust tests of client and recipes (`core/tests`), pointed at a server elsewhere.

Those that use `support/service.rs` can be: they look at QUORATE_TEST_SERVERS.
"""

import json
import os
import re
import subprocess
from functools import cache
from pathlib import Path

TESTS = Path(__file__).resolve().parents[3] / "core" / "tests"
ROOT = TESTS.parents[1]

# Sessions end quickly, as in the tests' own server, and may be long; containers stay.
SETTINGS = {
    "tickTime": "200",
    "minSessionTimeout": "100",
    "maxSessionTimeout": "60000",
    "znode.container.checkIntervalMs": "60000",
}


def names() -> list[str]:
    """The test programs that can be pointed elsewhere."""
    found = [path.stem for path in TESTS.glob("*.rs") if USES.search(path.read_text("utf-8"))]
    return sorted(set(found) - OWN_SERVERS)


def program(name: str) -> str:
    """A test program that has a server of its own kind elsewhere."""
    return _built((name,))[name]


def programs() -> dict[str, str]:
    """Name -> executable, of all that `names` says."""
    return _built(tuple(names()))


@cache
def _built(names: tuple[str, ...]) -> dict[str, str]:
    """Name -> executable, built if need be."""
    command = [
        "cargo",
        "test",
        "--locked",
        "--no-run",
        "--message-format=json",
        "-p",
        "quorate",
    ]
    command += [part for name in names for part in ("--test", name)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    found = {}
    for line in built.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["kind"] == ["test"]:
            found[message["target"]["name"]] = message["executable"]
    return found


def run(address: str, half: int) -> int:
    """Runs one half of them at one server; answers how many tests there were."""
    passed, failures = 0, []
    for name, executable in sorted(programs().items())[half::2]:
        ran = subprocess.run(
            [executable, "--test-threads=1", "--exact", *_skips(name)],
            env={**os.environ, "QUORATE_TEST_SERVERS": address},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        result = re.search(r"test result: \w+\. (\d+) passed", ran.stdout)
        passed += int(result[1]) if result else 0
        if ran.returncode != 0:
            failures.append(f"{name}\n{ran.stdout[-4000:]}{ran.stderr[-4000:]}")
    assert not failures, "\n".join(failures)
    return passed


def _skips(program: str) -> list[str]:
    return [part for test in LEFT_OUT.get(program, {}) for part in ("--skip", test)]


# What is of no use at a server elsewhere, and why. The programs without `service.rs` are left
# out as a whole: `client_servers` is about servers that know nothing of each other, `wake_ups`,
# `in_process`, `pauses` and `fork` about a server in the same process, the others are no
# tests of a client.
LEFT_OUT = {
    "async_client": {
        "a_session_outlives_its_connection_and_its_process": "it stops and starts its server",
        "the_end_of_a_session_is_told_once": "it stops its server",
        "nobody_there_is_an_error_in_time": "there is no server",
        "a_task_that_never_waits_lets_the_others_run": "only one in the process is so fast",
    },
    "client_metrics": {
        "retries_and_reconnects_are_counted": "it stops and starts its server",
    },
}

# `recipe_ends` needs what only servers of its own have: directories without numbers, and a
# reaper that looks all the time. `recipe_crowds` has been tried with servers of its own only.
OWN_SERVERS = {"recipe_crowds", "recipe_ends"}

# They mostly wait, so two servers with one half each take half the time.
HALVES = (0, 1)

# The other two include `service.rs`.
USES = re.compile(r"#\[path = .support/(tasks|recipes|service)\.rs.\]")
