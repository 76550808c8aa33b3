"""A server for the page, on this machine alone: it reads, and answers no one else."""

from __future__ import annotations

import json
import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from cimkit.errors import CimkitError, InputError
from cimkit.view.page import DIST, FILES, page_file, require_page

if TYPE_CHECKING:
    from cimkit.view.answers import Answers

HOST = "127.0.0.1"

DATA_TYPES = {
    ".json": "application/json",
    ".glb": "model/gltf-binary",
    ".b3dm": "application/octet-stream",
    ".pnts": "application/octet-stream",
    ".subtree": "application/octet-stream",
}
"""Files of tilesets that are sent, and what they are."""

BODY_BYTES_MAX = 8_000_000
"""Of a question: the identifiers of one tile."""

POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; connect-src 'self' blob: data:; "
    "worker-src 'self' blob:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'wasm-unsafe-eval'; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'self' http://localhost:* http://127.0.0.1:*"
)
"""The page may load and ask this server alone. WebAssembly decodes compressed tiles."""


class ViewServer:
    """Serves a city to browsers on this machine.

    Parameters
    ----------
    answers : Answers
        Of `cimkit.view.answers.open_answers`.
    port : int
        0 takes any that is free.
    dist : Path, optional
        Where the built page lies.

    Raises
    ------
    ParameterError
        If the page was never built.
    InputError
        If the port is taken.
    """

    def __init__(self, answers: Answers, port: int = 0, dist: Path = DIST) -> None:
        require_page(dist)
        handler = type("Handler", (_Handler,), {"answers": answers, "dist": dist})
        try:
            self._server = ThreadingHTTPServer((HOST, port), handler)
        except OSError as error:
            raise InputError(
                f"port {port} cannot be used ({error.strerror})", hint="Name another one."
            ) from error
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://{HOST}:{self._server.server_address[1]}/"

    def serve(self) -> None:
        """Answer until it is closed."""
        self._server.serve_forever(poll_interval=0.2)

    def start(self) -> None:
        """Answer in a thread of its own."""
        threading.Thread(target=self.serve, daemon=True).start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()


_REFUSED = (
    CimkitError,
    OSError,
    ValueError,
    KeyError,
    TypeError,
    RecursionError,
    sqlite3.Error,
)
"""What a question that is none, or a damaged city, may raise."""


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    answers: ClassVar[Answers]
    dist: ClassVar[Path]
    protocol_version = "HTTP/1.1"
    server_version = "cimkit"
    sys_version = ""
    timeout = 30

    def do_GET(self) -> None:
        """Send a file or an answer."""
        self._safely(self._get)

    def do_HEAD(self) -> None:
        """Send the head of what GET would send."""
        self._safely(self._get)

    def do_POST(self) -> None:
        """Answer about many buildings."""
        self._safely(self._post)

    def _safely(self, answer: Any) -> None:
        """Answer, or say in few words why not; nothing of the machine gets out."""
        try:
            if not self._is_meant():
                self.close_connection = True
                self._send_json({"error": "another host was asked"}, 403)
                return
            answer()
        except (BrokenPipeError, ConnectionError, TimeoutError):
            self.close_connection = True
        except _REFUSED:
            # What was not read of the question must not be taken for the next one.
            self.close_connection = True
            self._send_json({"error": "not found"}, 404)

    def _is_meant(self) -> bool:
        """Whether the browser asks for this machine by its own name: another is a trap."""
        hosts = self.headers.get_all("Host", [])
        known = ("127.0.0.1", "localhost", "[::1]")
        return len(hosts) == 1 and hosts[0].rsplit(":", 1)[0] in known

    def _get(self) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path, errors="strict")
        name = path.removeprefix("/") or "index.html"
        if name in FILES:
            self._send(page_file(name, self.dist), FILES[name])
        elif name == "city.json":
            self._send_json(self.answers.city())
        elif name == "api/search":
            asked = parse_qs(parts.query)
            limit = int(asked.get("limit", ["20"])[0])
            self._send_json({"results": self.answers.search(asked.get("q", [""])[0], limit)})
        elif name == "api/building":
            found = self.answers.building(parse_qs(parts.query)["id"][0])
            self._send_json(found or {"error": "not found"}, 200 if found else 404)
        elif name.startswith("data/"):
            self._send_data(name.removeprefix("data/"))
        else:
            self._send_json({"error": "not found"}, 404)

    def _post(self) -> None:
        size = int(self.headers.get("Content-Length", ""))
        if "Transfer-Encoding" in self.headers:
            raise ValueError("encoding")
        if not 0 <= size <= BODY_BYTES_MAX or urlsplit(self.path).path != "/api/attributes":
            self.close_connection = True
            self._send_json({"error": "not found"}, 404)
            return
        names = json.loads(self.rfile.read(size))["ids"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError("ids")
        self._send_json(self.answers.attributes(names))

    def _send_data(self, name: str) -> None:
        """Send a file of a tileset, packed where it lies packed beside it."""
        root = self.answers.folder.resolve()
        foreign = "\\" in name or "\0" in name or ":" in name
        if foreign or not name.startswith(self.answers.served):
            raise ValueError("name")
        file = (root / name).resolve(strict=True)
        inside = file.is_relative_to(root / self.answers.served) and file.is_file()
        if not inside or file.suffix not in DATA_TYPES or file.name == "manifest.json":
            raise ValueError("name")
        twin = file.with_name(f"{file.name}.gz")
        packed = twin.is_file() and not twin.is_symlink()
        if packed and "gzip" in self.headers.get("Accept-Encoding", ""):
            self._send(twin.read_bytes(), DATA_TYPES[file.suffix], encoding="gzip")
        else:
            self._send(file.read_bytes(), DATA_TYPES[file.suffix])

    def _send_json(self, value: Any, status: int = 200) -> None:
        text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False)
        self._send(text.encode(), "application/json; charset=utf-8", status)

    def _send(self, data: bytes, kind: str, status: int = 200, *, encoding: str = "") -> None:
        self.send_response(status)
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(data)),
            "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-cache",
        }
        if encoding:
            headers["Content-Encoding"] = encoding
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet: what is asked for is nobody's business."""


def _finite(value: Any) -> Any:
    """The value with null for numbers that JSON does not know."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, float) and value - value != 0:
        return None
    return value
