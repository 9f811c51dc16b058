"""Three servers as one service, on loopback, to be killed, paused and restarted."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from interop.ports import PortLease
from interop.server import START, Kind, Server, ServerError

MEMBERS = 3


class Ensemble:
    """Members with the face that a single server has, as far as tests need it."""

    def __init__(
        self, kind: Kind | Sequence[Kind], settings: Mapping[str, str] | None = None
    ) -> None:
        """Members of one kind, or of these kinds: `server.1` is the first."""
        kinds = [kind] * MEMBERS if isinstance(kind, Kind) else list(kind)
        size = len(kinds)
        self._leases = [PortLease() for _ in range(2 * size)]
        self.members = [Server(kind, settings) for kind in kinds]
        for number, member in enumerate(self.members, 1):
            for other in range(1, size + 1):
                quorum, election = self._leases[2 * other - 2 : 2 * other]
                address = f"127.0.0.1:{quorum.port}:{election.port}"
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

    def follower(self) -> Server:
        """A member that follows now."""
        leader = self.leader()
        return next(member for member in self.members if member is not leader)

    def close(self) -> None:
        """Ends all members and gives back what they used."""
        for member in self.members:
            member.close()
        for lease in self._leases:
            lease.release()

    def __enter__(self) -> "Ensemble":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
