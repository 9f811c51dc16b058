"""Runs kazoo's published test suite (kazoo.tests) against one server of ours.

A pytest plugin: `pytest -p kazoo_plugin --pyargs kazoo.tests`. kazoo's own harness
starts three JVMs; this replaces its cluster by one server of the kind under test
(interop.server) and leaves every test as published. Cases that need a feature of a
later issue are named in kazoo_later.txt, with the reason, and deselected; a line
there that matches no case is an error, so that the list cannot go stale.
"""

import atexit
import logging
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from interop.server import Server, kind_under_test


def _stub_tls_modules() -> None:
    """kazoo.testing.common imports these two for the certificates of its TLS case only;
    that case is in kazoo_later.txt, and jks needs a C compiler to install."""
    for name in ("OpenSSL", "jks"):
        sys.modules.setdefault(name, types.ModuleType(name))


_stub_tls_modules()

from kazoo.testing import harness  # noqa: E402


class OneServer:
    """One member, with the names that kazoo's tests use of `ManagedZooKeeper`."""

    def __init__(self, settings: dict[str, str]) -> None:
        self._settings = settings
        self._server = Server(kind_under_test(), settings)

    @property
    def address(self) -> str:
        return self._server.address

    @property
    def client_port(self) -> int:
        return self._server.port

    @property
    def running(self) -> bool:
        return self._server.running

    def run(self) -> None:
        if not self._server.running:
            self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def destroy(self) -> None:
        """As kazoo's: the process and its data are gone, `run` starts afresh."""
        self._server.close()
        self._server = Server(kind_under_test(), self._settings)

    def close(self) -> None:
        self._server.close()

    def get_logs(self, num_lines: int = 100) -> list[str]:
        return self._server.log.splitlines(keepends=True)[-num_lines:]


class OneServerCluster:
    """The names that kazoo's harness and tests use of `ZookeeperCluster`."""

    def __init__(self) -> None:
        self._members = [OneServer(SETTINGS)]

    def __getitem__(self, index: int) -> OneServer:
        return self._members[index]

    def __iter__(self) -> Iterator[OneServer]:
        return iter(self._members)

    def start(self) -> None:
        for member in self:
            member.run()

    def stop(self) -> None:
        for member in self:
            member.stop()

    def terminate(self) -> None:
        """kazoo ends its cluster after each test class; one server for all of them is
        enough, since every test works below a node of its own."""

    def close(self) -> None:
        for member in self:
            member.close()

    def get_logs(self) -> list[str]:
        return [line for member in self for line in member.get_logs()]


def later_cases() -> dict[str, str]:
    """Test id (`module::Class::test` or a prefix of it up to `::`) -> reason."""
    cases = {}
    for line in LATER.read_text("utf-8").splitlines():
        text = line.strip()
        if text and not text.startswith("#"):
            case, _, reason = text.partition(" ")
            cases[case] = reason.strip()
    return cases


def pytest_configure(config: pytest.Config) -> None:
    cluster = OneServerCluster()
    atexit.register(cluster.close)
    setattr(harness, "get_global_cluster", lambda: cluster)  # noqa: B010


def pytest_unconfigure(config: pytest.Config) -> None:
    """Clients that a case of kazoo's left behind would complain until the process ends."""
    logging.disable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    later = later_cases()
    used: set[str] = set()
    kept: list[pytest.Item] = []
    gone: list[pytest.Item] = []
    for item in items:
        case = _matching(item, later)
        if case is None:
            kept.append(item)
        else:
            used.add(case)
            gone.append(item)
    stale = set(later) - used
    if stale and not config.getoption("keyword") and len(items) > WHOLE_SUITE:
        raise pytest.UsageError(f"{LATER.name} names unknown cases: {sorted(stale)}")
    items[:] = kept
    config.hook.pytest_deselected(items=gone)


def _matching(item: pytest.Item, later: dict[str, str]) -> str | None:
    module, _, rest = item.nodeid.partition("::")
    parts = [Path(module).stem, *rest.split("::")]
    for length in range(len(parts), 0, -1):
        case = "::".join(parts[:length])
        if case in later:
            return case
    return None


LATER = Path(__file__).with_name("kazoo_later.txt")

# A run of fewer cases than this was given a selection on the command line.
WHOLE_SUITE = 400

# kazoo's tests rely on a tick of 2 s nowhere, but on session timeouts of up to 15 s.
SETTINGS = {
    "tickTime": "500",
    "maxSessionTimeout": "40000",
    "initLimit": "4",
    "syncLimit": "2",
}
