"""What is measured: one function per group of rows.

Loads run in turn on both servers (A B A B), each after a warm-up of its own, and the
median of the rounds counts. Groups that need a server of their own state (a million
nodes, an empty directory) start one.
"""

import json
import os
import statistics
import subprocess
import sys
import time

# Far more transactions than a run makes: no snapshots.
NEVER = 100_000_000
# What our server writes while it takes a snapshot of a large tree, MB/s.
SNAPSHOT_PACE = 100


class Bench:
    """The options of a run, its servers and its report."""

    def __init__(self, binary, servers, report, quick, home):
        self.binary = binary
        self.home = home
        self.servers = servers
        self.report = report
        self.quick = quick
        self.rounds = 1 if quick else 3
        self.span = (
            ["--seconds", "1.5", "--warmup", "0.5"]
            if quick
            else ["--seconds", "5", "--warmup", "2"]
        )
        self.nodes = 200_000 if quick else 1_000_000

    def run(self, server, line, *more):
        """One workload on one server; returns its figures by name."""
        say(f"{server.name}: {line}")
        settle()
        command = [
            self.binary,
            "bench",
            "--json",
            "--server",
            server.target,
            "--pid",
            server.pids,
            *line.split(),
            *more,
        ]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        result = json.loads(done.stdout)
        self.report.raw.append({"server": server.name, "line": line, **result})
        figures = {name: metric["value"] for name, metric in result["metrics"].items()}
        for failure in ("errors", "lost_connections", "unanswered"):
            if figures.get(failure):
                say(f"  ATTENTION: {figures[failure]:.0f} {failure}")
        return figures

    def device(self, line):
        """A measure of the device alone; returns its figures by name."""
        say(f"the device alone: {line}")
        settle()
        command = [self.binary, "bench", "--json", *line.split()]
        result = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
        self.report.raw.append({"line": line, **result})
        return {name: metric["value"] for name, metric in result["metrics"].items()}

    def alternate(self, line, *more):
        """The workload in turn on all servers; returns lists of figures by server."""
        results = {server.name: [] for server in self.servers}
        for _ in range(self.rounds):
            for server in self.servers:
                results[server.name].append(self.run(server, line, *more))
        return results


def settle():
    """Brings to the device what was written so far. A server that syncs little leaves gigabytes
    behind, and nobody should be charged for what somebody else wrote.
    """
    os.sync()


def say(text):
    print(text, file=sys.stderr, flush=True)


def pick(results, name, scale=1.0):
    """One figure of every run."""
    return {
        server: [run[name] * scale for run in runs if name in run]
        for server, runs in results.items()
    }


def limits(bench, directory):
    """What the machine could do at best."""
    say("limits of this machine")
    command = [
        bench.binary,
        "bench",
        "--json",
        "limits",
        "--dir",
        str(directory),
        "--seconds",
        "1" if bench.quick else "3",
    ]
    result = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    found = {name: metric["value"] for name, metric in result["metrics"].items()}
    bench.report.limits = found
    return found


def warm_up(bench):
    """Lets the JVM compile what it will need."""
    span = ["--seconds", "4" if bench.quick else "20", "--warmup", "0"]
    for server in bench.servers:
        bench.run(server, "mix --reads 50 --outstanding 32", *span)


def throughput(bench, found):
    """Rates of reads, writes, creates and transactions; processor time per request."""

    def rows(title, line, goal, factor, limit=None, rate="rate"):
        results = bench.alternate(line, *bench.span)
        bench.report.add(
            title,
            "requests/s",
            pick(results, rate),
            limit=limit,
            goal=goal,
            higher=True,
            met=factor,
        )
        return results

    def times(factor):
        return lambda ours, theirs, _: ours >= factor * theirs

    reads = rows(
        "reads, 50 clients x 32",
        "mix --reads 100 --clients 50 --outstanding 32",
        "15 x Apache",
        times(15),
        found["canned_50x32_rate"],
    )
    bench.report.add(
        "server CPU per read, 50 x 32",
        "us",
        pick(reads, "server_cpu_per_op"),
        limit=found["canned_50x32_server_cpu_per_op"],
        goal="a 20th of Apache's",
        met=lambda ours, theirs, _: ours <= theirs / 20,
    )
    reads = rows(
        "reads, 50 clients x 1",
        "mix --reads 100 --clients 50 --outstanding 1",
        "90 % of the limit",
        lambda ours, _, limit: ours >= 0.9 * limit,
        found["canned_50x1_rate"],
    )
    bench.report.add(
        "server CPU per read, 50 x 1",
        "us",
        pick(reads, "server_cpu_per_op"),
        limit=found["canned_50x1_server_cpu_per_op"],
    )
    rows(
        "durable writes, 50 x 1",
        "mix --reads 0 --clients 50 --outstanding 1",
        "3 x Apache",
        times(3),
    )
    rows(
        "durable writes, 50 x 32",
        "mix --reads 0 --clients 50 --outstanding 32",
        "6 x Apache",
        times(6),
    )
    rows(
        "90 % reads, 50 x 32",
        "mix --reads 90 --clients 50 --outstanding 32",
        "10 x Apache",
        times(10),
    )
    rows("creates, 10 x 32", "create --clients 10 --outstanding 32", "6 x Apache", times(6))
    rows(
        "multi of 10 setData, 10 x 8",
        "multi --ops 10 --clients 10 --outstanding 8",
        "5 x Apache",
        times(5),
    )


def latency(bench, home):
    """One client alone, against the limit of loopback and disk, taken in the same minute."""
    found = limits(bench, home)
    loopback = found["pingpong_64B_p50"]
    sync = found["fdatasync_256B_preallocated_p50"]
    write = bench.alternate("mix --reads 0 --clients 1", *bench.span)
    bench.report.add(
        "durable write, one client, p50",
        "us",
        pick(write, "write_p50"),
        limit=loopback + sync,
        goal="1.3 x limit",
        met=lambda ours, _, limit: ours <= 1.3 * limit,
    )
    read = bench.alternate("mix --reads 100 --clients 1", *bench.span)
    bench.report.add("read, one client, p50", "us", pick(read, "read_p50"), limit=loopback)


def watches(bench):
    """5,000 watches on one node."""
    rounds = ["--rounds", "10" if bench.quick else "50"]
    results = bench.alternate("watch --watchers 5000", *rounds)
    for title, name, goal, bound in [
        ("writer waits, p99", "writer_waits_p99", "3 ms", 3),
        ("bystander, p99", "bystander_during_p99", "3 ms", 3),
        ("last notified, p50", "last_notified_p50", "30 ms", 30),
    ]:
        bench.report.add(
            f"5,000 watches: {title}",
            "ms",
            pick(results, name),
            goal=goal,
            met=lambda ours, _theirs, _limit, bound=bound: ours <= bound,
        )


def idle(bench):
    """A server without work, and with sessions that only ping."""
    resident = {}
    for server in bench.servers:
        server.fresh()
        time.sleep(3)
        resident[server.name] = [server.rss() / 1e6]
    bench.report.add(
        "idle server, RSS", "MB", resident, goal="10 MB", met=lambda ours, *_: ours <= 10
    )
    seconds = ["--seconds", "5" if bench.quick else "20"]
    results = bench.alternate("sessions --count 5000", *seconds)
    # The first round on a new server: later ones find the memory of the earlier ones.
    first = {name: runs[:1] for name, runs in results.items()}
    bench.report.add(
        "memory per idle session (of 5,000)",
        "kB",
        pick(first, "rss_per_session"),
        goal="1 kB",
        met=lambda ours, *_: ours <= 1,
    )
    bench.report.add(
        "CPU per 1,000 idle sessions",
        "ms/s",
        pick(results, "cpu_per_1000_sessions"),
        goal="1.5 ms/s",
        met=lambda ours, *_: ours <= 1.5,
    )
    storm = bench.alternate("connect --clients 50", *bench.span)
    bench.report.add(
        "sessions opened and closed, 50 at a time", "1/s", pick(storm, "rate"), higher=True
    )


def restart(bench, title, goal, bound):
    """kill -9, start, first answer to a read; the process' own start-up included."""
    times = {server.name: [] for server in bench.servers}
    for _ in range(max(2, bench.rounds)):
        for server in bench.servers:
            say(f"{server.name}: kill -9 and start, {title}")
            server.kill()
            times[server.name].append(server.start(**server.settings) * 1e3)
    bench.report.add(
        f"kill -9 to first read, {title}",
        "ms",
        times,
        goal=goal,
        met=lambda ours, *_: ours <= bound,
    )


def small_restart(bench):
    for server in bench.servers:
        server.fresh()
        bench.run(server, "mix --reads 0 --clients 1 --seconds 0.5 --warmup 0")
    restart(bench, "empty", "20 ms", 20)


def large_tree(bench):
    """A million nodes: how fast made, how large, how fast back, how snapshots disturb."""
    label = f"{bench.nodes // 1000:,} k znodes"
    made, heaps = {}, {}
    for server in bench.servers:
        server.fresh()
        made[server.name] = [bench.run(server, f"memory --keep --nodes {bench.nodes}")]
        heap = server.live_heap()
        heaps[server.name] = [heap / bench.nodes] if heap else []
    bench.report.add(
        f"populate {label} of 100 B",
        "1/s",
        pick(made, "operations"),
        goal="800,000/s",
        higher=True,
        met=lambda ours, *_: ours >= 800_000,
    )
    bench.report.add(f"RSS with {label}", "MB", pick(made, "rss_after"))
    bench.report.add(
        f"RSS per znode at {label}",
        "B",
        pick(made, "rss_growth_per_node"),
        goal="250 B",
        met=lambda ours, *_: ours <= 250,
    )
    bench.report.add(f"live heap per znode at {label} (JVM only)", "B", heaps)
    # Apache takes a snapshot when it starts; ours has made too few transactions for one and
    # replays the log.
    for server in bench.servers:
        server.start()
    restart(bench, label, "500 ms", 500)
    snapshot_disturbance(bench, label)


def snapshot_disturbance(bench, label):
    """Writes at a fixed rate, without snapshots and with one every few thousand writes."""
    rate = 1000
    seconds = 6 if bench.quick else 20
    line = f"mix --reads 0 --clients 10 --rate {rate} --seconds {seconds} --warmup 5"
    syncs = f"syncs --dir {bench.home} --rate {rate} --seconds {seconds}"
    calm, busy = ({server.name: [] for server in bench.servers} for _ in range(2))
    calm["limit"], busy["limit"] = [], []
    for _ in range(bench.rounds):
        calm["limit"].append(bench.device(syncs))
        for server in bench.servers:
            server.start(snapCount=NEVER)
            calm[server.name].append(bench.run(server, line))
            server.stop()
        busy["limit"].append(bench.device(f"{syncs} --beside {SNAPSHOT_PACE}"))
        for server in bench.servers:
            server.start(snapCount=2 * rate)
            before = server.snapshots()
            run = bench.run(server, line)
            run["snapshots"] = len(server.snapshots() - before)
            say(f"{server.name}: {run['snapshots']} snapshots during the run")
            busy[server.name].append(run)
            server.stop()
    without, during = pick(calm, "write_p99.9", 1e-3), pick(busy, "write_p99.9", 1e-3)
    for title, values, goal in [
        ("no snapshots", without, "not slower"),
        ("snapshots all the time", during, "not slower"),
    ]:
        limit = statistics.median(values.pop("limit"))
        bench.report.add(
            f"write p99.9, {rate}/s, {label}, {title}",
            "ms",
            values,
            limit=limit,
            goal=goal,
            met=lambda ours, theirs, _: ours <= theirs,
        )
    busy.pop("limit")
    bench.report.add("snapshots during a run", "", pick(busy, "snapshots"), higher=True)
    factor = {
        name: [with_ / alone for with_, alone in zip(during[name], without[name], strict=False)]
        for name in during
    }
    bench.report.add(
        "  the latter by the former", "x", factor, goal="1.5", met=lambda ours, *_: ours <= 1.5
    )


def sweep(bench):
    """Never slower than Apache, whatever the number of clients."""
    counts = [1, 10, 100, 1000] if bench.quick else [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    span = ["--seconds", "1"] if bench.quick else ["--seconds", "3"]
    for reads, title in [(100, "reads"), (0, "writes")]:
        for clients in counts:
            results = bench.alternate(
                f"mix --reads {reads} --clients {clients} --warmup 0.5", *span
            )
            bench.report.add(
                f"sweep: {title}, {clients} clients x 1",
                "requests/s",
                pick(results, "rate"),
                goal="not slower",
                higher=True,
                met=lambda ours, theirs, _: ours >= theirs,
            )
