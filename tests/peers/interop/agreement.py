"""Whether all members of an ensemble hold the same: they say so, or clients see it."""

import time

from interop.ensemble import Ensemble
from interop.server import Server
from interop.tree import Tree, difference, read_tree

# For members to come to have what the others have.
PATIENCE = 30.0
# Each member writes down its configuration by its own clock.
OWN = "/zookeeper/config"


def assert_agreed(ensemble: Ensemble) -> None:
    """No member has ever computed another digest than its leader, or tells another one now.
    Where too little has happened for members to tell any, all nodes are compared."""
    digests: dict[str, str] = {}
    for member in ensemble.members:
        if not member.running:
            continue
        figures = member.four_letters("mntr")
        assert "zk_digest_mismatches_count\t0" in figures, figures
        for line in member.four_letters("hash").splitlines():
            zxid, digest = line.split(": ")
            assert digests.setdefault(zxid, digest) == digest, (zxid, member.address)
    if not digests:
        _compare_trees(ensemble)


def _compare_trees(ensemble: Ensemble) -> None:
    """Members may lag, but only for a while."""
    end = time.monotonic() + PATIENCE
    while True:
        trees = [_tree(member) for member in ensemble.members if member.running]
        differences = [difference(trees[0], tree) for tree in trees[1:]]
        if not any(differences):
            return
        assert time.monotonic() < end, "\n".join(differences)
        time.sleep(0.05)


def _tree(member: Server) -> Tree:
    tree = read_tree((member.place.host, member.port))
    tree.pop(OWN, None)
    return tree
