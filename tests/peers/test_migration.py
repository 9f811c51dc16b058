"""An ensemble of Apache's is replaced by ours under load, member by member, and back again.

What is done is what docs/migration.md says: a member is stopped, and the other server is
started with the same zoo.cfg, in the same directory. The followers go first and the leader
last, so that there is one election each way.
"""

from pathlib import Path

import pytest

from interop.agreement import assert_agreed
from interop.ensemble import Ensemble
from interop.missing import needs
from interop.server import Kind, Server
from interop.writers import Writers

KINDS = [
    pytest.param(Kind.APACHE, marks=needs("java", "apache"), id="3.8"),
    pytest.param(Kind.APACHE_39, marks=needs("java", "maven"), id="3.9"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back(kind: Kind, tmp_path: Path) -> None:
    with Ensemble(kind) as ensemble:
        ensemble.start()
        with Writers(ensemble.address, tmp_path) as writers:
            writers.progress()
            for other in (Kind.QUORATE, kind):
                for member in [*ensemble.followers(), ensemble.leader()]:
                    replace(ensemble, member, other, writers)
                assert [member.kind for member in ensemble.members] == [other] * 3
            print(writers.stop(), "writes")
            for member in ensemble.members:
                writers.check(member.address, everything=True)


def replace(ensemble: Ensemble, member: Server, kind: Kind, writers: Writers) -> None:
    """One step: everybody writes while the member is away, and when it is back."""
    elections = int(member is ensemble.leader())
    epoch = ensemble.epoch()
    member.stop()
    ensemble.wait_serving(len(ensemble.members) - 1)
    writers.progress()
    member.kind = kind
    member.launch()
    ensemble.wait_serving(len(ensemble.members))
    writers.progress()
    assert ensemble.epoch() == epoch + elections
    for each in ensemble.members:
        writers.check(each.address)
    assert_agreed(ensemble)
