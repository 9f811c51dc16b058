"""The two fronts have one surface, and exceptions and values behave as such."""

import copy
import inspect
import pickle
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import quorate
from quorate import sync
from quorate._errors import make

CLASSES = ["Client", "States", "Watch", "Watcher", "Transaction", "Lost", "Held", "Term", "Lock", "Leader", "Server"]

# What one front has for a reason of its own.
ONLY_ASYNC = {
    ("Client", "__await__"),
    ("Watch", "__await__"),
    ("Watcher", "__await__"),
    ("Lost", "__await__"),
}
RENAMED = {
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
}
# Only a task can be cancelled.
PARAMETERS_ONLY_ASYNC = {("Client", "leader", "cancel")}
# Attributes, or answered without waiting.
NEVER_WAITS = {"states", "multi", "watch", "lock", "leader", "guarded", "is_set", "check"}


def members(of: type) -> dict[str, Any]:
    wanted = {*RENAMED, *RENAMED.values(), "__await__"}
    found = {}
    for base in reversed(of.__mro__):
        for name, value in vars(base).items():
            if (not name.startswith("_") or name in wanted) and base is not object:
                found[name] = value
    return found


def test_both_modules_export_the_same() -> None:
    for name in [*CLASSES, "connect"]:
        assert hasattr(quorate, name) and hasattr(sync, name)
    public = {name for name in vars(sync) if not name.startswith("_") and defined_in(sync, name)}
    assert public == {*CLASSES, "connect"}


def defined_in(module: ModuleType, name: str) -> bool:
    return getattr(vars(module)[name], "__module__", None) == module.__name__


@pytest.mark.parametrize("name", CLASSES)
def test_the_classes_have_the_same_members(name: str) -> None:
    ours, twins = members(getattr(quorate, name)), members(getattr(sync, name))
    expected = {RENAMED.get(member, member) for member in ours if (name, member) not in ONLY_ASYNC}
    assert expected == set(twins)
    for member, value in ours.items():
        twin = twins.get(RENAMED.get(member, member))
        if twin is None:
            continue
        assert isinstance(value, property) == isinstance(twin, property), member
        if not callable(value):
            continue
        parameters = dict(inspect.signature(value).parameters)
        for owner, method, parameter in PARAMETERS_ONLY_ASYNC:
            if (owner, method) == (name, member):
                del parameters[parameter]
        shape = [(p.name, p.kind, p.default) for p in parameters.values()]
        twin_shape = [(p.name, p.kind, p.default) for p in inspect.signature(twin).parameters.values()]
        if member not in RENAMED:
            assert shape == twin_shape, member


@pytest.mark.parametrize("name", ["connect", "Client", "Server"])
def test_what_is_opened_takes_the_same(name: str) -> None:
    ours, twin = (inspect.signature(getattr(front, name)) for front in (quorate, sync))
    assert list(ours.parameters.values()) == list(twin.parameters.values())


@pytest.mark.parametrize("name", CLASSES)
def test_what_waits_has_a_time_limit(name: str) -> None:
    for member, value in members(getattr(sync, name)).items():
        waits = inspect.iscoroutinefunction(members(getattr(quorate, name)).get(member))
        if waits and member not in ("open", "start", "stop"):
            assert "timeout" in inspect.signature(value).parameters, f"{name}.{member}"


def test_exceptions_are_one_tree() -> None:
    with sync.Server() as server, sync.connect(server) as zk:
        with pytest.raises(quorate.NoNodeError) as caught:
            zk.get("/none")
        error = caught.value
        assert isinstance(error, quorate.Error)
        assert (error.code, error.name, error.path) == (-101, "NoNode", "/none")
        assert (error.operation, error.outcome_unknown, error.part) == ("getData", False, None)
        assert "/none" in str(error)
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), vars(again), str(again)) == (type(error), vars(error), str(error))
        with pytest.raises(quorate.BadVersionError) as caught_part:
            zk.multi().check("/").check("/", version=7).commit()
        assert caught_part.value.part == 1


def test_stats_are_values() -> None:
    with sync.Server() as server, sync.connect(server) as zk:
        stat = zk.create("/node").stat
        assert stat == copy.copy(stat) == pickle.loads(pickle.dumps(stat))
        assert hash(stat) == hash(zk.exists("/node"))
        assert stat != zk.exists("/")
        assert "version=0" in repr(stat)
        frozen: Any = stat
        with pytest.raises(AttributeError):
            frozen.version = 1


def test_every_code_has_a_class() -> None:
    source = Path(__file__).parents[2] / "core" / "wire" / "src" / "error.rs"
    codes = re.findall(r"^    (\w+) = (-\d+), \"", source.read_text("utf-8"), re.MULTILINE)
    assert len(codes) > 30
    for name, code in codes:
        error = make("text", int(code), name, "", "", False, None)
        assert type(error) is not quorate.Error, name
        assert type(error).__name__ in quorate.__all__
