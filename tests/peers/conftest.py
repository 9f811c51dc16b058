"""Fixtures: a fresh server under test, and beside it Apache's to compare with."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from interop.server import Kind, Server, kind_under_test

Result = TypeVar("Result")


class Pair:
    """The server under test and Apache's, both fresh."""

    def __init__(self, tested: Server, apache: Server) -> None:
        self.tested = tested
        self.apache = apache

    def both(self, work: Callable[[Server], Result]) -> tuple[Result, Result]:
        """`work` on both at the same time: (tested, apache)."""
        with ThreadPoolExecutor(2) as pool:
            tested = pool.submit(work, self.tested)
            apache = pool.submit(work, self.apache)
            return tested.result(), apache.result()


@pytest.fixture
def server() -> Iterator[Server]:
    """A running server of the kind under test."""
    with Server(kind_under_test()) as server:
        server.start()
        yield server


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two running servers; with PEER=apache both are Apache's, which checks the test."""
    with Server(kind_under_test()) as tested, Server(Kind.APACHE) as apache:
        starting = threading.Thread(target=apache.start)
        starting.start()
        tested.start()
        starting.join()
        yield Pair(tested, apache)
