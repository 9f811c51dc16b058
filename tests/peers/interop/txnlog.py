"""Reads Apache's transaction log files far enough to find each record's digest, and changes
records.

Format: 16 bytes of file header; records of Adler-32 (long), length, payload, 'B'. With
digests on, a payload ends with the digest's version (int 2) and the tree's digest (long).
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Record:
    """One transaction: where its payload lies in the file, its zxid and type."""

    offset: int
    payload: bytes
    zxid: int
    kind: int

    @property
    def digest_version(self) -> int:
        return int(struct.unpack_from(">i", self.payload, len(self.payload) - 12)[0])

    @property
    def digest(self) -> int:
        return int(struct.unpack_from(">q", self.payload, len(self.payload) - 8)[0])


def log_files(data: Path) -> list[Path]:
    """The log files of a data directory in the order of their zxids."""
    files = (data / "version-2").glob("log.*")
    return sorted(files, key=lambda path: int(path.name.removeprefix("log."), 16))


def records(path: Path) -> Iterator[Record]:
    """The records of one file; raises ValueError on anything but a clean end."""
    data = path.read_bytes()
    if data[:4] != b"ZKLG":
        raise ValueError(f"{path}: no log header")
    offset = HEADER
    while offset + 12 <= len(data):
        checksum, length = struct.unpack_from(">qi", data, offset)
        if length == 0:
            return
        payload = data[offset + 12 : offset + 12 + length]
        if zlib.adler32(payload) != checksum or data[offset + 12 + length] != ord("B"):
            raise ValueError(f"{path}: bad record at {offset}")
        _, _, zxid, _, kind = struct.unpack_from(">qiqqi", payload)
        yield Record(offset, payload, zxid, kind)
        offset += 12 + length + 1


def falsify_digest(path: Path, record: Record) -> None:
    """Changes the digest of `record` in place and makes its checksum right again."""
    _rewrite(path, record, record.payload[:-8] + struct.pack(">q", record.digest ^ 0x5A5A))


def count_from(data: Path, child: str, number: int) -> None:
    """Makes the creation of `child` in the log say that its parent has given out all
    numbers below `number`: what follows the child's ACL ends with the parent's counter. The
    digest is wrong then, about which a server complains and goes on."""
    for path in log_files(data):
        for record in records(path):
            if record.kind in CREATES and child.encode() in record.payload:
                at = len(record.payload) - DIGEST - 4
                counter = struct.pack(">i", number)
                _rewrite(path, record, record.payload[:at] + counter + record.payload[at + 4 :])
                return
    raise ValueError(f"no creation of {child} in {data}")


def _rewrite(path: Path, record: Record, payload: bytes) -> None:
    """Replaces a record by one of the same length, with the checksum that it needs."""
    with path.open("r+b") as file:
        file.seek(record.offset)
        file.write(struct.pack(">qi", zlib.adler32(payload), len(payload)) + payload)


HEADER = 16
# Version and value.
DIGEST = 12
# create, create2
CREATES = (1, 15)
