"""A stand-in for Home Assistant's REST API: it answers as that does, and remembers what it was told."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "ey.long.lived"  # noqa: S105 - of a house that stands for a second
DONE = {"response": {"response_type": "action_done", "speech": {"plain": {"speech": "Turned on the light"}}}}
FAILED = {"response": {"response_type": "error", "speech": {"plain": {"speech": "No light\n\x1b[2J called bed"}}}}


class Assistant(ThreadingHTTPServer):
    """A web server. A context manager: left, it is no more."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Door)
        self.told: list[dict[str, Any]] = []
        self.answer: Any = DONE
        self.status = 200
        self.pause = {"GET": 0.0, "POST": 0.0}
        self.scheme = "http"
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """A client that has hung up is no matter."""


class _Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Assistant

    def do_GET(self) -> None:
        self._reply({"message": "API running."} if self.path == "/api/" else None)

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.told.append(said)
        self._reply(self.server.answer if self.path in ("/api/conversation/process", "/api/template") else None)

    def _reply(self, answer: Any) -> None:
        time.sleep(self.server.pause[self.command])
        status = self.server.status
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            status = 401
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(404 if answer is None else status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""
