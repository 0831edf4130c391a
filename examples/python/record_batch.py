"""Kafka's record batch v2 and CRC-32C in plain Python. docs/protocol.md has the layout."""
import gzip
import struct
from dataclasses import dataclass, field

HEADER = struct.Struct(">qiibIhiqqqhii")
HEADER_BYTES = HEADER.size  # 61
CRC_FROM = 21
MAGIC = 2


@dataclass
class Record:
    key: bytes | None
    value: bytes | None
    timestamp: int  # ms since 1970
    headers: list[tuple[str, bytes | None]] = field(default_factory=list)
    offset: int = -1


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


_CRC = _crc_table()


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def _varint(value: int) -> bytes:
    """Zigzag, seven bits a byte, the lowest first."""
    value = value << 1 if value >= 0 else (-value << 1) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class _Reader:
    def __init__(self, data: bytes):
        self.data = data
        self.at = 0

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value >> 1 ^ -(value & 1)
            shift += 7

    def bytes(self) -> bytes | None:
        length = self.varint()
        if length < 0:
            return None
        self.at += length
        return self.data[self.at - length : self.at]


def _sized(data: bytes | None) -> bytes:
    return _varint(-1) if data is None else _varint(len(data)) + data


def encode(records: list[Record], producer_id: int, producer_epoch: int, sequence: int) -> bytes:
    """One batch. The broker sets the base offset and the leader epoch, which the CRC does not cover."""
    base = records[0].timestamp
    body = bytearray()
    for delta, record in enumerate(records):
        one = b"\0" + _varint(record.timestamp - base) + _varint(delta)
        one += _sized(record.key) + _sized(record.value) + _varint(len(record.headers))
        for name, value in record.headers:
            one += _sized(name.encode()) + _sized(value)
        body += _varint(len(one)) + one
    last = len(records) - 1
    newest = max(record.timestamp for record in records)

    def head(crc: int) -> bytes:
        return HEADER.pack(
            0, HEADER_BYTES + len(body) - 12, 0, MAGIC, crc, 0, last, base, newest,
            producer_id, producer_epoch, sequence, len(records),
        )

    return head(crc32c(head(0)[CRC_FROM:] + body)) + body


def decode(data: bytes) -> list[Record]:
    """All records of the batches that follow each other in `data`."""
    records = []
    while data:
        (base_offset, length, _, magic, crc, attributes, _, base, _, _, _, _, count) = HEADER.unpack_from(data)
        batch, data = data[: length + 12], data[length + 12 :]
        if magic != MAGIC or crc32c(batch[CRC_FROM:]) != crc:
            raise ValueError(f"the batch at {base_offset} is damaged")
        body = batch[HEADER_BYTES:]
        if attributes & 7 == 1:
            body = gzip.decompress(body)
        elif attributes & 7:
            raise ValueError(f"the batch at {base_offset} has codec {attributes & 7}; this client opens gzip alone")
        reader = _Reader(body)
        for _ in range(count):
            end = reader.varint() + reader.at
            reader.at += 1
            timestamp, offset = base + reader.varint(), base_offset + reader.varint()
            key, value = reader.bytes(), reader.bytes()
            headers = [(reader.bytes().decode(), reader.bytes()) for _ in range(reader.varint())]
            if reader.at != end:
                raise ValueError(f"the record at {offset} is damaged")
            records.append(Record(key, value, timestamp, headers, offset))
    return records


def murmur2(data: bytes) -> int:
    """As Kafka's: partition of a key = (murmur2(key) & 0x7fffffff) % partitions."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    whole = len(data) & ~3
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    if whole < len(data):
        h = (h ^ int.from_bytes(data[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15
