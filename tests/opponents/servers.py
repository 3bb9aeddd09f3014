"""Other real servers on loopback: apache2 and lighttpd with files, haproxy and varnish in front of
nginx, uvicorn and hypercorn with a small application.

They all have the pages of `tests.opponents.nginx.make_site`. Ports are chosen here and might be
taken before a server binds them; then it is started again on another one.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.opponents import need
from tests.opponents.nginx import Nginx, listening, make_site, port_of, stop

NAMES = ("apache2", "lighttpd", "haproxy", "varnish", "uvicorn", "hypercorn")
START_SECONDS = 10.0
ATTEMPTS = 3

APACHE = """\
ServerRoot {folder}
ServerName localhost
PidFile {folder}/apache2.pid
ErrorLog {folder}/error.log
Listen 127.0.0.1:{port}
{user}
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
TypesConfig /dev/null
AddType text/plain .txt
AddType text/html .html
DocumentRoot {folder}/site
KeepAliveTimeout 5
"""
LIGHTTPD = """\
server.document-root = "{folder}/site"
server.bind = "127.0.0.1"
server.port = {port}
server.errorlog = "{folder}/error.log"
mimetype.assign = (".txt" => "text/plain", ".html" => "text/html")
"""
HAPROXY = """\
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend front
  bind 127.0.0.1:{port}
  default_backend back
backend back
  server nginx 127.0.0.1:{nginx}
"""
APPLICATION = '''\
"""Serves the files of a folder, in pieces of 64 KiB without a length, and echoes what is posted."""

from pathlib import Path

SITE = Path(__file__).parent / "site"


async def application(scope, receive, send):
    if scope["type"] != "http":
        return
    body = b""
    while (event := await receive())["type"] == "http.request":
        body += event.get("body", b"")
        if not event.get("more_body"):
            break
    path = SITE / scope["path"].lstrip("/")
    found = path.is_file()
    if scope["method"] not in {"GET", "HEAD"}:
        found, data = True, body
    else:
        data = path.read_bytes() if found else b"no such page"
    media_type = b"text/plain" if path.suffix == ".txt" else b"text/html"
    fields = [(b"content-type", media_type)]
    status = 200 if found else 404
    await send({"type": "http.response.start", "status": status, "headers": fields})
    if scope["method"] == "HEAD":
        data = b""
    for at in range(0, len(data), 65536):
        piece = data[at : at + 65536]
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
'''


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        echoes: It answers a POST with what was posted.
    """

    name: str
    port: int
    echoes: bool

    def url(self, path: str) -> str:
        """Return the URL of a path that begins with a slash."""
        return f"http://127.0.0.1:{self.port}{path}"


@contextmanager
def running(name: str, nginx: Nginx) -> Iterator[Server]:
    """Start a server by its name, with a site of its own, and stop it in the end."""
    # Not pytest's own folder: a server that gives up root's rights could not enter it.
    folder = Path(tempfile.mkdtemp(prefix="tulip-"))
    folder.chmod(0o755)
    try:
        make_site(folder / "site")
        (folder / "application.py").write_text(APPLICATION)
        process, port = started(name, folder, nginx)
        try:
            yield Server(name, port, name in {"uvicorn", "hypercorn"})
        finally:
            stop(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def started(name: str, folder: Path, nginx: Nginx) -> tuple[subprocess.Popen[bytes], int]:
    """Start a server on a port that is free."""
    for _ in range(ATTEMPTS):
        with listening() as listener:
            port = port_of(listener)
        with (folder / "output.log").open("wb") as log:
            process = subprocess.Popen(
                command(name, folder, port, nginx),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        if answers(process, port):
            return process, port
        stop(process)
    logs = [path.read_text() for path in folder.glob("*.log")]
    pytest.fail(f"{name} did not start:\n" + "\n".join(logs))


def command(name: str, folder: Path, port: int, nginx: Nginx) -> list[str | Path]:
    """Write a server's configuration, and return how it is started; skip where it is missing."""
    if name in {"uvicorn", "hypercorn"}:
        need.library(name, requirement=name)
        address = ["--port", str(port)] if name == "uvicorn" else ["--bind", f"127.0.0.1:{port}"]
        return [sys.executable, "-m", name, *address, "application:application"]
    if name == "varnish":
        program = need.program("varnishd", package="varnish")
        back = f"127.0.0.1:{nginx.port}"
        place: list[str | Path] = ["-a", f"127.0.0.1:{port}", "-b", back, "-n", folder / "varnish"]
        return [program, "-F", "-j", "none", "-s", "malloc,16m", *place]
    program = need.program(name, package=name)
    text = {"apache2": APACHE, "lighttpd": LIGHTTPD, "haproxy": HAPROXY}[name]
    # Apache refuses to serve as root.
    user = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
    configuration = folder / f"{name}.conf"
    configuration.write_text(text.format(folder=folder, port=port, nginx=nginx.port, user=user))
    arguments = {"apache2": ["-DFOREGROUND"], "lighttpd": ["-D"], "haproxy": ["-db"]}[name]
    return [program, *arguments, "-f", configuration]


def answers(process: subprocess.Popen[bytes], port: int) -> bool:
    """Return once it answers, or say that it will not."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=START_SECONDS) as client:
                client.sendall(b"GET /hello.txt HTTP/1.0\r\nHost: h\r\n\r\n")
                if b" 200 " in client.recv(100):
                    return True
        except OSError:
            pass
        time.sleep(0.05)
    return False
