"""Some dozens of rounds of crash_loop.py, then the directory is opened by Apache's
server. The seed can be set with CRASH_SEED, the rounds with CRASH_ROUNDS."""

import os

import pytest

from crash_loop import SETTINGS, CrashLoop
from interop.missing import needs
from interop.server import Kind, Server, kind_under_test
from interop.tree import difference, read_tree

pytestmark = needs("java", "apache")


@pytest.mark.timeout(900)
def test_kill_during_load() -> None:
    kind = kind_under_test()
    seed = int(os.environ.get("CRASH_SEED", "1"))
    rounds = int(os.environ.get("CRASH_ROUNDS", ROUNDS[kind]))
    with Server(kind, SETTINGS) as server:
        totals = CrashLoop(server, seed).run(rounds)
        print(totals)
        assert totals.acknowledged > 20 * rounds, f"hardly any load: {totals}"
        server.start()
        survived = read_tree(server.port, "/")
        server.stop()
        with Server(Kind.APACHE, SETTINGS, data=server.data) as apache:
            apache.start()
            assert not difference(survived, read_tree(apache.port, "/"))
            assert "Digests are not matching" not in apache.log


# Apache's server takes two seconds to come up.
ROUNDS = {Kind.APACHE: 8, Kind.QUORATE: 40}
