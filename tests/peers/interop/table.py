"""The table of docs/interop.md, made of what the tests say that they assert.

    python -m interop.table     writes it (from tests/peers)

A test says with `shows` which row it stands for; `test_recipes_document.py` fails when the
document has other rows.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

Test = TypeVar("Test", bound=Callable[..., None])

HERE = Path(__file__).resolve().parents[1]
DOCUMENT = HERE.parents[1] / "docs" / "interop.md"


@dataclass(frozen=True, order=True)
class Row:
    """Which recipe, with whom, who does what, and what comes of it."""

    recipe: str
    client: str
    roles: str
    result: str
    test: str


ROWS: set[Row] = set()


def shows(recipe: str, client: str, roles: str, result: str) -> Callable[[Test], Test]:
    """Says what a test asserts, as a row of the document."""

    def register(test: Test) -> Test:
        where = f"{test.__module__.removeprefix('test_recipes_')}.{test.__name__}"
        ROWS.add(Row(recipe, client, roles, result, where.replace("test_", "")))
        return test

    return register


def rendered() -> str:
    """Both tables, from all test modules."""
    for module in sorted(HERE.glob("test_recipes_*.py")):
        importlib.import_module(module.stem)
    lock = importlib.import_module("test_recipes_lock")
    head = [player.label for player in lock.PLAYERS]
    lines = ["## Who waits for whom", "", _line(["holder ↓ contender →", *head])]
    lines.append(_line(["---"] * (len(head) + 1)))
    for holder in lock.PLAYERS:
        verdicts = [
            "waits" if lock.waits(holder, other) else "**enters**" for other in lock.PLAYERS
        ]
        lines.append(_line([holder.label, *verdicts]))
    lines += [
        "",
        "## Recipes",
        "",
        _line(["recipe", "with", "who does what", "result", "test"]),
    ]
    lines.append(_line(["---"] * 5))
    for row in sorted(ROWS):
        cells = [row.recipe, row.client, row.roles, row.result, f"`{row.test}`"]
        lines.append(_line(cells))
    return "\n".join(lines) + "\n"


def written() -> str:
    """What the document says now."""
    return DOCUMENT.read_text("utf-8").partition(MARK)[2]


def write() -> None:
    """Puts the tables into the document."""
    before = DOCUMENT.read_text("utf-8").partition(MARK)[0]
    DOCUMENT.write_text(before + MARK + rendered(), "utf-8")


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


# Everything after this line is generated.
MARK = "<!-- The tables are made by `python -m interop.table` in tests/peers. -->\n\n"

if __name__ == "__main__":
    # The tests register in the module, not in the script.
    importlib.import_module("interop.table").write()
