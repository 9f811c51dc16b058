"""The scenarios of `tests/scenarios`: what a result has to be, and the steps' arguments. The verbs are the runners'."""

import json
from pathlib import Path
from typing import Any

from quorate import Created, Error, Event, Stat

Step = dict[str, Any]

SCENARIOS: list[Step] = json.loads(
    (Path(__file__).parents[2] / "tests" / "scenarios" / "slice.json").read_text("utf-8")
)
LIMIT = 30.0


def filled_in(step: Any, saved: dict[str, Any]) -> Any:
    """The step with what was saved in the place of `${name}`."""
    if isinstance(step, str):
        for name, value in saved.items():
            step = step.replace(f"${{{name}}}", str(value))
        return step
    if isinstance(step, list):
        return [filled_in(part, saved) for part in step]
    if isinstance(step, dict):
        return {name: filled_in(value, saved) for name, value in step.items()}
    return step


def judge(step: Step, result: Step, saved: dict[str, Any]) -> None:
    """Looks at a result as `expect`, `greater` and `save` of a step say."""
    expect = step.get("expect", {})
    assert "error" in expect or "error" not in result, f"failed: {result}"
    assert _matches(expect, result), f"expected {expect}, got {result}"
    for member, name in step.get("greater", {}).items():
        assert _at(result, member) > saved[name], f"{member} of {result} is not greater"
    for name, member in step.get("save", {}).items():
        saved[name] = _at(result, member)


def _matches(expected: Any, found: Any) -> bool:
    if isinstance(expected, dict) and isinstance(found, dict):
        return all(name in found and _matches(value, found[name]) for name, value in expected.items())
    if isinstance(expected, list) and isinstance(found, list):
        return len(expected) == len(found) and all(map(_matches, expected, found))
    if isinstance(expected, str) and isinstance(found, int):
        return expected == str(found)
    return bool(expected == found)


def _at(result: Any, member: str) -> Any:
    for name in member.split("."):
        result = result[name]
    return result


def data_of(step: Step) -> bytes:
    """The data that a step gives."""
    return bytes.fromhex(step["hex"]) if "hex" in step else step["data"].encode()


def limit_of(step: Step) -> float:
    """How long a lock or a leadership is waited for, seconds."""
    return float(step.get("limit_ms", LIMIT * 1000)) / 1000


def create_options(step: Step) -> dict[str, Any]:
    """Mode and time to live."""
    ttl = step["ttl_ms"] / 1000 if "ttl_ms" in step else None
    return {"mode": step["mode"], "ttl": ttl}


def with_parts(transaction: Any, step: Step) -> Any:
    """A transaction of either front with the parts of a step."""
    for part in step["parts"]:
        path, version = part["path"], part.get("version")
        match part["do"]:
            case "create":
                transaction.create(path, data_of(part), **create_options(part))
            case "set":
                transaction.set(path, data_of(part), version=version)
            case "delete":
                transaction.delete(path, version=version)
            case "check":
                transaction.check(path, version=version)
    return transaction


def data_result(data: bytes, stat: Stat) -> Step:
    return {"data": data.decode(errors="replace"), "hex": data.hex(), "stat": stat_result(stat)}


def created_result(created: Created) -> Step:
    return {"path": created.path, "stat": stat_result(created.stat)}


def exists_result(stat: Stat | None) -> Step:
    return {"exists": False} if stat is None else {"exists": True, "stat": stat_result(stat)}


def children_result(names: list[str], stat: Stat) -> Step:
    return {"names": sorted(names), "stat": stat_result(stat)}


def event_result(event: Event | None) -> Step:
    assert event is not None
    return {"kind": event.kind, "path": event.path}


def parts_result(results: list[str | Stat | None]) -> Step:
    def part(result: str | Stat | None) -> Step:
        if isinstance(result, str):
            return {"path": result}
        return {} if result is None else {"stat": stat_result(result)}

    return {"results": [part(result) for result in results]}


def stat_result(stat: Stat) -> Step:
    names = ("version", "cversion", "data_length", "num_children", "czxid", "mzxid")
    return {name: getattr(stat, name) for name in names}


def error_result(error: Error) -> Step:
    names = ("name", "code", "path", "operation", "outcome_unknown", "part")
    return {"error": {name: getattr(error, name) for name in names}}
