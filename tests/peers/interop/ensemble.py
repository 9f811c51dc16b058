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
        observers: int = 0,
    ) -> None:
        """Members of one kind, or of these kinds: `server.1` is the first, and the last ones
        may be observers. Without `places` all are on the loopback interface."""
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
                role = ":observer" if other > size - observers else ""
                address = f"{host}:{quorum.port}:{election.port}{role}"
                member.settings[f"server.{other}"] = address
            member.settings |= {"initLimit": "20", "syncLimit": "10"}
            member.data.mkdir(parents=True, exist_ok=True)
            Path(member.data, "myid").write_text(str(number), "ascii")

    def name_client_ports(self) -> dict[int, str]:
        """Lets the lines of the members say where they serve clients, as reconfigurations need
        it. Answers what stands behind `server.N=`."""
        for number, member in enumerate(self.members, 1):
            for other in self.members:
                other.settings[f"server.{number}"] += f";{member.address}"
        numbers = range(1, len(self.members) + 1)
        return {number: self.members[0].settings[f"server.{number}"] for number in numbers}

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
        """The member that leads now; waits while they elect one, as they may on a busy machine
        without any reason."""
        end = time.monotonic() + START
        while time.monotonic() < end:
            for member in self.members:
                if member.running and leads(member):
                    return member
            time.sleep(0.01)
        raise ServerError("nobody leads")

    def let_lead(self, last: Server) -> None:
        """Lets the last voter lead, which is elected by its id as long as nothing is written.
        Those that start faster may have elected another one."""
        members = len(self.members)
        while (leader := self.leader()) is not last:
            leader.kill()
            self.wait_serving(members - 1)
            leader.launch()
            self.wait_serving(members)

    def followers(self) -> list[Server]:
        """The members that run and do not lead."""
        leader = self.leader()
        return [member for member in self.members if member.running and member is not leader]

    def epoch(self) -> int:
        """That of the leader's last transaction: one more for every election."""
        return shown(self.leader()) >> 32

    def number(self, member: Server) -> int:
        """What its `myid` says."""
        return self.members.index(member) + 1

    def quorum_port(self, member: Server) -> int:
        """Where it listens for learners while it leads."""
        return self._leases[2 * self.number(member) - 2].port

    def election_port(self, member: Server) -> int:
        """Where it listens for votes."""
        return self._leases[2 * self.number(member) - 1].port

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

    def settle(self) -> int:
        """Waits until all show what the leader shows, and answers its zxid. Acknowledgements of
        it may still be on their way."""
        end = time.monotonic() + START
        while len(zxids := {shown(member) for member in self.members}) > 1:
            if time.monotonic() > end:
                raise ServerError(f"the members do not come to one state: {zxids}")
            time.sleep(0.01)
        return zxids.pop()

    def wait_succeeded(self) -> None:
        """Waits for another leader than the one that was killed. Right behind its end the
        others may say that they serve, and mean it."""
        self.leader()
        self.wait_serving(sum(member.running for member in self.members))

    def proxy(self, leader: Server) -> QuorumProxy:
        """The one through which others follow this member."""
        return self._proxies[self.number(leader) - 1]

    def close(self) -> None:
        super().close()
        for proxy in self._proxies:
            proxy.close()


def shown(member: Server) -> int:
    """The zxid of the last transaction that it shows."""
    found = re.search(r"(?m)^Zxid: 0x([0-9a-f]+)$", member.four_letters("srvr"))
    assert found is not None
    return int(found[1], 16)


def leads(member: Server) -> bool:
    """Whether it says that it leads."""
    return member.answers() and "Mode: leader" in member.four_letters("srvr")
