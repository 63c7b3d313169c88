"""A real S3 server on this machine, and a proxy before it that puts faults in."""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from pyarrow import fs

BUCKET = "bucket"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/dev/null",
}
_REFUSALS = {"slow down": (503, "SlowDown"), "gone": (404, "NoSuchKey"), "denied": (403, "AccessDenied")}
_SENT = {"content-length", "transfer-encoding", "expect"}
_SUMS = {"x-amz-decoded-content-length", "x-amz-trailer", "x-amz-content-sha256"}
_HOP = {"transfer-encoding", "connection", "content-length", "server", "date"}


class Remote:
    """A bucket behind the proxy. The environment must hold `ENVIRONMENT`."""

    def __init__(self, server_port: int) -> None:
        self._files = fs.S3FileSystem(
            region="us-east-1", scheme="http", endpoint_override=f"127.0.0.1:{server_port}", allow_bucket_creation=True
        )
        self._files.create_dir(BUCKET)
        self.proxy = Proxy(server_port)

    def url(self, folder: str) -> str:
        """Of a folder, through the proxy."""
        return f"s3://{BUCKET}/{quote(folder)}?{self.options}"

    @property
    def options(self) -> str:
        return f"endpoint_override=http://127.0.0.1:{self.proxy.port}&region=us-east-1&scheme=http"

    def upload(self, folder: Path, name: str) -> str:
        """Copy a store; its URL."""
        for path in sorted(folder.iterdir()):
            self.put(f"{name}/{path.name}", path.read_bytes())
        return self.url(name)

    def put(self, key: str, data: bytes) -> None:
        """The bytes as they are: by itself, pyarrow compresses what is called .gz."""
        with self._files.open_output_stream(f"{BUCKET}/{key}", compression=None) as stream:
            stream.write(data)

    def contents(self, folder: str) -> dict[str, bytes]:
        """Every file below a folder, by its path in it."""
        files = self._files.get_file_info(fs.FileSelector(f"{BUCKET}/{folder}", recursive=True, allow_not_found=True))
        found = {}
        for file in files:
            if file.type == fs.FileType.File:
                with self._files.open_input_file(file.path) as stream:
                    found[file.path.removeprefix(f"{BUCKET}/{folder}/")] = stream.read()
        return found

    def delete(self, key: str) -> None:
        self._files.delete_file(f"{BUCKET}/{key}")


class Proxy:
    """Passes requests on, and does to those for a file's bytes what `faults` says, one fault a request."""

    def __init__(self, server_port: int) -> None:
        self.faults: dict[str, deque[str]] = defaultdict(deque)
        """By file name: "cut" in the middle, "stall", "wrong" bytes, those of `_REFUSALS`, "hold" in the middle until
        `release`, "ok"."""
        self.write_faults: dict[str, deque[str]] = defaultdict(deque)
        """The same for requests that write a file: "cut" in the middle of what is sent, "unanswered" once it is stored,
        "stall", "wrong" (its last byte is lost), those of `_REFUSALS`, "ok"."""
        self.reads: Counter[str] = Counter()
        """Requests for a file's bytes, by file name."""
        self.read_bytes: Counter[str] = Counter()
        self.writes: Counter[str] = Counter()
        """Requests that write a file, by file name."""
        self.holding, self.release = threading.Event(), threading.Event()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                with contextlib.suppress(ConnectionError, TimeoutError):
                    proxy._answer(self, server_port)

            def do_PUT(self) -> None:
                with contextlib.suppress(ConnectionError, TimeoutError):
                    proxy._store(self, server_port)

            do_HEAD = do_DELETE = do_GET  # noqa: N815
            do_POST = do_PUT  # noqa: N815

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self.release.set()
        self._server.shutdown()
        self._server.server_close()

    def forget(self) -> None:
        """No faults, nothing counted."""
        for stored in (self.faults, self.write_faults, self.reads, self.read_bytes, self.writes):
            stored.clear()
        self.holding.clear()
        self.release.clear()

    def _answer(self, handler: BaseHTTPRequestHandler, server_port: int) -> None:
        name = unquote(urlsplit(handler.path).path).rpartition("/")[2]
        bytes_wanted = handler.command == "GET" and "Range" in handler.headers
        fault = "ok"
        if bytes_wanted:
            self.reads[name] += 1
            fault = self.faults[name].popleft() if self.faults[name] else "ok"
        if _refused(handler, fault):
            return
        response, body = _passed_on(handler, server_port)
        headers = {name: value for name, value in response.getheaders() if name.lower() not in _HOP}
        length = int(response.getheader("Content-Length") or len(body))
        if fault == "wrong":
            body = body[:-1] + bytes([body[-1] ^ 1])
        if fault == "stall":
            self.holding.set()
            self.release.wait()
        elif fault in ("cut", "hold"):
            half = len(body) // 2
            _send(handler, response.status, headers, body[:half], length=length)
            if fault == "cut":
                handler.close_connection = True
                handler.connection.shutdown(socket.SHUT_RDWR)
                return
            self.holding.set()
            self.release.wait()
            handler.wfile.write(body[half:])
        else:
            _send(handler, response.status, headers, body, length=length)
        if bytes_wanted:
            self.read_bytes[name] += len(body)

    def _store(self, handler: BaseHTTPRequestHandler, server_port: int) -> None:
        name = unquote(urlsplit(handler.path).path).rpartition("/")[2]
        self.writes[name] += 1
        fault = self.write_faults[name].popleft() if self.write_faults[name] else "ok"
        if fault == "cut":
            handler.rfile.read(1)
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        data = _body(handler)
        if _refused(handler, fault):
            return
        if fault == "stall":
            self.holding.set()
            self.release.wait()
            return
        response, body = _passed_on(handler, server_port, data, shortened=fault == "wrong")
        if fault == "unanswered":
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        headers = {name: value for name, value in response.getheaders() if name.lower() not in _HOP}
        _send(handler, response.status, headers, body)


def _refused(handler: BaseHTTPRequestHandler, fault: str) -> bool:
    """Answer with the refusal that `fault` names, if it is one."""
    if code := _REFUSALS.get(fault):
        body = f"<?xml version='1.0'?><Error><Code>{code[1]}</Code><Message>no</Message></Error>".encode()
        _send(handler, code[0], {"Content-Type": "application/xml"}, body)
    return bool(code)


def _body(handler: BaseHTTPRequestHandler) -> bytes:
    """The request's, whether its length is said before or it comes in chunks."""
    if handler.headers.get("Transfer-Encoding") != "chunked":
        return handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    data = b""
    while size := int(handler.rfile.readline(), 16):
        data += handler.rfile.read(size)
        handler.rfile.readline()
    handler.rfile.readline()
    return data


def _unpacked(data: bytes) -> bytes:
    """What a client sent in chunks of its own (aws-chunked), without them and the checksum behind."""
    stream, found = io.BytesIO(data), b""
    while size := int(stream.readline(), 16):
        found += stream.read(size)
        stream.readline()
    return found


def _passed_on(
    handler: BaseHTTPRequestHandler, server_port: int, data: bytes | None = None, *, shortened: bool = False
) -> tuple[http.client.HTTPResponse, bytes]:
    """The server's answer to the request, and its body."""
    headers = {name: value for name, value in handler.headers.items() if name.lower() not in _SENT}
    if shortened and data is not None:
        data = _unpacked(data)[:-1] if "aws-chunked" in headers.pop("content-encoding", "") else data[:-1]
        headers = {name: value for name, value in headers.items() if name.lower() not in _SUMS}
    connection = http.client.HTTPConnection("127.0.0.1", server_port)
    connection.request(handler.command, handler.path, body=data, headers=headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


def _send(
    handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes, length: int | None = None
) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)
        handler.wfile.flush()


@contextlib.contextmanager
def served() -> Iterator[Remote]:
    """A server with one empty bucket."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", "/moto-api/reset")  # it remembers the buckets of servers before it
    connection.getresponse().read()
    connection.close()
    remote = Remote(port)
    try:
        yield remote
    finally:
        remote.proxy.close()
        server.stop()
