"""Three members, and our client's tests that kill, start and reconfigure them.

The tests are in `core/tests/client_ensemble.rs`. They say what is to happen to a member on a
connection to this process, one line each: `kill 2`, `launch 2`, `serving 3`.
"""

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from interop import suite
from interop.ensemble import Ensemble
from interop.server import Kind, ServerError


def read_only_mode(kind: Kind) -> None:
    """A client reads at a member without a quorum, and goes on when there is one again."""
    # Without a quorum there can be no sessions but local ones.
    local = {"localSessionsEnabled": "true", "localSessionsUpgradingEnabled": "true"}
    settings = {**SETTINGS, "readonlymode.enabled": "true", **local}
    with Ensemble(kind, settings) as ensemble:
        ensemble.start()
        _run(ensemble, "read_only_mode")


def moves(kind: Kind) -> None:
    """Sessions are handed over, and taken away."""
    with Ensemble(kind, SETTINGS) as ensemble:
        ensemble.start()
        _run(ensemble, "a_session_is_handed_over", "a_session_is_taken_away")


def reconfiguration(kind: Kind) -> None:
    """Clients follow the configuration while it changes, and share out what there is."""
    with Ensemble(kind, {**SETTINGS, "reconfigEnabled": "true"}) as ensemble:
        ensemble.name_client_ports()
        ensemble.start()
        _run(ensemble, "clients_follow_a_reconfiguration")


def _run(ensemble: Ensemble, *tests: str) -> None:
    with _control(ensemble) as control:
        ran = subprocess.run(
            [
                suite.program("client_ensemble"),
                "--include-ignored",
                "--test-threads=1",
                "--exact",
                *tests,
            ],
            env={
                **os.environ,
                "QUORATE_TEST_MEMBERS": ensemble.address,
                "QUORATE_TEST_CONTROL": control,
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    logs = "\n".join(member.log[-3000:] for member in ensemble.members)
    assert ran.returncode == 0, f"{ran.stdout[-8000:]}{ran.stderr[-4000:]}{logs}"
    assert f"{len(tests)} passed" in ran.stdout, ran.stdout
    print(ran.stdout.strip().splitlines()[-1])


@contextmanager
def _control(ensemble: Ensemble) -> Iterator[str]:
    """The address where the tests say what is to happen."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, ensemble))
        thread.start()
        host, port = listener.getsockname()
        yield f"{host}:{port}"
        # Wakes it, to find that there is nobody.
        with socket.create_connection((host, port)) as link:
            link.sendall(b"end\n")
        thread.join()


def _serve(listener: socket.socket, ensemble: Ensemble) -> None:
    """One test after another; each has a connection of its own."""
    while True:
        link, _ = listener.accept()
        with link, link.makefile("rw", encoding="ascii", newline="\n") as lines:
            for line in lines:
                if line == "end\n":
                    return
                lines.write(f"{_carry_out(ensemble, line)}\n")
                lines.flush()


def _carry_out(ensemble: Ensemble, line: str) -> str:
    word, number = line.split()
    member = ensemble.members[int(number) - 1]
    try:
        match word:
            case "kill":
                member.kill()
            case "launch":
                member.launch()
            case "serving":
                ensemble.wait_serving(int(number))
            case _:
                return f"what is {word}?"
    except ServerError as error:
        return str(error).replace("\n", " ")
    return "done"


# Sessions outlive a restart of the ensemble on a busy machine.
SETTINGS = {"tickTime": "200", "maxSessionTimeout": "120000"}
