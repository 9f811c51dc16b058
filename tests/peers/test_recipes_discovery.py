"""Service discovery: instances that one registers, the other reads, with every payload."""

from typing import Any

import pytest

from interop.kazoo_peer import fresh_path
from interop.players import Company, until
from interop.table import shows

CURATORS = ["curator-5.4", "curator-5.9"]
BOTH = "Curator 5.4, 5.9"

# Kind of payload -> its value and, for a Java reader, its class.
PAYLOADS: dict[str, tuple[Any, str | None]] = {
    "none": (None, None),
    "text": ("v1 ü", None),
    "map": ({"zone": "b", "weight": 3}, "java.util.HashMap"),
    "class": ({"text": "x", "number": 7}, "Payload"),
}
URI = "{scheme}://{address}:{port}/{name}"


@pytest.mark.parametrize("curator", CURATORS)
@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("we_register", [True, False], ids=["ours", "theirs"])
@shows(
    "discovery",
    BOTH,
    "each registers, the other lists; payload null, string, map or class",
    "same instance; same URL from the specification",
)
def test_instance(together: Company, curator: str, payload: str, we_register: bool) -> None:
    ours, other, path = together.peer("quorate"), together.peer(curator), fresh_path("services")
    giver, reader = (ours, other) if we_register else (other, ours)
    value, java_class = PAYLOADS[payload]
    where = {"path": path, "service": "search", "payload": payload}
    registered = {"address": "10.0.0.1", "port": 8080, "sslPort": 8443}
    giver.call(
        "discovery.register",
        as_="id-1",
        uri=URI,
        value=value,
        class_=java_class,
        **where,
        **registered,
    )
    (found,) = reader.call("discovery.list", **where)
    url = "https://10.0.0.1:8080/search"
    expected = {"id": "id-1", "payload": value, "enabled": True, "uri": url, **registered}
    assert found == expected
    giver.call("discovery.unregister", as_="id-1")
    assert reader.call("discovery.list", **where) == []


@pytest.mark.parametrize("curator", CURATORS)
@shows("discovery", BOTH, "both register the same thing", "the same fields in the same order")
def test_bytes(together: Company, curator: str) -> None:
    ours, other = together.peer("quorate"), together.peer(curator)
    written = []
    for giver in (ours, other):
        path = fresh_path("services")
        giver.call(
            "discovery.register",
            path=path,
            service="search",
            as_=f"id{path}".replace("/", "-"),
            address="10.0.0.1",
            port=80,
            payload="class",
            value={"text": "x", "number": 7},
            class_="Payload",
        )
        (name,) = together.kazoo.client.get_children(f"{path}/search")
        text = together.kazoo.client.get(f"{path}/search/{name}")[0].decode()
        written.append(text.replace(name, "ID"))
    # When they were registered differs.
    masked = [_without_time(text) for text in written]
    assert masked[0] == masked[1]


def _without_time(text: str) -> str:
    before, name, after = text.partition('"registrationTimeUTC":')
    return before + name + after.lstrip("0123456789")


DUBBO = "Dubbo 3.2"
GREETER = "org.example.Greeter"
URLS = [
    f"dubbo://10.0.0.1:20880/{GREETER}?application=shop&methods=hello,bye&version=1.0.0",
    f"dubbo://10.0.0.1:20880/{GREETER}?version=1.0.0&dynamic=false&side=provider",
    f"tri://10.0.0.1:50051/{GREETER}?group=g&note=a b/c&d&e==1&version=1.0.0",
    f"dubbo://host-1.example.org/{GREETER}?name=%C3%BC&empty=",
    f"consumer://10.0.0.2/{GREETER}?category=consumers&check=false&side=consumer",
    f"override://0.0.0.0/{GREETER}?category=configurators&dynamic=false&timeout=5000",
    f"condition://0.0.0.0/{GREETER}?category=routers&rule=host+%3D+10.0.0.1",
    f"dubbo://10.0.0.1:20880/other?interface={GREETER}",
]


@pytest.mark.parametrize("url", URLS)
@shows(
    "Dubbo's registry",
    DUBBO,
    "both register the same URL",
    "the same node: category, name, kind",
)
def test_dubbo_names(together: Company, url: str) -> None:
    client, written = together.kazoo.client, []
    for peer in (together.peer("quorate"), together.peer("curator-5.9")):
        group = fresh_path("dubbo")
        peer.call("dubbo.register", path=group, url=url)
        (service,) = client.get_children(group)
        found = []
        for category in sorted(client.get_children(f"{group}/{service}")):
            for name in client.get_children(f"{group}/{service}/{category}"):
                stat = client.exists(f"{group}/{service}/{category}/{name}")
                found.append((service, category, name, stat.ephemeralOwner != 0))
        assert len(found) == 1
        written.append(found)
        peer.call("dubbo.unregister", path=group, url=url)
        assert not client.get_children(f"{group}/{service}/{found[0][1]}")
    assert written[0] == written[1]


@pytest.mark.parametrize("we_provide", [True, False], ids=["we-provide", "it-provides"])
@shows(
    "Dubbo's registry",
    DUBBO,
    "each provides, the other looks up and subscribes",
    "the same URLs, an empty:// one when there are none",
)
def test_dubbo(together: Company, we_provide: bool) -> None:
    pair = [together.peer("quorate"), together.peer("curator-5.9")]
    giver, reader = pair if we_provide else reversed(pair)
    where = {"path": fresh_path("dubbo")}
    consumer = f"consumer://10.0.0.2/{GREETER}?category=providers,routers&version=1.0.0"
    one, two = (
        f"dubbo://10.0.0.{number}:20880/{GREETER}?category=providers&side=provider&version=1.0.0"
        for number in (1, 2)
    )
    other_version = one.replace("1.0.0", "2.0.0")
    name = where["path"]
    reader.call("dubbo.subscribe", as_=name, url=consumer, **where)

    def sees(*providers: str) -> None:
        def told() -> bool:
            return bool(reader.call("dubbo.seen", as_=name).get("providers") == list(providers))

        until(told, f"seeing {providers}")

    empty = f"empty://10.0.0.2/{GREETER}?category=providers&version=1.0.0"
    sees(empty)
    for url in (two, other_version, one):
        giver.call("dubbo.register", url=url, **where)
    sees(one, two)
    assert reader.call("dubbo.lookup", url=consumer, **where) == [one, two]
    giver.call("dubbo.unregister", url=two, **where)
    sees(one)
    giver.call("dubbo.unregister", url=one, **where)
    sees(empty)
    giver.call("dubbo.unregister", url=other_version, **where)
