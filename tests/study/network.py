"""A local S3 (moto's server, in a process of its own) behind a network that can be cut."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

BUCKET = "studies"
# Any key opens a local server; the region saves pyarrow from asking Amazon for it.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any", "AWS_EC2_METADATA_DISABLED": "true"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Wire:
    """Passes TCP connections on to a port, until it is cut: then it refuses new ones and drops those it has."""

    def __init__(self, target: int) -> None:
        self.target, self.port = target, free_port()
        self.open: set[socket.socket] = set()
        self.listener: socket.socket | None = None
        self.mend()

    def mend(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def cut(self) -> None:
        assert self.listener is not None
        for end in (self.listener, *self.open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self.listener = None
        self.open.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            self.open |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
            self.open.discard(end)


@dataclass(frozen=True)
class Storage:
    wire: Wire

    def uri(self, prefix: str) -> str:
        return f"s3://{BUCKET}/{prefix}?endpoint_override=127.0.0.1:{self.wire.port}&scheme=http&region=us-east-1"


@contextlib.contextmanager
def object_storage() -> Iterator[Storage]:
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        create = urllib.request.Request(f"http://127.0.0.1:{port}/{BUCKET}", method="PUT")
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(create, timeout=5).close()
                break
            except (urllib.error.URLError, OSError):
                assert time.monotonic() < deadline
                assert server.poll() is None
                time.sleep(0.1)
        wire = Wire(port)
        yield Storage(wire)
        wire.cut()
    finally:
        server.terminate()
        server.wait(timeout=30)
