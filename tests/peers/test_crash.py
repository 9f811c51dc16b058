"""Some dozens of rounds of crash_loop.py, then Apache's server opens what survived.

The seed can be set with CRASH_SEED, the rounds with CRASH_ROUNDS.
"""

import os

import pytest

from crash_loop import SETTINGS, CrashLoop
from interop.missing import needs
from interop.server import Kind, Server, kind_under_test
from interop.tree import difference, read_tree

SEED = int(os.environ.get("CRASH_SEED", "1"))


@pytest.mark.timeout(900)
def test_kill_during_load() -> None:
    kind = kind_under_test()
    rounds = int(os.environ.get("CRASH_ROUNDS", ROUNDS[kind]))
    with Server(kind, SETTINGS) as server:
        totals = CrashLoop(server, SEED).run(rounds)
        print(totals)
        assert totals.acknowledged > 20 * rounds, f"hardly any load: {totals}"


@needs("java", "apache")
def test_apache_opens_what_survived() -> None:
    """After a few crashes and a clean end Apache's server must show the same tree."""
    with Server(kind_under_test(), SETTINGS) as server:
        CrashLoop(server, SEED + 1).run(3)
        server.start()
        survived = read_tree(server.port)
        server.stop()
        with Server(Kind.APACHE, SETTINGS, data=server.data) as apache:
            apache.start()
            assert not difference(survived, read_tree(apache.port))
            assert "digest mismatch" not in apache.log.lower()


# Apache's server takes its time to come up.
ROUNDS = {Kind.APACHE: 8, Kind.QUORATE: 40}
