"""Single nodes, asked for in the same words at our client and at kazoo."""

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import (
    BadVersionError,
    ConnectionClosedError,
    ConnectionLoss,
    KazooException,
    NodeExistsError,
    OperationTimeoutError,
    SessionExpiredError,
)
from kazoo.protocol.states import ZnodeStat


@dataclass(frozen=True)
class Answer:
    """What a client said of one request (`tests/src/recipes/node.rs`)."""

    code: str
    unknown: bool = False
    text: str = ""
    version: int = -1
    zxid: int = 0
    owner: int = 0

    @property
    def done(self) -> bool:
        return self.code == "Ok"


def answer(value: Any) -> Answer:
    """What a program has said."""
    return Answer(**value)


def by_kazoo(client: KazooClient, verb: str, call: dict[str, Any]) -> dict[str, Any]:
    """The same by kazoo."""
    path = call["path"]
    try:
        match verb:
            case "create":
                _, stat = client.create(
                    path,
                    call["text"].encode(),
                    ephemeral="ephemeral" in call,
                    include_data=True,
                )
                return _node(call["text"], stat)
            case "set":
                stat = client.set(path, call["text"].encode(), call.get("version", -1))
                return _node(call["text"], stat)
            case "read":
                synced, read = client.sync_async(path), client.get_async(path)
                synced.get()
                data, stat = read.get()
                return _node(data.decode(), stat)
            case "await":
                return _await(client, path, call["version"])
    except KazooException as error:
        return _failed(error)
    raise ValueError(verb)


def _await(client: KazooClient, path: str, version: int) -> dict[str, Any]:
    while True:
        changed: Future[None] = Future()
        data, stat = client.get(path, lambda _, changed=changed: changed.set_result(None))
        if stat.version >= version:
            return _node(data.decode(), stat)
        changed.result()


def _node(text: str, stat: ZnodeStat) -> dict[str, Any]:
    return {
        "code": "Ok",
        "text": text,
        "version": stat.version,
        "zxid": stat.mzxid,
        "owner": stat.ephemeralOwner,
    }


def _failed(error: KazooException) -> dict[str, Any]:
    code = CODES.get(type(error), type(error).__name__)
    # kazoo does not say what was on the wire.
    return {"code": code, "unknown": code in LOST}


CODES = {
    BadVersionError: "BadVersion",
    ConnectionClosedError: "ConnectionLoss",
    ConnectionLoss: "ConnectionLoss",
    NodeExistsError: "NodeExists",
    OperationTimeoutError: "OperationTimeout",
    SessionExpiredError: "SessionExpired",
}
LOST = ("ConnectionLoss", "OperationTimeout", "SessionExpired")
