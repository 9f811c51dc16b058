"""Servers that a test can start, stop, kill, pause and start again on the same directory.

Kinds with one face: Apache's server from Debian's package, Apache's current one from
Maven, and `quorate server --config`. All read the same zoo.cfg. Environment:

QUORATE_BIN   the binary under test (the kind `quorate` needs it)
QUORATE_ARGS  extra arguments for it, split like a shell would
QUORATE_CFG   extra lines for its zoo.cfg, separated by newlines or `;`
PEER          which kind is under test: `quorate` (default) or `apache`
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from interop.ports import PortLease


class Kind(Enum):
    """Whose server it is."""

    APACHE = "apache"
    APACHE_39 = "apache-3.9"
    QUORATE = "quorate"


class ServerError(Exception):
    """A server did not start, stop or answer; the text carries the end of its log."""


@dataclass(frozen=True)
class Place:
    """Where a server runs: its address, what its command line begins with, and what its
    environment has besides."""

    host: str = "127.0.0.1"
    prefix: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()


class Server:
    """One standalone server on a leased loopback port with a directory of its own.

    The directory outlives stop and kill; `close` ends the process and removes what this
    object created.
    """

    def __init__(
        self,
        kind: Kind,
        settings: Mapping[str, str] | None = None,
        data: Path | None = None,
        place: Place = Place(),
    ) -> None:
        """`settings` are zoo.cfg lines on top of `BASE_SETTINGS`; `data` is a data
        directory to use instead of a fresh one (it is then left in place by `close`)."""
        self.kind = kind
        self.place = place
        self.home = Path(tempfile.mkdtemp(prefix=f"peers-{kind.value}-"))
        self.data = data if data is not None else self.home / "data"
        self.settings = {**BASE_SETTINGS, **(settings or {})}
        self._lease = PortLease()
        self._process: subprocess.Popen[bytes] | None = None
        self._launched = 0.0

    @property
    def port(self) -> int:
        return self._lease.port

    @property
    def address(self) -> str:
        return f"{self.place.host}:{self.port}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process's number."""
        if self._process is None:
            raise ServerError(f"{self._name} is not running")
        return self._process.pid

    @property
    def log(self) -> str:
        """Everything the server has printed since this object exists."""
        path = self._log_path
        return path.read_text("utf-8", errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Starts the process and returns once it serves."""
        self.launch()
        end = time.monotonic() + START
        while not self.answers():
            if not self.running:
                raise ServerError(f"{self._name} exited at start\n{self._log_tail()}")
            if time.monotonic() > end:
                self.kill()
                raise ServerError(f"{self._name} did not answer\n{self._log_tail()}")
            time.sleep(0.01)

    def launch(self) -> None:
        """Starts the process without waiting for it to serve."""
        if self.running:
            raise ServerError(f"{self._name} is already running")
        self.data.mkdir(parents=True, exist_ok=True)
        config = self.home / "zoo.cfg"
        config.write_text(self._config(), "utf-8")
        with self._log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.place.prefix, *self._command(config)],
                env={**os.environ, **dict(self.place.environment)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.home,
            )
        self._launched = time.monotonic()

    def stop(self, deadline: float = 30.0) -> None:
        """Asks the server to end (SIGTERM) and waits; nothing if it is not running."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(deadline)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerError(f"{self._name} ignored SIGTERM\n{self._log_tail()}") from None
        self._process = None

    def kill(self) -> None:
        """SIGKILL: the process ends where it stands."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._process = None

    def pause(self) -> None:
        """SIGSTOP: connections stay open, nothing is answered from here on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)
            wait_stopped(self._process.pid)

    def resume(self) -> None:
        """SIGCONT: it goes on where it stood."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def wait_exit(self, deadline: float = 30.0) -> int:
        """Waits for the process to end by itself; returns its exit code."""
        if self._process is None:
            raise ServerError(f"{self._name} is not running")
        code = self._process.wait(deadline)
        self._process = None
        return code

    def close(self) -> None:
        """Ends the process and removes the home directory and the port lease."""
        self.kill()
        self._lease.release()
        if os.environ.get("PEERS_KEEP"):
            print(f"{self._name} left its files in {self.home}")
        else:
            shutil.rmtree(self.home, ignore_errors=True)

    def answers(self) -> bool:
        """Whether it serves now."""
        try:
            # Not `ruok`: Apache answers that before it serves. A probe that comes very
            # early gets no answer and no end from it, hence the short timeout. Where the
            # start takes long, answers do too.
            patience = max(0.3, (time.monotonic() - self._launched) / 10)
            return "Mode: " in self.four_letters("srvr", min(patience, 5.0))
        except OSError:
            return False

    def four_letters(self, word: str, timeout: float = 10.0) -> str:
        """Sends a four-letter word and returns the whole answer."""
        with socket.create_connection((self.place.host, self.port), timeout) as link:
            link.sendall(word.encode("ascii"))
            chunks = []
            while chunk := link.recv(65536):
                chunks.append(chunk)
        return b"".join(chunks).decode("utf-8", errors="replace")

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _name(self) -> str:
        return f"{self.kind.value} server on {self.address}"

    @property
    def _log_path(self) -> Path:
        return self.home / "server.log"

    def _log_tail(self) -> str:
        return "\n".join(self.log.splitlines()[-40:])

    def _config(self) -> str:
        lines = {
            "dataDir": str(self.data),
            "clientPort": str(self.port),
            "clientPortAddress": self.place.host,
        }
        lines |= self.settings
        extra: list[str] = []
        if self.kind is not Kind.QUORATE:
            lines |= {"admin.enableServer": "false"}
            lines = {k: v for k, v in lines.items() if not _is_system_property(k)}
        else:
            extra = re.split(r"[;\n]", os.environ.get("QUORATE_CFG", ""))
        return "\n".join([f"{key}={value}" for key, value in lines.items()] + extra) + "\n"

    def _command(self, config: Path) -> list[str]:
        if self.kind is Kind.QUORATE:
            extra = shlex.split(os.environ.get("QUORATE_ARGS", ""))
            return [str(quorate_binary()), "server", "--config", str(config), *extra]
        properties = [f"-D{k}={v}" for k, v in self.settings.items() if _is_system_property(k)]
        member = any(key.startswith("server.") for key in self.settings)
        main = "quorum.QuorumPeerMain" if member else "ZooKeeperServerMain"
        path = java_path() if self.kind is Kind.APACHE else f"{MAVEN}/*"
        return [
            *java("-Dfile.encoding=UTF-8", *properties, path=path),
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            f"org.apache.zookeeper.server.{main}",
            str(config),
        ]


def wait_stopped(pid: int) -> None:
    """Waits until every thread of a process stands still, which is some time after SIGSTOP."""
    end = time.monotonic() + 30.0
    while not all(_stands(task) for task in Path(f"/proc/{pid}/task").iterdir()):
        if time.monotonic() > end:
            raise ServerError(f"process {pid} does not stop")
        time.sleep(0.001)


def _stands(task: Path) -> bool:
    """Whether a thread is stopped, or has ended."""
    try:
        # The state follows the name, which is in parentheses and may hold anything.
        return (task / "stat").read_text().rpartition(")")[2].split()[0] in "TtZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def kind_under_test() -> Kind:
    """Which server the suite is about, from the environment."""
    return Kind(os.environ.get("PEER", Kind.QUORATE.value))


def quorate_binary() -> Path:
    """The binary under test; an error that says what to set if there is none."""
    text = os.environ.get("QUORATE_BIN", "")
    if not text or not Path(text).is_file():
        raise ServerError(f"QUORATE_BIN={text!r} names no file; set it to the quorate binary")
    return Path(text)


def java_path(log: str = "slf4j-simple") -> str:
    """Debian's ZooKeeper as a class path."""
    # Of Netty its manifest names a part only.
    netty = [f"netty-{part}" for part in ("codec", "resolver", "transport-native-unix-common")]
    jars = ["zookeeper", "snappy-java", log, *netty]
    return ":".join(f"/usr/share/java/{jar}.jar" for jar in jars)


def java(*options: str, path: str = java_path()) -> list[str]:
    """The start of a java command line."""
    # Small, quick-starting JVMs: several run side by side on a small machine.
    quick = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx256m"]
    return ["java", *quick, *options, "-cp", path]


def _is_system_property(key: str) -> bool:
    """Apache turns an unknown key of zoo.cfg into the system property `zookeeper.<key>`;
    the few without that prefix have to be given on its command line."""
    return key.startswith(("znode.", "readonlymode."))


# How long a start may take, seconds: a Java process needs a while on a busy machine.
START = 180.0
# What tests/setup has copied there.
MAVEN = Path(__file__).resolve().parents[3] / ".peers" / "maven"

# The superuser's password is "test".
BASE_SETTINGS = {
    "tickTime": "500",
    "maxClientCnxns": "0",
    "4lw.commands.whitelist": "*",
    "extendedTypesEnabled": "true",
    "enforceQuota": "true",
    "DigestAuthenticationProvider.superDigest": "super:D/InIHSb7yEEbrWz8b9l71RjZJU=",
    "znode.container.checkIntervalMs": "1000",
}
