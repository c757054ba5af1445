"""A digest of a whole Parquet file, kept in the file itself: any bit that changes after it was written is noticed.

Parquet's own page checksums cover neither the headers of pages nor the footer. The digest stands in the footer's metadata, as
text of fixed length that counts as zeros for itself; other readers take no notice of it. It is no signature.
"""

from __future__ import annotations

import hashlib

import pyarrow as pa
import pyarrow.parquet as pq

NAME = "pntk.sha256"
BLANK = "0" * 64
MARK = b"pntk.sha256="  # begins the value, so that it is found without reading the footer
TAIL = 16_000_000  # bytes from the end that are searched: no footer of a study is larger


def sealed(table: pa.Table) -> memoryview:
    """A table as a Parquet file with checksums of its pages and the digest of all of it."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, compression="zstd", write_page_checksum=True) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({NAME: MARK.decode() + BLANK})
    data = bytearray(sink.getvalue())
    at = data.rfind(MARK) + len(MARK)
    data[at : at + len(BLANK)] = hashlib.sha256(data).hexdigest().encode()
    return memoryview(data)


def broken(data: pa.Buffer | bytes) -> bool:
    """Whether a file has a digest that is not that of its bytes; one without, written elsewhere or before, is not broken."""
    whole = memoryview(data)
    start = max(len(whole) - TAIL, 0)
    at = bytes(whole[start:]).rfind(MARK)
    if at < 0:
        return False
    at += start + len(MARK)
    digest = hashlib.sha256(whole[:at])
    digest.update(BLANK.encode())
    digest.update(whole[at + len(BLANK) :])
    return digest.hexdigest().encode() != bytes(whole[at : at + len(BLANK)])
