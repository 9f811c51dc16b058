"""A member whose disk is full, follower or leader: the others go on, and it comes back."""

import contextlib
import errno
import os
import subprocess
from pathlib import Path

import pytest

from interop.agreement import assert_agreed
from interop.ensemble import Ensemble
from interop.players import until
from interop.server import Kind, Place, Server
from interop.writers import Writers

MOUNT = ["unshare", "--mount", "--"]


def can_mount() -> bool:
    """Whether a process may have a file system of its own here."""
    with contextlib.suppress(OSError):
        command = [*MOUNT, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    return False


pytestmark = pytest.mark.skipif(not can_mount(), reason="no `unshare --mount`; it needs root")


@pytest.mark.parametrize("leads", [False, True], ids=["follower", "leader"])
def test_a_member_without_room(leads: bool, tmp_path: Path) -> None:
    with Ensemble([Kind.QUORATE] * 3, {"preAllocSize": "16"}) as ensemble:
        for member in ensemble.members:
            member.place = small_disk(member, ensemble.number(member))
        ensemble.start()
        with Writers(ensemble.address, tmp_path) as writers:
            writers.progress()
            full = ensemble.leader() if leads else ensemble.follower()
            fill(full)
            until(lambda: REFUSED in full.log, "a transaction that is refused")
            ensemble.wait_serving(2)
            assert ensemble.leader() is not full
            writers.progress()
            # It tries again now and then, and leaves the others alone.
            tries = full.log.count(ENDED)
            until(lambda: full.log.count(ENDED) > tries, "another try")
            writers.progress()
            make_room(full)
            ensemble.wait_serving(3)
            writers.progress()
            assert writers.stop()
            for member in ensemble.members:
                writers.check(member.address, everything=True)
            assert_agreed(ensemble)


def small_disk(member: Server, number: int) -> Place:
    """Its directory is a small file system that only its process sees."""
    steps = (
        'mount -t tmpfs -o size=16m tmpfs "$0" && echo "$1" >"$0/myid" && shift && exec "$@"'
    )
    return Place(prefix=(*MOUNT, "sh", "-c", steps, str(member.data), str(number)))


def seen_by(member: Server) -> Path:
    """Its directory as it sees it."""
    return Path(f"/proc/{member.pid}/root{member.data}/filler")


def fill(member: Server) -> None:
    """Takes all the room that is left."""
    try:
        with seen_by(member).open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError as error:
        assert error.errno == errno.ENOSPC, os.strerror(error.errno or 0)


def make_room(member: Server) -> None:
    """Gives it back."""
    seen_by(member).unlink()


REFUSED = "no room for transactions"
ENDED = "the role has ended"
