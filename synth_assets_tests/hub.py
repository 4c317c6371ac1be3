"""A double of the few Hub routes that pushing a dataset uses: it keeps what was committed, and what every request carried."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass
class Hub:
    """What has arrived."""

    url: str = ""
    status: int = 200
    """Answer to the making of a repository and to commits."""
    files: dict[str, bytes] = field(default_factory=dict)
    """The repository's files by path."""
    commits: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    created: list[dict[str, Any]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)


@contextmanager
def hub(**settings: Any) -> Iterator[Hub]:
    """A Hub on a free port of the loopback address."""
    state = Hub(**settings)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def _answer(self, body: object, status: int = 200) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self) -> None:
            state.tokens.add(self.headers.get("Authorization", ""))
            if "/tree/" in self.path:
                self._answer([{"type": "file", "path": path, "size": len(data), "oid": "0" * 40} for path, data in state.files.items()])
            elif self.path.startswith("/api/datasets/"):
                self._answer({"id": "me/boats", "sha": "c" * 40, "siblings": [{"rfilename": path} for path in state.files]})
            else:
                self._answer({"error": "no such route"}, 404)

        def do_POST(self) -> None:
            state.tokens.add(self.headers.get("Authorization", ""))
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path == "/api/repos/create":
                state.created.append(json.loads(body))
                self._answer({"url": f"{state.url}/datasets/me/boats", "error": "no"}, state.status)
            elif "/preupload/" in self.path:
                self._answer({"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in json.loads(body)["files"]]}, state.status)
            elif "/commit/" in self.path:
                self._commit([json.loads(line) for line in body.splitlines()])
            elif "/tag/" in self.path:
                state.tags.append(json.loads(body)["tag"])
                self._answer({})
            elif self.path == "/api/validate-yaml":
                self._answer({"errors": [], "warnings": []})
            else:
                self._answer({"error": "no such route"}, 404)

        def _commit(self, lines: list[dict[str, Any]]) -> None:
            for line in lines:
                value = line["value"]
                match line["key"]:
                    case "header":
                        state.commits.append(value["summary"])
                    case "file":
                        state.files[value["path"]] = base64.b64decode(value["content"])
                    case "deletedFile":
                        del state.files[value["path"]]
            self._answer({"commitUrl": f"{state.url}/datasets/me/boats/commit/{'c' * 40}", "commitOid": "c" * 40, "pullRequestUrl": None})

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
