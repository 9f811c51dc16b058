"""Network namespaces, made and removed by a test: one for its clients, and one for each member.

All hang on a bridge in the clients' namespace. A direction between two of them is cut by
telling the sender a neighbour's address that nobody has: packets are lost in silence, as on a
broken line, and no firewall is needed. Nothing here reaches the machine's own networks.
"""

import contextlib
import ctypes
import itertools
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self


class Network:
    """So many members' namespaces and the clients' one, until `close`."""

    def __init__(self, members: int) -> None:
        self._prefix = f"q{os.getpid()}-{next(COUNTER)}-"
        self._names = [self._name(number) for number in range(members + 1)]
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def host(self, number: int) -> str:
        """The address of a member; 0 is the clients'."""
        return f"10.77.0.{number + 1}"

    def within(self, number: int) -> tuple[str, ...]:
        """What a command begins with that runs there."""
        return ("ip", "netns", "exec", self._name(number))

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """This thread, and threads and processes that it starts, are among the clients."""
        with (
            Path(f"/proc/self/task/{_thread()}/ns/net").open("rb") as before,
            Path(f"/run/netns/{self._name(0)}").open("rb") as clients,
        ):
            _enter(clients.fileno())
            try:
                yield
            finally:
                _enter(before.fileno())

    def cut(self, sender: int, receiver: int) -> None:
        """From now on nothing that this member sends reaches that one."""
        self._neighbour(sender, receiver, NOBODY)

    def heal(self) -> None:
        """Mends everything."""
        everybody = range(len(self._names))
        for sender, receiver in itertools.permutations(everybody, 2):
            self._neighbour(sender, receiver, _hardware(receiver))

    def close(self) -> None:
        """Removes the namespaces, and with them all that is in them."""
        for name in self._names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    def _build(self) -> None:
        for name in self._names:
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        hub = self._names[0]
        _ip("-n", hub, "link", "add", "hub0", "type", "bridge")
        _ip("-n", hub, "link", "set", "hub0", "address", _hardware(0), "up")
        _ip("-n", hub, "addr", "add", f"{self.host(0)}/24", "dev", "hub0")
        for number, name in enumerate(self._names[1:], 1):
            ends = ["link", "add", f"to-{number}", "type", "veth", "peer", "name", DEVICE]
            _ip("-n", hub, *ends, "address", _hardware(number), "netns", name)
            _ip("-n", hub, "link", "set", f"to-{number}", "master", "hub0", "up")
            _ip("-n", name, "link", "set", DEVICE, "up")
            _ip("-n", name, "addr", "add", f"{self.host(number)}/24", "dev", DEVICE)
        self.heal()

    def _neighbour(self, sender: int, receiver: int, hardware: str) -> None:
        device = DEVICE if sender else "hub0"
        entry = [self.host(receiver), "lladdr", hardware, "dev", device, "nud", "permanent"]
        _ip("-n", self._name(sender), "neigh", "replace", *entry)

    def _name(self, number: int) -> str:
        return f"{self._prefix}{number}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Loopback(Network):
    """The machine's loopback interface, where there are no namespaces: nothing can be cut."""

    def __init__(self) -> None:
        self._names = []

    def host(self, number: int) -> str:
        return "127.0.0.1"

    def within(self, number: int) -> tuple[str, ...]:
        return ()

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        yield


def reason_against() -> str | None:
    """Why there are no namespaces here."""
    try:
        with Network(1) as network, network.entered():
            return None
    except (OSError, subprocess.CalledProcessError) as error:
        output = getattr(error, "stderr", b"") or b""
        return f"no network namespaces here ({error} {output.decode().strip()}); they need root"


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], capture_output=True, check=True)


def _hardware(number: int) -> str:
    return f"02:00:00:00:77:{number + 1:02x}"


def _enter(namespace: int) -> None:
    # Not `os.setns`, which comes with Python 3.12.
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"setns: {os.strerror(code)}")


def _thread() -> int:
    return threading.get_native_id()


COUNTER = itertools.count()
DEVICE = "eth0"
# Belongs to nobody.
NOBODY = "02:00:00:00:77:ff"
CLONE_NEWNET = 0x40000000
