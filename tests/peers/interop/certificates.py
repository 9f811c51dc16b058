"""Certificates for a server with TLS and for its clients, made with openssl as a test runs.

The files are what both our client and Apache's server read: PEM, keys unencrypted as PKCS#8.
"""

import subprocess
from pathlib import Path


class Authority:
    """Signs certificates. Its own is `<name>.pem`."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        subject = ["-subj", f"/CN={name}", "-days", "2"]
        constraint = ["-addext", "basicConstraints=critical,CA:TRUE"]
        # `req -x509` adds one of its own unless it is told not to.
        config = ["-config", str(_empty(folder))]
        files = ["-keyout", str(self._path("key")), "-out", str(self._path("pem"))]
        _openssl("req", "-x509", *KEY, *config, *subject, *constraint, *files)

    def issue(self, name: str, names: str = "") -> None:
        """Makes `<name>.pem`, `<name>.key`, and `<name>-both.pem` with both of them. `names`
        are what it stands for besides, such as `DNS:zoo,IP:127.0.0.1`."""
        base = self.folder / name
        request, extensions = base.with_suffix(".csr"), base.with_suffix(".ext")
        config = ["-config", str(_empty(self.folder)), "-subj", f"/CN={name}"]
        _openssl("req", *KEY, *config, "-keyout", f"{base}.key", "-out", str(request))
        # With any extension at all it is of version 3, as it has to be.
        alternatives = f"subjectAltName={names}\n" if names else ""
        extensions.write_text(f"basicConstraints=CA:FALSE\n{alternatives}", "ascii")
        signer = ["-CA", str(self._path("pem")), "-CAkey", str(self._path("key"))]
        options = ["-days", "2", "-CAcreateserial", "-extfile", str(extensions)]
        files = ["-in", str(request), "-out", f"{base}.pem"]
        _openssl("x509", "-req", *signer, *options, *files)
        both = Path(f"{base}.key").read_text("ascii") + Path(f"{base}.pem").read_text("ascii")
        Path(f"{base}-both.pem").write_text(both, "ascii")

    def _path(self, suffix: str) -> Path:
        return self.folder / f"{self.name}.{suffix}"


def _empty(folder: Path) -> Path:
    """A configuration that adds nothing by itself."""
    path = folder / "openssl.cnf"
    path.write_text("[req]\ndistinguished_name=dn\n[dn]\n", "ascii")
    return path


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
