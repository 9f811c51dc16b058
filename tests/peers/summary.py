"""Adds up the JUnit files of a tests/run-peers run and prints one table.

    summary.py [--no-skips] DIR  the table; exit code 1 if anything failed or never ran,
                                 with --no-skips also if anything was skipped
    summary.py --failed FILE     the failed cases of FILE as arguments for pytest --pyargs

A case in `NAME-again.xml` is the second, lone attempt at a failure of `NAME.xml` and
replaces its verdict.
"""

import re
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Part:
    """The verdicts of one part, by case."""

    passed: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    skipped: dict[str, str] = field(default_factory=dict)
    again: set[str] = field(default_factory=set)


def main(arguments: list[str]) -> int:
    match arguments:
        case ["--failed", file]:
            print(" ".join(sorted(_failed_arguments(Path(file)))))
            return 0
        case ["--no-skips", directory]:
            return _print_summary(Path(directory), skips_allowed=False)
        case [directory]:
            return _print_summary(Path(directory), skips_allowed=True)
        case _:
            print(__doc__, file=sys.stderr)
            return 2


def _print_summary(directory: Path, *, skips_allowed: bool) -> int:
    parts = {path.stem: _read(path) for path in sorted(directory.glob("*.xml"))}
    for name in [name for name in parts if name.endswith("-again")]:
        _merge_again(parts[name.removesuffix("-again")], parts.pop(name))
    print(f"{'part':14}{'run':>6}{'passed':>8}{'failed':>8}{'skipped':>9}")
    for name, part in parts.items():
        run = len(part.passed) + len(part.failed)
        numbers = f"{run:6}{len(part.passed):8}{len(part.failed):8}{len(part.skipped):9}"
        print(f"{name:14}{numbers}")
    unavailable = sorted(path.stem for path in directory.glob("*.unavailable"))
    for name in unavailable:
        print(f"SKIPPED {name}: the Python environment is missing, run tests/setup")
    bad = not parts and not unavailable
    for name, part in parts.items():
        bad |= bool(part.failed) or not (part.passed or part.skipped)
        for case, reason in sorted(part.skipped.items()):
            print(f"SKIPPED {name} {case}: {reason}")
        for case in sorted(part.again):
            print(f"passed at the second attempt: {name} {case}")
        for case in sorted(part.failed):
            print(f"FAILED {name} {case}")
    total = {key: sum(len(getattr(part, key)) for part in parts.values()) for key in KEYS}
    total["skipped"] += len(unavailable)
    print(
        f"peers: {total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped"
    )
    return int(bad or (total["skipped"] > 0 and not skips_allowed))


def _read(path: Path) -> Part:
    part = Part()
    for case in ET.parse(path).getroot().iter("testcase"):
        # The folders before the module depend on how the case was selected.
        scope = re.sub(r"^.*?(?=test_)", "", case.get("classname") or "")
        name = f"{scope}::{case.get('name')}"
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            part.passed.discard(name)
            part.failed.add(name)
        elif skipped is not None:
            part.skipped[name] = skipped.get("message") or "no reason given"
        elif name not in part.failed:
            part.passed.add(name)
    return part


def _merge_again(first: Part, again: Part) -> None:
    recovered = first.failed & again.passed
    first.again = recovered
    first.failed -= recovered
    first.passed |= recovered


def _failed_arguments(path: Path) -> list[str]:
    """`kazoo.tests.test_lock.KazooLockTests::test_x` -> `kazoo.tests.test_lock::Kazoo...`."""
    arguments = []
    for case in _read(path).failed:
        scope, _, test = case.rpartition("::")
        module, _, klass = scope.rpartition(".")
        module = module.rpartition(".")[2]
        arguments.append(f"kazoo.tests.{module}::{klass}::{test}")
    return arguments


KEYS = ("passed", "failed", "skipped")

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
