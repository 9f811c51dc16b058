"""How results reach an event loop: one hub for each, which the loop reads once per batch."""

import asyncio
import os
import threading
from asyncio import CancelledError, Future
from typing import Any
from weakref import WeakKeyDictionary

from quorate import _quorate
from quorate._quorate import Feed, Hub, Running

_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()
_lock = threading.Lock()


def _forked() -> None:
    global _lock
    _lock = threading.Lock()
    _quorate.forked()


os.register_at_fork(after_in_child=_forked)


def hub_of(loop: asyncio.AbstractEventLoop) -> Hub:
    """The hub of a loop; it does not keep the loop alive."""
    with _lock:
        hub = _hubs.get(loop)
        if hub is None:
            hub = Hub()
            try:
                loop.add_reader(hub.fileno(), hub.drain)
            except NotImplementedError:
                raise RuntimeError(
                    f"quorate needs an event loop that can watch file descriptors; {loop!r} cannot"
                ) from None
            _hubs[loop] = hub
        return hub


async def finish(started: tuple[Future[Any], Running]) -> Any:
    """Waits for a call that may take long. Cancelled, it gives up what the call was after."""
    future, call = started
    try:
        return await future
    except CancelledError:
        call.cancel()
        # The result came in the same turn of the loop, and nobody will ever have it.
        if future.done() and not future.cancelled() and future.exception() is None:
            discard = getattr(future.result(), "discard", None)
            if discard is not None:
                discard()
        raise


async def arrivals(feed: Feed, timeout: float | None) -> list[Any]:
    """What has come; waits until there is something. Nothing is lost when it is cancelled."""
    while not (items := feed.take()):
        await finish(feed.wait(timeout))
    return items
