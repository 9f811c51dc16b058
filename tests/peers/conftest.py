"""Fixtures: a fresh server under test and beside it Apache's to compare with."""

import signal
from collections.abc import Iterator

import pytest

from interop.pair import Pair
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
