"""A server of Apache's with an encrypted port, and our client's tests of TLS at it."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from interop import suite
from interop.certificates import Authority
from interop.ports import PortLease
from interop.server import Kind, Server


@contextmanager
def secure_server(kind: Kind, folder: Path, more: Mapping[str, str]) -> Iterator[str]:
    """The address of its encrypted port. It stands for 127.0.0.1 and `zoo.test`, and wants
    certificates of its own authority from its clients. The certificates are in `folder`."""
    lease = PortLease()
    settings = {
        "serverCnxnFactory": "org.apache.zookeeper.server.NettyServerCnxnFactory",
        "secureClientPort": str(lease.port),
        "secureClientPortAddress": "127.0.0.1",
        "ssl.keyStore.location": str(folder / "server-both.pem"),
        "ssl.keyStore.type": "PEM",
        "ssl.trustStore.location": str(folder / "authority.pem"),
        "ssl.trustStore.type": "PEM",
        # The names of its clients are no business of the server's.
        "ssl.clientHostnameVerification": "false",
        "authProvider.1": "org.apache.zookeeper.server.auth.X509AuthenticationProvider",
    }
    with Server(kind, {**settings, **more}) as server:
        server.start()
        yield f"127.0.0.1:{lease.port}"
    lease.release()


def run(kind: Kind, folder: Path) -> None:
    """Runs `core/tests/client_tls.rs` at such a server."""
    ours = Authority(folder, "authority")
    ours.issue("server", "IP:127.0.0.1,DNS:zoo.test")
    ours.issue("client")
    Authority(folder, "stranger").issue("intruder")
    # By default 3.8 speaks 1.2 only, and 3.9 on a current Java 1.3 only.
    _run(kind, folder, {}, "the_name_of_the_server_is_checked")
    _run(kind, folder, BOTH_VERSIONS)


def _run(kind: Kind, folder: Path, settings: Mapping[str, str], *tests: str) -> None:
    with secure_server(kind, folder, settings) as address:
        ran = subprocess.run(
            [suite.program("client_tls"), "--include-ignored", "--test-threads=1", *tests],
            env={**os.environ, "QUORATE_TLS_SERVER": address, "QUORATE_TLS_FILES": str(folder)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ran.returncode == 0, f"{ran.stdout[-8000:]}{ran.stderr[-4000:]}"
        print(ran.stdout.strip().splitlines()[-1])


# 3.8 names no ciphers of 1.3 by itself.
BOTH_VERSIONS = {
    "ssl.protocol": "TLSv1.3",
    "ssl.enabledProtocols": "TLSv1.3,TLSv1.2",
    "ssl.ciphersuites": "TLS_AES_128_GCM_SHA256,TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
}
