"""A stand-in for W&B's server on the loopback address: it answers what the real client asks and records every call."""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ENTITY = "lab"
FORBIDDEN = "forbidden"  # a project in which nothing may be saved


@dataclass
class Recorded:
    """What the server was asked.

    Attributes:
        graphql: name and variables of each GraphQL operation, in order.
        streams: run id to the lines of its history, as the client sent them.
        uploads: paths of uploaded files.
        views: view id to what was saved.
    """

    url: str
    graphql: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    streams: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    uploads: list[str] = field(default_factory=list)
    views: dict[str, dict[str, Any]] = field(default_factory=dict)
    inserted: list[bool] = field(default_factory=list)

    def called(self, name: str) -> list[dict[str, Any]]:
        """The variables of every call of an operation."""
        return [variables for operation, variables in self.graphql if operation == name]

    @property
    def environment(self) -> dict[str, str]:
        """What makes a client talk to this server."""
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": "0" * 40}

    def answer(self, name: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The data of a GraphQL answer."""
        if name in ("Viewer", "GetDefaultEntity"):
            user = {"id": "1", "entity": ENTITY, "username": "tester", "email": "tester@example.org", "flags": "{}"}
            user |= {"name": "Tester", "admin": False, "apiKeys": {"edges": []}, "teams": {"edges": []}, "deletedAt": None}
            return {"viewer": user}
        if name == "ServerFeaturesQuery":
            return {"serverInfo": {"features": []}}
        if name == "UpsertBucket":
            project = {"id": "p", "name": variables["project"], "entity": {"id": "e", "name": ENTITY}}
            bucket = {"id": variables["name"], "name": variables["name"], "displayName": variables.get("displayName")}
            bucket |= {"description": None, "config": None, "sweepName": None, "historyLineCount": 0, "project": project}
            return {"upsertBucket": {"bucket": bucket, "inserted": True}}
        if name == "CreateRunFiles":
            files = [{"name": file, "uploadUrl": f"{self.url}/upload/{file}"} for file in variables["files"]]
            return {"createRunFiles": {"runID": variables["run"], "uploadHeaders": [], "files": files}}
        if name == "RunResumeStatus":
            return {"model": {"id": "p", "name": variables["project"], "entity": {"id": "e", "name": ENTITY}, "bucket": None}}
        if name == "ArtifactType":
            return {"project": None}
        if name == "CreateArtifact":  # as if its content were known already, so that nothing needs to be uploaded
            return {"createArtifact": {"artifact": {"id": "a", "state": "COMMITTED", "artifactSequence": {"id": "s"}}}}
        if name == "UpsertView2":
            if variables["projectName"] == FORBIDDEN:
                raise PermissionError("permission denied")
            known = variables.get("id") in self.views
            view = variables.get("id") or f"view-{len(self.views)}"
            self.views[view] = variables
            self.inserted.append(not known)
            return {"upsertView": {"view": {"id": view, "name": variables["name"]}, "inserted": not known}}
        if name == "View":
            nodes = [
                {"id": view, "displayName": saved["displayName"], "spec": saved["spec"]}
                for view, saved in self.views.items()
                if saved["name"] == variables["viewName"]
            ]
            return {"project": {"allViews": {"edges": [{"node": node} for node in nodes]}}}
        return {}


def _handler(recorded: Recorded) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Quiet."""

        def handle(self) -> None:
            with suppress(ConnectionError):  # a client that ends does not wait for its connections
                super().handle()

        def _body(self) -> bytes:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return gzip.decompress(data) if self.headers.get("Content-Encoding") == "gzip" else data

        def _reply(self, answer: dict[str, Any]) -> None:
            data = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_PUT(self) -> None:
            self._body()
            recorded.uploads.append(self.path)
            self._reply({})

        def do_POST(self) -> None:
            body = self._body()
            if self.path == "/graphql":
                asked = json.loads(body)
                found = re.search(r"\b(?:query|mutation)\s+(\w+)", asked["query"])
                name, variables = found[1] if found else "", asked.get("variables") or {}
                recorded.graphql.append((name, variables))
                try:
                    self._reply({"data": recorded.answer(name, variables)})
                except PermissionError as error:
                    self._reply({"data": None, "errors": [{"message": str(error)}]})
                return
            if self.path.endswith("/file_stream"):
                sent = json.loads(body).get("files", {}).get("wandb-history.jsonl", {}).get("content", [])
                lines = recorded.streams.setdefault(self.path.split("/")[-2], [])
                lines += [json.loads(line) for line in sent]
            self._reply({})

    return Handler


@contextmanager
def wandb_server() -> Iterator[Recorded]:
    """A server on a free port of the loopback address, until the end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    recorded = Recorded(f"http://127.0.0.1:{server.server_port}")
    server.RequestHandlerClass = _handler(recorded)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield recorded
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
