"""Four-letter words: the server under test and Apache's, in the same state, answer with
the same lines; numbers that depend on time, size or traffic are normalised."""

import re

import pytest

from interop.missing import needs
from interop.pair import Pair
from interop.server import Kind, Server, kind_under_test
from interop.wire import Connection, Op, create, watched

pytestmark = needs("java", "apache")


@pytest.mark.parametrize("whitelist", ["*", "ruok,stat, mntr", None])
def test_whitelist(whitelist: str | None) -> None:
    """What is not listed is named in the answer; without a list only srvr is allowed."""
    answers = []
    for kind in (kind_under_test(), Kind.APACHE):
        listed = whitelist and f"{whitelist},srvr"
        with Server(kind, {"4lw.commands.whitelist": listed or "srvr"}) as server:
            if whitelist is None:
                del server.settings["4lw.commands.whitelist"]
            server.start()
            answers.append([server.four_letters(word)[:10] for word in WHITELIST_WORDS])
    assert answers[0] == answers[1]


def test_same_answers(pair: Pair) -> None:
    def work(server: Server) -> dict[str, str]:
        links = [fill(server)]
        answers = {word: normal(server.four_letters(word)) for word in WORDS}
        for link in links:
            link.close_session()
        return answers

    tested, apache = pair.both(work)
    for word in WORDS:
        assert tested[word] == apache[word], word


def test_same_figures(pair: Pair) -> None:
    """mntr: the figures that monitoring reads, with the same values."""

    def work(server: Server) -> dict[str, str]:
        link = fill(server)
        rows = [line.partition("\t") for line in server.four_letters("mntr").splitlines()]
        link.close_session()
        return {key: value for key, _, value in rows}

    tested, apache = pair.both(work)
    for key in FIGURES:
        assert tested.get(key) == apache[key], key
    for key in (*FIGURES, *MOVING_FIGURES):
        assert key in tested, key


def fill(server: Server) -> Connection:
    """A session with a node, an ephemeral and watches."""
    link = Connection(server.port)
    link.call(Op.CREATE, create("/a", b"x"))
    link.call(Op.CREATE, create("/e", b"x", flags=1))
    link.call(Op.GET_DATA, watched("/a", True))
    link.call(Op.GET_DATA, watched("/e", True))
    link.call(Op.CHILDREN2, watched("/", True))
    return link


def normal(answer: str) -> str:
    text = re.sub(r"0x[0-9a-f]{12,16}", "<session>", answer)
    text = re.sub(r"Zookeeper version: .*", "Zookeeper version: <version>", text)
    text = re.sub(r"at \w{3} \w{3} \d+ [\d:]+ \w+ \d{4}", "at <time>", text)
    text = re.sub(r"(dataDir|dataLogDir)=.*/version-2", r"\1=<dir>", text)
    text = re.sub(r"-?\d+(\.\d+)?(E-?\d+)?", "<n>", text)
    # How many buckets and connections there are just now, and in which order, is chance:
    # the word's own connection is one of them, and maybe that of the word before.
    kept = [line for line in text.splitlines() if not BUCKET.fullmatch(line)]
    connections = {line for line in kept if CONNECTION.match(line)}
    others = [line for line in kept if line not in connections]
    return "\n".join(sorted(connections) + others)


BUCKET = re.compile(r"<n> expire at <time>:")
CONNECTION = re.compile(r" /|\tip: /")

WORDS = [
    *["ruok", "srvr", "stat", "conf", "cons", "dump", "isro", "wchs", "wchc", "wchp"],
    *["dirs", "gtmk", "srst", "crst", "bogu"],
]
WHITELIST_WORDS = ["ruok", "srvr", "stat", "mntr", "conf", "isro", "bogu"]

FIGURES = [
    "zk_server_state",
    "zk_num_alive_connections",
    "zk_outstanding_requests",
    "zk_znode_count",
    "zk_watch_count",
    "zk_ephemerals_count",
    "zk_approximate_data_size",
    "zk_global_sessions",
    "zk_local_sessions",
    "zk_connection_drop_probability",
    "zk_auth_failed_count",
]
MOVING_FIGURES = [
    "zk_version",
    "zk_avg_latency",
    "zk_min_latency",
    "zk_max_latency",
    "zk_packets_received",
    "zk_packets_sent",
    "zk_open_file_descriptor_count",
    "zk_max_file_descriptor_count",
    "zk_uptime",
    "zk_last_client_response_size",
    "zk_max_client_response_size",
    "zk_min_client_response_size",
]
