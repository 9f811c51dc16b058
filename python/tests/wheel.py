"""Looks into a wheel: everything that belongs there, and nothing else. Prints its size.

wheel.py WHEEL
"""

import sys
import zipfile
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "quorate"
NATIVE = "quorate/_quorate.abi3.so"


def main() -> None:
    wheel = Path(sys.argv[1])
    with zipfile.ZipFile(wheel) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
        metadata = next(name for name in sizes if name.endswith(".dist-info/METADATA"))
        text = archive.read(metadata).decode()
    sources = {f"quorate/{path.name}" for path in PACKAGE.iterdir() if path.suffix in (".py", ".pyi", ".typed")}
    expected = {*sources, "quorate/py.typed", NATIVE}
    found = {name for name in sizes if ".dist-info/" not in name}
    assert found == expected, f"too much: {found - expected}, missing: {expected - found}"
    assert "Requires-Python: >=3.11" in text
    assert "Requires-Dist" not in text, "it needs nothing"
    print(f"{wheel.name}: {wheel.stat().st_size:,} bytes; native part {sizes[NATIVE]:,}")


if __name__ == "__main__":
    main()
