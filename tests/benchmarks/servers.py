"""The servers under test: started on loopback, killed, started again, probed.

Both get the same zoo.cfg and data directories on the same file system. Nothing here
measures load; that is `quorate bench`'s part. Only start-up is timed here, because
that needs to start processes.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import time

START_LIMIT = 120.0
# A Java server that is just starting may take a connection and never answer it: the
# probe then has to try again soon, or it would measure its own patience.
PROBE_LIMIT = 0.3
JAR = os.environ.get("ZOOKEEPER_JAR", "/usr/share/java/zookeeper.jar")
# What zkEnv.sh of Apache gives its server by default.
JVM_FLAGS = os.environ.get("JVMFLAGS", "-Xmx1000m").split()


class Service:
    """What is measured: one server, or several that are one."""

    def __init__(self, name, home):
        self.name = name
        self.home = pathlib.Path(home)

    def fresh(self, **settings):
        """Starts on an empty data directory."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)
        self.start(**settings)

    def wait(self, ready, runs=lambda: True):
        """Waits until it is ready, as long as it runs."""
        end = time.monotonic() + START_LIMIT
        while not ready():
            if not runs() or time.monotonic() > end:
                raise RuntimeError(f"{self.name} is not ready, see the logs in {self.home}")
            time.sleep(0.001)


class Server(Service):
    """One server program; `start` and `kill` as often as wanted."""

    def __init__(self, name, command, home):
        super().__init__(name, home)
        self.command = command
        self.process = None
        self.port = free_port()
        self.settings = {}

    @property
    def pid(self):
        return self.process.pid

    @property
    def target(self):
        """Where `quorate bench` finds it."""
        return f"127.0.0.1:{self.port}"

    @property
    def pids(self):
        """What `quorate bench` watches."""
        return str(self.pid)

    def start(self, **settings):
        """Starts on the data there is; returns seconds to the first read."""
        self.stop()
        begin = self.run(settings)
        self.wait(lambda: can_read(self.port), lambda: self.process.poll() is None)
        return time.monotonic() - begin

    def run(self, settings):
        """Starts the process; returns when that was."""
        self.settings = settings
        (self.home / "data").mkdir(parents=True, exist_ok=True)
        config = self.home / "zoo.cfg"
        config.write_text(self.config(settings))
        with (self.home / "log.txt").open("ab") as log:
            begin = time.monotonic()
            self.process = subprocess.Popen(
                [*self.command, str(config)],
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for the script, which then stops its servers in order.
                start_new_session=True,
            )
        return begin

    def config(self, settings):
        lines = {
            "tickTime": 2000,
            "dataDir": self.home / "data",
            "clientPort": self.port,
            "clientPortAddress": "127.0.0.1",
            "maxClientCnxns": 0,
            "admin.enableServer": "false",
            "4lw.commands.whitelist": "*",
            **settings,
        }
        return "".join(f"{key}={value}\n" for key, value in lines.items())

    def kill(self):
        """kill -9: no chance to tidy up."""
        self._end(signal.SIGKILL)

    def stop(self):
        self._end(signal.SIGTERM)

    def _end(self, how):
        if self.process is None:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def rss(self):
        """Resident memory, bytes."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024

    def snapshots(self):
        """Names of the snapshots in the data directory."""
        return {path.name for path in self.home.glob("data/version-2/snapshot.*")}

    def live_heap(self):
        """Bytes of live objects of a Java server after a full collection, else None."""
        if "java" not in self.command[0] or not shutil.which("jcmd"):
            return None

        def run(*what):
            command = ["jcmd", str(self.pid), *what]
            return subprocess.run(command, capture_output=True, text=True, check=False).stdout

        run("GC.run")
        found = re.search(r"used (\d+)K", run("GC.heap_info"))
        return int(found[1]) * 1024 if found else None


def apache(home):
    """Apache ZooKeeper of Debian's package, or None where it is not installed."""
    java = shutil.which("java")
    if not java or not pathlib.Path(JAR).exists():
        return None
    main = "org.apache.zookeeper.server.ZooKeeperServerMain"
    return Server("Apache", [java, *JVM_FLAGS, "-cp", JAR, main], home)


def quorate(binary, home):
    return Server("quorate", [str(binary), "server", "--config"], home)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def can_read(port, path=b"/"):
    """Whether a new session gets an answer to getData right now."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PROBE_LIMIT) as stream:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            hello = struct.pack(">iqiqi16s?", 0, 0, 30000, 0, 16, bytes(16), False)
            read = struct.pack(">iii", 1, 4, len(path)) + path + b"\0"
            close = struct.pack(">ii", 2, -11)
            for request in (hello, read):
                stream.sendall(struct.pack(">i", len(request)) + request)
                answer = frame(stream)
            stream.sendall(struct.pack(">i", len(close)) + close)
            return answer[8 + 4 : 8 + 8] == bytes(4)
    except (OSError, EOFError):
        return False


def frame(stream):
    return exactly(stream, struct.unpack(">i", exactly(stream, 4))[0])


def exactly(stream, count):
    data = b""
    while len(data) < count:
        piece = stream.recv(count - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data
