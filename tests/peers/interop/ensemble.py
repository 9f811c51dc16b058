"""Three servers as one service, on loopback, to be killed, paused and restarted."""

import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from interop.ports import PortLease
from interop.proxy import QuorumProxy
from interop.server import START, Kind, Place, Server, ServerError

MEMBERS = 3


class Ensemble:
    """Members with the face that a single server has, as far as tests need it."""

    def __init__(
        self,
        kind: Kind | Sequence[Kind],
        settings: Mapping[str, str] | None = None,
        places: Sequence[Place] = (),
    ) -> None:
        """Members of one kind, or of these kinds: `server.1` is the first. Without `places` all
        are on the loopback interface."""
        kinds = [kind] * MEMBERS if isinstance(kind, Kind) else list(kind)
        size = len(kinds)
        self._leases = [PortLease() for _ in range(2 * size)]
        places = places or [Place()] * size
        self.members = [
            Server(kind, settings, place=place)
            for kind, place in zip(kinds, places, strict=True)
        ]
        for number, member in enumerate(self.members, 1):
            for other in range(1, size + 1):
                quorum, election = self._leases[2 * other - 2 : 2 * other]
                host = places[other - 1].host
                address = f"{host}:{quorum.port}:{election.port}"
                member.settings[f"server.{other}"] = address
            member.settings |= {"initLimit": "20", "syncLimit": "10"}
            member.data.mkdir(parents=True, exist_ok=True)
            Path(member.data, "myid").write_text(str(number), "ascii")

    @property
    def address(self) -> str:
        return ",".join(member.address for member in self.members)

    def start(self) -> None:
        """Starts all members and returns once all serve."""
        for member in self.members:
            member.launch()
        self.wait_serving(len(self.members))

    def wait_serving(self, members: int) -> None:
        """Waits until so many members serve."""
        end = time.monotonic() + START
        while sum(member.running and member.answers() for member in self.members) < members:
            if time.monotonic() > end:
                logs = "\n".join(member.log[-2000:] for member in self.members)
                raise ServerError(f"no {members} members serve\n{logs}")
            time.sleep(0.05)

    def leader(self) -> Server:
        """The member that leads now."""
        for member in self.members:
            if member.running and "Mode: leader" in member.four_letters("srvr"):
                return member
        raise ServerError("nobody leads")

    def followers(self) -> list[Server]:
        """The members that run and do not lead."""
        leader = self.leader()
        return [member for member in self.members if member.running and member is not leader]

    def epoch(self) -> int:
        """That of the leader's last transaction: one more for every election."""
        found = re.search(r"(?m)^Zxid: 0x([0-9a-f]+)$", self.leader().four_letters("srvr"))
        assert found is not None
        return int(found[1], 16) >> 32

    def number(self, member: Server) -> int:
        """What its `myid` says."""
        return self.members.index(member) + 1

    def follower(self) -> Server:
        """A member that follows now."""
        return self.followers()[0]

    def close(self) -> None:
        """Ends all members and gives back what they used."""
        for member in self.members:
            member.close()
        for lease in self._leases:
            lease.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        if failed is not None:
            # Of a failed test pytest shows what it printed.
            for member in self.members:
                print(f"--- the end of the log of {self.number(member)}:")
                print(member.log[-8000:])
        self.close()


class WatchedEnsemble(Ensemble):
    """Members that reach each other's quorum ports through proxies."""

    def __init__(self, kind: Kind | Sequence[Kind]) -> None:
        super().__init__(kind)
        self._proxies = [QuorumProxy(lease.port) for lease in self._leases[::2]]
        for member in self.members:
            # Members that are paused are missed soon.
            member.settings["syncLimit"] = "6"
            for other, proxy in enumerate(self._proxies, 1):
                if other != self.number(member):
                    election = self._leases[2 * other - 1].port
                    address = f"127.0.0.1:{proxy.port}:{election}"
                    member.settings[f"server.{other}"] = address

    def settle(self) -> None:
        """Waits until all have what the leader has: nothing is on its way that a rule could
        mean."""

        def zxids() -> set[str]:
            words = [member.four_letters("srvr") for member in self.members]
            return {line for word in words for line in word.splitlines() if "Zxid: " in line}

        end = time.monotonic() + START
        while len(zxids()) > 1:
            if time.monotonic() > end:
                raise ServerError(f"the members do not come to one state: {zxids()}")
            time.sleep(0.01)

    def wait_succeeded(self) -> None:
        """Waits for another leader than the one that was killed. Right behind its end the
        others may say that they serve, and mean it."""
        end = time.monotonic() + START
        running = [member for member in self.members if member.running]
        while not any("Mode: leader" in member.four_letters("srvr") for member in running):
            if time.monotonic() > end:
                raise ServerError("nobody follows the leader that was killed")
            time.sleep(0.01)
        self.wait_serving(len(running))

    def proxy(self, leader: Server) -> QuorumProxy:
        """The one through which others follow this member."""
        return self._proxies[self.number(leader) - 1]

    def close(self) -> None:
        super().close()
        for proxy in self._proxies:
            proxy.close()
