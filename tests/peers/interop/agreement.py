"""Whether all members of an ensemble hold the same, as they themselves say."""

from interop.ensemble import Ensemble


def assert_agreed(ensemble: Ensemble) -> None:
    """No member has ever computed another digest than its leader, or tells another one now."""
    digests: dict[str, str] = {}
    for member in ensemble.members:
        if not member.running:
            continue
        figures = member.four_letters("mntr")
        assert "zk_digest_mismatches_count\t0" in figures, figures
        for line in member.four_letters("hash").splitlines():
            zxid, digest = line.split(": ")
            assert digests.setdefault(zxid, digest) == digest, (zxid, member.address)
