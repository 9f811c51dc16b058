"""The server under test and Apache's side by side, for comparing what they answer."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from interop.server import Server

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
