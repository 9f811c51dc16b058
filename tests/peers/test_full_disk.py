"""A member whose disk is full, follower or leader: the others go on, and it comes back."""

from pathlib import Path

import pytest

from interop import small_disk
from interop.agreement import assert_agreed
from interop.ensemble import Ensemble
from interop.players import until
from interop.server import Kind, Place
from interop.writers import Writers

REASON = small_disk.reason_against()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))


@pytest.mark.parametrize("leads", [False, True], ids=["follower", "leader"])
def test_a_member_without_room(leads: bool, tmp_path: Path) -> None:
    with Ensemble([Kind.QUORATE] * 3, {"preAllocSize": "16"}) as ensemble:
        for member in ensemble.members:
            number = ensemble.number(member)
            member.place = Place(prefix=small_disk.within(member, number, MEGABYTES))
        ensemble.start()
        with Writers(ensemble.address, tmp_path) as writers:
            writers.progress()
            full = ensemble.leader() if leads else ensemble.follower()
            small_disk.fill(full)
            until(lambda: REFUSED in full.log, "a transaction that is refused")
            ensemble.wait_serving(2)
            assert ensemble.leader() is not full
            writers.progress()
            # It tries again now and then, and leaves the others alone.
            tries = full.log.count(ENDED)
            until(lambda: full.log.count(ENDED) > tries, "another try")
            writers.progress()
            small_disk.make_room(full)
            ensemble.wait_serving(3)
            writers.progress()
            assert writers.stop()
            for member in ensemble.members:
                writers.check(member.address, everything=True)
            assert_agreed(ensemble)


MEGABYTES = 16
REFUSED = "no room for transactions"
ENDED = "the role has ended"
