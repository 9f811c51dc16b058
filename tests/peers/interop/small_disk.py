"""A small file system for a member's directory, which tests can fill.

It is in a mount namespace that only the member sees, and gone with it; so the test must not
restart the member. That needs root.
"""

import contextlib
import errno
import os
import subprocess
from functools import cache
from pathlib import Path

from interop.server import Server

UNSHARE = ("unshare", "--mount", "--")


@cache
def reason_against() -> str | None:
    """Why a process may not have a file system of its own here."""
    with contextlib.suppress(OSError):
        command = [*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return None
    return "no `unshare --mount`; it needs root"


def within(member: Server, number: int, megabytes: int) -> tuple[str, ...]:
    """What a member's command line begins with. `number` is for its `myid`."""
    steps = (
        f'mount -t tmpfs -o size={megabytes}m tmpfs "$0"'
        ' && echo "$1" >"$0/myid" && shift && exec "$@"'
    )
    return (*UNSHARE, "sh", "-c", steps, str(member.data), str(number))


def fill(member: Server) -> None:
    """Takes all the room that is left."""
    try:
        with _filler(member).open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError as error:
        assert error.errno == errno.ENOSPC, os.strerror(error.errno or 0)


def make_room(member: Server) -> None:
    """Gives it back."""
    _filler(member).unlink()


def _filler(member: Server) -> Path:
    """A file, where the member sees it."""
    return Path(f"/proc/{member.pid}/root{member.data}/filler")
