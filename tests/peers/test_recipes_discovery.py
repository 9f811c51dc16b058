"""Service discovery: instances that one registers, the other reads, with every payload."""

from typing import Any

import pytest

from interop.kazoo_peer import fresh_path
from interop.players import Company
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
