"""Runs a program with QUORATE_TEST_SERVERS naming a server that lives as long: `at_server.py apache|quorate PROGRAM …`."""

import os
import subprocess
import sys

from interop.server import Kind, Server

with Server(Kind(sys.argv[1])) as server:
    server.start()
    environment = {**os.environ, "QUORATE_TEST_SERVERS": server.address}
    ended = subprocess.run(sys.argv[2:], check=False, env=environment, timeout=300)
sys.exit(ended.returncode)
