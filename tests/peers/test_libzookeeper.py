"""libzookeeper (Debian's libzookeeper-mt2): the C program in libzookeeper/ uses its whole
API on the server under test, one group of calls per test."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from interop.missing import needs
from interop.server import Server, kind_under_test

pytestmark = needs("gcc", "libzookeeper")

SOURCES = Path(__file__).parent / "libzookeeper"
MAIN = (SOURCES / "main.c").read_text("utf-8")
GROUPS = re.findall(r'^ +\{"(\w+)", test_\w+\},$', MAIN, re.MULTILINE)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The C program, built without warnings."""
    target = tmp_path_factory.mktemp("libzookeeper") / "api"
    sources = [str(path) for path in sorted(SOURCES.glob("*.c"))]
    strict = ["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-DTHREADED"]
    command = ["gcc", *strict, "-o", str(target), *sources, "-lzookeeper_mt", "-lpthread"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return target


@pytest.fixture(scope="module")
def shared_server() -> Iterator[Server]:
    """One server for all groups; each works below a node of its own."""
    with Server(kind_under_test()) as server:
        server.start()
        yield server


@pytest.mark.parametrize("group", GROUPS)
def test_group(program: Path, shared_server: Server, group: str) -> None:
    done = subprocess.run(
        [program, shared_server.address, group],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stderr}"


def test_whole_api(program: Path) -> None:
    """Every public call of the installed library is used by the program."""
    listed = subprocess.run([program, "--list"], capture_output=True, text=True, check=True)
    assert listed.stdout.split() == GROUPS
    used = _symbols("-u", program)
    (library,) = Path("/usr/lib").glob("*/libzookeeper_mt.so.2")
    public = {name for name in _symbols("-D", library) if PUBLIC.fullmatch(name)}
    assert len(public) > 60
    assert public - used == set(NOT_USED)


def _symbols(option: str, path: Path) -> set[str]:
    listed = subprocess.run(["nm", option, path], capture_output=True, text=True, check=True)
    return {line.split()[-1].partition("@")[0] for line in listed.stdout.splitlines()}


PUBLIC = re.compile(r"zoo_[a-z]\w*|zookeeper_\w+|is_unrecoverable|zerror")

# Exported, but not for an application of the multi-threaded library.
NOT_USED = {
    "zoo_lock_auth": "internal",
    "zoo_unlock_auth": "internal",
    "zoo_htonll": "internal",
    "zoo_get_log_stream": "internal, not in the header",
    "zoo_create2_op_init": "internal, not in the header",
    "zookeeper_interest": "for event loops of the single-threaded library",
    "zookeeper_process": "for event loops of the single-threaded library",
}
