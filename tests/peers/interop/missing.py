"""Which peers tests/setup could not install, and the skip mark made of it."""

from pathlib import Path

import pytest


def needs(*peers: str) -> pytest.MarkDecorator:
    """Skips the tests of a module if one of these peers is missing, with the reason."""
    lacking = missing_peers()
    reasons = [f"{peer}: {lacking[peer]}" for peer in peers if peer in lacking]
    return pytest.mark.skipif(bool(reasons), reason="; ".join(reasons))


def missing_peers() -> dict[str, str]:
    """Peer -> reason, as recorded by tests/setup."""
    if not RECORD.exists():
        return {}
    rows = (line.partition("\t") for line in RECORD.read_text("utf-8").splitlines())
    return {peer: reason for peer, _, reason in rows if peer}


RECORD = Path(__file__).resolve().parents[3] / ".peers" / "missing"
