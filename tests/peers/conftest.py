"""Fixtures: a fresh server under test and beside it Apache's to compare with."""

import signal
from collections.abc import Iterator

import pytest

from interop.pair import Pair
from interop.players import Company, company
from interop.server import Kind, Server, kind_under_test


def pytest_configure() -> None:
    """SIGTERM ends like Ctrl-C, so that no server outlives the tests."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two running servers; with PEER=apache both are Apache's, which checks the test."""
    with Server(kind_under_test()) as tested, Server(Kind.APACHE) as apache:
        pair = Pair(tested, apache)
        pair.both(Server.start)
        yield pair


@pytest.fixture(scope="session")
def together(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """Clients of all kinds at one server under test."""
    with (
        Server(kind_under_test()) as server,
        company(_started(server), tmp_path_factory.mktemp("peers")) as peers,
    ):
        peers.warm_up("curator-5.4", "curator-5.9", "go-zookeeper", "quorate")
        yield peers


def _started(server: Server) -> Server:
    server.start()
    return server
