"""Three of our members in network namespaces, and what tests can do to them there."""

import struct
from dataclasses import replace
from pathlib import Path
from typing import Self

from interop import programs, small_disk
from interop.ensemble import Ensemble, leads
from interop.netns import Network
from interop.players import until
from interop.server import Kind, Place, Server

# Short, so that leaders are missed soon.
SETTINGS = {"tickTime": "200"}
SYNC_LIMIT = "6"
ALL = (1, 2, 3)
# Of a small disk.
MEGABYTES = 64


class Stage:
    """The members, their network, their disks and clocks."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.network = network
        self._knobs = [folder / f"faults-{number}" for number in ALL]
        places = []
        for number, knobs in zip(ALL, self._knobs, strict=True):
            knobs.write_bytes(struct.pack("=qq", 0, 0))
            environment = {"LD_PRELOAD": str(programs.faults_library()), "FAULTS": str(knobs)}
            place = Place(
                network.host(number), network.within(number), tuple(environment.items())
            )
            places.append(place)
        self.ensemble = Ensemble([Kind.QUORATE] * 3, SETTINGS, places)
        for member in self.ensemble.members:
            member.settings["syncLimit"] = SYNC_LIMIT

    def shrink_disks(self) -> None:
        """Gives each a small file system, before they start. Whoever ends loses it."""
        for member in self.ensemble.members:
            disk = small_disk.within(member, self.ensemble.number(member), MEGABYTES)
            member.place = replace(member.place, prefix=member.place.prefix + disk)
            # A full disk is to have no room in a file that has grown ahead, either.
            member.settings["preAllocSize"] = "16"

    def separate(self, *members: Server) -> None:
        """Each of these hears none of the others, and is not heard."""
        for member in members:
            for other in self.ensemble.members:
                if other is not member:
                    self.cut(member, other)
                    self.cut(other, member)

    def cut(self, sender: Server, receiver: Server) -> None:
        """Nothing that the one sends reaches the other."""
        self.network.cut(self.ensemble.number(sender), self.ensemble.number(receiver))

    def disturb(self, member: Server, sync_us: int = 0, ahead_s: int = 0) -> None:
        """Makes its disk slow, or its wall clock wrong; without a number neither."""
        with self._knobs[self.ensemble.number(member) - 1].open("r+b") as file:
            file.write(struct.pack("=qq", sync_us, ahead_s))

    def await_successor(self, old: Server) -> None:
        """Waits until somebody else leads."""
        others = [member for member in self.ensemble.members if member is not old]
        until(lambda: any(leads(member) for member in others), "another leader")

    def await_silence(self) -> None:
        """Waits until nobody serves."""
        members = self.ensemble.members
        until(lambda: not any(member.answers() for member in members), "the end of all roles")

    def close(self) -> None:
        """Ends the members."""
        self.ensemble.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
