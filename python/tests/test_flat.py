"""Memory, threads and descriptors do not grow. Long: `python/tests/flat.py`, see docs/testing.md."""

import subprocess
import sys
from pathlib import Path


def test_nothing_grows() -> None:
    program = [sys.executable, str(Path(__file__).with_name("flat.py"))]
    ended = subprocess.run(
        [*program, "--opens", "1000", "--operations", "20000"], capture_output=True, text=True, timeout=100
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
