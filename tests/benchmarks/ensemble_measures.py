"""What is measured of ensembles: one function per group of rows."""

import json
import statistics
import subprocess
import time

from benchmarks.measures import pick, say, settle

# What a client would notice and no election should need.
KILLED_AFTER = 1.0


def rates(bench):
    """Reads, writes and mixes, the sessions spread over all members."""
    reads = bench.alternate("mix --reads 100 --clients 50 --outstanding 32", *bench.span)
    row(bench, "reads, 50 clients x 32", reads, "rate", "15 x Apache", times(15))
    row(bench, "reads, 50 x 32, p99", reads, "read_p99", "a tenth of Apache's", part(10), 1e-3)
    alone = bench.alternate("mix --reads 0 --clients 50 --outstanding 1", *bench.span)
    row(bench, "durable writes, 50 x 1", alone, "rate", "4 x Apache", times(4))
    row(
        bench,
        "durable writes, 50 x 1, p99.9",
        alone,
        "write_p99.9",
        "5 ms",
        lambda ours, *_: ours <= 5,
        1e-3,
    )
    many = bench.alternate("mix --reads 0 --clients 50 --outstanding 32", *bench.span)
    row(bench, "durable writes, 50 x 32", many, "rate", "8 x Apache", times(8))
    for title, results in [("50 x 1", alone), ("50 x 32", many)]:
        row(
            bench,
            f"CPU of all servers per write, {title}",
            results,
            "server_cpu_per_op",
            "a fifth of Apache's",
            part(5),
            unit="us",
        )
    mixed = bench.alternate("mix --reads 90 --clients 50 --outstanding 32", *bench.span)
    row(bench, "90 % reads, 50 x 32", mixed, "rate", "10 x Apache", times(10))
    one = bench.alternate("mix --reads 0 --clients 1", *bench.span)
    row(
        bench,
        "durable write, one client, p50",
        one,
        "write_p50",
        "250 us",
        lambda ours, *_: ours <= 250,
        unit="us",
    )


def times(factor):
    return lambda ours, theirs, _: ours >= factor * theirs


def part(factor):
    return lambda ours, theirs, _: ours <= theirs / factor


def row(bench, title, results, figure, goal, met, scale=1.0, unit=None):
    """One figure of a run as a row."""
    higher = figure == "rate"
    unit = unit or ("requests/s" if higher else "ms")
    values = pick(results, figure, scale)
    bench.report.add(title, unit, values, goal=goal, higher=higher, met=met)


def locks(bench, client):
    """A lock that ten sessions of our client hand on, at either service."""
    count = "500" if bench.quick else "3000"
    found = {ensemble.name: [] for ensemble in bench.servers}
    for _ in range(bench.rounds):
        for ensemble in bench.servers:
            say(f"{ensemble.name}: lock hand-overs among 10")
            settle()
            command = [client, "handover-10", ensemble.target, count]
            told = json.loads(
                subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
            )
            found[ensemble.name].append(told["ops"] / told["seconds"])
    bench.report.add(
        "lock hand-overs, 10 contenders",
        "1/s",
        found,
        goal="2.5 x Apache",
        higher=True,
        met=times(2.5),
    )


def failover(bench):
    """The leader is killed, then frozen, under writers that go to another server at once."""
    rows = [
        ("killed", "5", kill, "60 ms", 60),
        ("frozen", "30", freeze, "1,000 ms", 1000),
    ]
    for title, seconds, fault, goal, bound in rows:
        gaps = {ensemble.name: [] for ensemble in bench.servers}
        for _ in range(bench.rounds):
            for ensemble in bench.servers:
                gaps[ensemble.name].append(gap(bench, ensemble, title, seconds, fault))
        bench.report.add(
            f"leader {title}: longest time without an acknowledged write",
            "ms",
            gaps,
            goal=goal,
            met=lambda ours, *_, bound=bound: ours <= bound,
        )


def gap(bench, ensemble, title, seconds, fault):
    say(f"{ensemble.name}: leader {title}")
    settle()
    leader = ensemble.leader()
    # The stage is cleared away through the first: it had better live.
    others = [member.target for member in ensemble.members if member is not leader]
    servers = ",".join([*others, leader.target])
    command = [
        bench.binary,
        "bench",
        "--json",
        "--server",
        servers,
        "gap",
        "--seconds",
        seconds,
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    time.sleep(KILLED_AFTER)
    mend = fault(ensemble, leader)
    told, _ = process.communicate()
    mend()
    if process.returncode:
        raise RuntimeError(f"bench gap failed at {ensemble.name}")
    result = json.loads(told)
    bench.report.raw.append({"server": ensemble.name, "line": f"gap {title}", **result})
    return result["metrics"]["longest_gap"]["value"]


def kill(ensemble, leader):
    leader.kill()
    return lambda: ensemble.again(leader)


def freeze(ensemble, leader):
    leader.pause()

    def mend():
        leader.resume()
        ensemble.wait(ensemble.all_serve)

    return mend


def catching_up(bench, client):
    """A member was away for 100,000 small writes: from its start until it has the last."""
    # The program makes a tenth of them before it counts.
    count = 18_200 if bench.quick else 91_000
    found = {ensemble.name: [] for ensemble in bench.servers}
    for _ in range(bench.rounds):
        for ensemble in bench.servers:
            say(f"{ensemble.name}: a follower is away for {count + count // 10:,} writes")
            member = ensemble.follower()
            member.stop()
            others = [other for other in ensemble.members if other is not member]
            targets = ",".join(other.target for other in others)
            command = [client, "set", targets, str(count)]
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            settle()
            newest = max(zxid(other) for other in others)
            begin = time.monotonic()
            member.launch(ensemble.settings)
            ensemble.wait(lambda member=member, newest=newest: zxid(member) >= newest)
            found[ensemble.name].append(time.monotonic() - begin)
    bench.report.add(
        f"a member comes back after {count + count // 10:,} writes",
        "s",
        found,
        goal="0.5 s",
        met=lambda ours, *_: ours <= 0.5,
    )


def zxid(member):
    return int(member.words().get("Zxid", "-1"), 16)


def large(bench):
    """Three members with a large tree, all started again at once, to the first write."""
    found = {ensemble.name: [] for ensemble in bench.servers}
    for ensemble in bench.servers:
        ensemble.fresh()
        bench.run(ensemble, f"populate --keep --nodes {bench.nodes}")
        ensemble.start()
        for _ in range(bench.rounds):
            say(f"{ensemble.name}: all killed and started")
            ensemble.kill()
            begin = time.monotonic()
            for member in ensemble.members:
                member.launch(ensemble.settings)
            ensemble.wait(lambda ensemble=ensemble: can_write(bench, ensemble))
            found[ensemble.name].append(time.monotonic() - begin)
        ensemble.stop()
    bench.report.add(
        f"all killed and started with {bench.nodes // 1000:,} k znodes, to the first write",
        "s",
        found,
        goal="1.5 s",
        met=lambda ours, *_: ours <= 1.5,
    )


def can_write(bench, ensemble):
    """Whether somebody leads and a write goes through right now."""
    if not any(member.words().get("Mode") == "leader" for member in ensemble.members):
        return False
    command = [bench.binary, "bench", "--json", "--server", ensemble.members[0].target]
    command += ["gap", "--clients", "1", "--seconds", "0.01"]
    done = subprocess.run(command, capture_output=True, check=False)
    return done.returncode == 0


def shares(bench, make):
    """Throughput at four shares of reads, for ensembles of several sizes."""
    curves = {}
    for voters, observers in [(3, 0), (5, 0), (7, 0), (3, 2)]:
        size = f"{voters}+{observers}" if observers else str(voters)
        for ensemble in make(voters, observers):
            ensemble.fresh()
            bench.run(ensemble, "mix --reads 50 --outstanding 32 --seconds 3 --warmup 0")
            for reads in (0, 50, 90, 100):
                runs = [
                    bench.run(
                        ensemble,
                        f"mix --reads {reads} --clients 50 --outstanding 32",
                        *bench.span,
                    )["rate"]
                    for _ in range(bench.rounds)
                ]
                curves.setdefault((ensemble.name, size), {})[reads] = statistics.median(runs)
            ensemble.kill()
    return curves
