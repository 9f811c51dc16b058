"""Ensembles under test: the same members of Apache and of ours, on loopback, as one server."""

import pathlib
import re
import shutil
import signal
import socket
import time

from benchmarks.servers import JAR, JVM_FLAGS, Server, Service, free_port

# What the members' documentation suggests, and what the goals were set with.
SETTINGS = {"initLimit": 20, "syncLimit": 5}


class Member(Server):
    """A server that is one of several."""

    def __init__(self, name, command, home, number):
        super().__init__(name, command, home)
        self.number = number
        self.quorum, self.election = free_port(), free_port()

    def launch(self, settings):
        """Starts without waiting: alone it would not serve."""
        (self.home / "data").mkdir(parents=True, exist_ok=True)
        (self.home / "data" / "myid").write_text(f"{self.number}\n")
        self.run(settings)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def words(self):
        """What `srvr` says, by name; empty while it says nothing."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=0.5) as stream:
                stream.sendall(b"srvr")
                answer = b"".join(iter(lambda: stream.recv(4096), b"")).decode()
        except OSError:
            return {}
        return dict(re.findall(r"(?m)^(\w+): (.*)$", answer))


class Ensemble(Service):
    """Members with the face of one server."""

    def __init__(self, name, command, home, voters, observers=0):
        super().__init__(name, home)
        size = voters + observers
        self.members = [
            Member(name, command, self.home / str(number), number)
            for number in range(1, size + 1)
        ]
        self.settings = dict(SETTINGS)
        for member in self.members:
            role = ":observer" if member.number > voters else ""
            address = f"127.0.0.1:{member.quorum}:{member.election}{role}"
            self.settings[f"server.{member.number}"] = address

    @property
    def target(self):
        return ",".join(member.target for member in self.members)

    @property
    def pids(self):
        return ",".join(member.pids for member in self.members)

    def start(self, **settings):
        """All members on the data there are; returns seconds until a write was acknowledged."""
        self.stop()
        begin = time.monotonic()
        for member in self.members:
            member.launch({**self.settings, **settings})
        self.wait(self.all_serve)
        return time.monotonic() - begin

    def again(self, member):
        """Starts a member that was ended, and waits until all serve."""
        member.launch(self.settings)
        self.wait(self.all_serve)

    def all_serve(self):
        return all(member.words().get("Mode") for member in self.members)

    def leader(self):
        return next(m for m in self.members if m.words().get("Mode") == "leader")

    def follower(self):
        return next(m for m in self.members if m.words().get("Mode") == "follower")

    def stop(self):
        for member in self.members:
            member.stop()

    def kill(self):
        for member in self.members:
            member.kill()


def apache(home, voters, observers=0):
    """Apache ZooKeeper of Debian's package, or None where it is not installed."""
    java = shutil.which("java")
    if not java or not pathlib.Path(JAR).exists():
        return None
    main = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
    return Ensemble("Apache", [java, *JVM_FLAGS, "-cp", JAR, main], home, voters, observers)


def quorate(binary, home, voters, observers=0):
    command = [str(binary), "server", "--config"]
    return Ensemble("quorate", command, home, voters, observers)
