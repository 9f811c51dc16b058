"""Our client and its recipes while the server under test is killed, paused and restarted."""

from pathlib import Path

import pytest

from interop import fenced, suite, tour
from interop.server import Server, kind_under_test


def test_fenced_counter(tmp_path: Path) -> None:
    with Server(kind_under_test()) as server:
        server.start()
        outcome = fenced.run(server.address, tmp_path, fenced.standalone_faults(server))
        print(outcome)
        assert outcome.steps > 2 * fenced.CLIENTS


def test_all_recipes(tmp_path: Path) -> None:
    with Server(kind_under_test(), tour.SETTINGS) as server:
        server.start()
        print("\n".join(tour.alone(server, tmp_path)))


@pytest.mark.parametrize("half", suite.HALVES)
def test_rust_suite(half: int) -> None:
    """The tests of client and recipes, with the server in another process."""
    with Server(kind_under_test(), suite.SETTINGS) as server:
        server.start()
        print(suite.run(server.address, half), "tests")
