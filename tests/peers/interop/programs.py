"""How the peers' programs are built and started: ours, Curator in two versions, go-zookeeper.

Ours is `recipes` beside the binary under test, or QUORATE_RECIPES. The others are compiled
from `java/` and `go/` when they are needed first. With Debian's Curator comes ZooKeeper's own
lock (`java/debian`), with Maven's comes Dubbo (`java/maven`).
"""

import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from interop.missing import missing_peers
from interop.peer import ProcessPeer
from interop.server import MAVEN, quorate_binary

HERE = Path(__file__).resolve().parents[1]


# What must not be missing for each kind of peer.
NEEDED = {
    "curator-5.4": ("java", "javac", "curator-debian"),
    "curator-5.9": ("java", "javac", "maven"),
    "go-zookeeper": ("go-zookeeper",),
}


def reason_against(kind: str) -> str | None:
    """Why such a peer cannot be started here."""
    lacking = missing_peers()
    reasons = [f"{name}: {lacking[name]}" for name in NEEDED.get(kind, ()) if name in lacking]
    return "; ".join(reasons) or None


def start(kind: str, servers: str, log: Path, *arguments: str) -> ProcessPeer:
    """Starts a peer of a kind: `quorate`, or one of NEEDED. It may not be connected yet."""
    return ProcessPeer(kind, [*_command(kind), servers, *arguments], log)


def _command(kind: str) -> list[str]:
    if kind == "quorate":
        return [str(recipes_binary())]
    if kind == "go-zookeeper":
        return [str(go_program())]
    return [*JAVA, "-cp", f"{java_classes(kind)}:{class_path(kind)}", "Peer"]


def recipes_binary() -> Path:
    """Our recipes as a program."""
    given = os.environ.get("QUORATE_RECIPES")
    path = Path(given) if given else quorate_binary().with_name("recipes")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: cargo build -p quorate-tests --bin recipes makes it")
    return path


def class_path(kind: str) -> str:
    """Where Java finds Curator: Debian's packages or what Maven copied."""
    if kind == "curator-5.4":
        return ":".join(f"/usr/share/java/{jar}.jar" for jar in DEBIAN_JARS)
    return f"{MAVEN}/*"


@cache
def java_classes(kind: str) -> Path:
    """Our Java program, compiled against one version of Curator."""
    target = Path(_temporary().name) / kind
    folders = [HERE / "java", HERE / "java" / ("debian" if kind == "curator-5.4" else "maven")]
    sources = [str(path) for folder in folders for path in sorted(folder.glob("*.java"))]
    options = ["-proc:none", "-Xlint:all,-path,-classfile", "-Werror", "-d", str(target)]
    _build(["javac", *options, "-cp", class_path(kind), *sources], HERE)
    return target


@cache
def go_program() -> Path:
    """Our Go program."""
    target = Path(_temporary().name) / "go-peer"
    _build(["go", "build", "-o", str(target), "."], HERE / "go")
    return target


@cache
def linearizable() -> Path:
    """The checker of histories."""
    target = Path(_temporary().name) / "linearizable"
    _build(["go", "build", "-o", str(target), "./linearizable"], HERE / "go")
    return target


@cache
def faults_library() -> Path:
    """What makes disks slow and clocks wrong."""
    target = Path(_temporary().name) / "faults.so"
    strict = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror"]
    source = str(HERE / "preload" / "faults.c")
    _build(["gcc", *strict, "-shared", "-fPIC", "-o", str(target), source], HERE)
    return target


def _build(command: list[str], folder: Path) -> None:
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if built.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:2])} failed\n{built.stdout}{built.stderr}")


@cache
def _temporary() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="peers-programs-")


# Small, quick-starting JVMs: several run side by side on a small machine.
JAVA = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Xmx128m"]

DEBIAN_JARS = (
    "curator-x-discovery",
    "curator-recipes",
    "curator-framework",
    "curator-client",
    "jackson-databind",
    "jackson-core",
    "jackson-annotations",
    "guava",
    "slf4j-simple",
    "slf4j-api",
    "zookeeper",
    "zookeeper-jute",
    "zookeeper-recipes-lock",
    "zookeeper-recipes-election",
)
