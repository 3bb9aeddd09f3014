"""A real nginx on loopback, plain and TLS, with a page for each thing a client must cope with.

The listening sockets are made here and handed down the way nginx hands them to its own successor in
an upgrade (the variable ``NGINX``): no port is guessed, so none can be taken in between.

Source: nginx 1.22, ``ngx_add_inherited_sockets`` in ``src/core/nginx.c``; the paths of a site are
listed with their directives in `CONFIGURATION`.
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.opponents import need
from tests.opponents.certificates import Certificates

START_SECONDS = 10.0
STOP_SECONDS = 10.0

# 100 MB, as the issue asks; on disk almost nothing, for only the marks below are written.
BIG_BYTES = 100 * 1024 * 1024
MARK_EVERY = 1024 * 1024

CONFIGURATION = """\
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log info;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  types {{ text/plain txt; text/html html; application/octet-stream bin; }}
  sendfile on;
  keepalive_requests 10000;
  server {{
    listen 127.0.0.1:{port};
    listen 127.0.0.1:{tls_port} ssl;
    ssl_certificate {certificate};
    ssl_certificate_key {certificate};
    root {folder}/site;

    # Requests on one connection count up: that is how a test sees that it was kept.
    add_header X-Connection $connection always;
    add_header X-Request $connection_requests always;

    location = /204 {{ return 204; }}
    location = /304 {{ return 304; }}
    location = /500 {{ return 500; }}
    location = /request {{ return 200 "$request_method $request_uri $http_x_test"; }}
    location = /agent {{ return 200 "[$http_user_agent]"; }}
    location = /redirect {{ return 302 /hello.txt; }}
    location = /redirect-loop {{ return 302 /redirect-loop; }}
    location = /redirect-to-plain {{ return 301 http://127.0.0.1:{port}/hello.txt; }}
    location = /redirect-to-tls {{ return 307 https://127.0.0.1:{tls_port}/hello.txt; }}

    # Server-side includes: nginx does not know the length beforehand, so it sends chunks.
    location /chunked/ {{ alias {folder}/site/; ssi on; ssi_types *; }}
    # The same for a client that must wait for the end of the connection.
    location /until-close/ {{
      alias {folder}/site/; ssi on; ssi_types *; chunked_transfer_encoding off;
    }}
    location /gzip/ {{ alias {folder}/site/; gzip on; gzip_types *; gzip_min_length 1; }}
    location /close/ {{ alias {folder}/site/; keepalive_timeout 0; }}

    # 16 KiB a second, after a first portion at once.
    location /slow/ {{ alias {folder}/site/; limit_rate 16k; }}
    # One second to the first byte: a refused login is what nginx can delay.
    location /late/ {{
      alias {folder}/site/; auth_basic late; auth_basic_user_file /dev/null; auth_delay 1s;
      error_page 401 =200 /hello.txt;
    }}
    # Accepts the request and never answers.
    location = /silent {{ proxy_pass http://127.0.0.1:{silent_port}; proxy_read_timeout 1h; }}

    location /uploads/ {{
      dav_methods PUT DELETE; create_full_put_path on; client_max_body_size 1g;
    }}
  }}
}}
"""


@dataclass(frozen=True)
class Nginx:
    """A running nginx: its ports, and the folder whose files it serves."""

    port: int
    tls_port: int
    site: Path

    def url(self, path: str) -> str:
        """Return the plain URL of a path that begins with a slash."""
        return f"http://127.0.0.1:{self.port}{path}"

    def tls_url(self, path: str) -> str:
        """Return the https URL of the same path."""
        return f"https://127.0.0.1:{self.tls_port}{path}"


@pytest.fixture(scope="session")
def nginx(tmp_path_factory: pytest.TempPathFactory, certificates: Certificates) -> Iterator[Nginx]:
    """One nginx for the whole run; see the configuration in this file for what it serves."""
    program = need.program("nginx", package="nginx")
    folder = tmp_path_factory.mktemp("nginx")
    make_site(folder / "site")
    with running(program, folder, certificates.server_file) as server:
        yield server


def make_site(site: Path) -> None:
    """Write the files that are served."""
    site.mkdir()
    (site / "uploads").mkdir()
    (site / "hello.txt").write_text("hello from nginx\n")
    (site / "empty.txt").write_bytes(b"")
    (site / "page.html").write_text("<p>A page of 100 lines.</p>\n" * 100)
    (site / "medium.bin").write_bytes(bytes(range(256)) * 4096)
    with (site / "big.bin").open("wb") as big:
        big.truncate(BIG_BYTES)
        for position in range(0, BIG_BYTES, MARK_EVERY):
            big.seek(position)
            big.write(position.to_bytes(8, "big"))


@contextmanager
def running(program: Path, folder: Path, certificate: Path) -> Iterator[Nginx]:
    """Start nginx on three fresh ports and stop it in the end."""
    with ExitStack() as stack:
        plain, tls, silent = (stack.enter_context(listening()) for _ in range(3))
        server = Nginx(port_of(plain), port_of(tls), folder / "site")
        configuration = CONFIGURATION.format(
            # The workers must be able to read a folder that belongs to us.
            user="user root;" if os.geteuid() == 0 else "",
            folder=folder,
            port=server.port,
            tls_port=server.tls_port,
            silent_port=port_of(silent),
            certificate=certificate,
        )
        (folder / "nginx.conf").write_text(configuration)
        handed_down = (plain.fileno(), tls.fileno())
        process = subprocess.Popen(
            [program, "-p", folder, "-e", folder / "error.log", "-c", folder / "nginx.conf"],
            env={**os.environ, "NGINX": "".join(f"{number};" for number in handed_down)},
            pass_fds=handed_down,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        plain.close()
        tls.close()
        try:
            wait_until_it_answers(process, server.port, folder / "error.log")
            yield server
        finally:
            stop(process)


def listening() -> socket.socket:
    """Return a socket that listens on a free loopback port."""
    return socket.create_server(("127.0.0.1", 0), backlog=128)


def port_of(listener: socket.socket) -> int:
    """Return the port that a listener was given."""
    port: int = listener.getsockname()[1]
    return port


def wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return after the first answer: the sockets listen all along, so a connect says nothing."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with socket.create_connection(("127.0.0.1", port), timeout=START_SECONDS) as client:
            try:
                client.sendall(b"GET /204 HTTP/1.0\r\n\r\n")
                if client.recv(1):
                    return
            except OSError:
                time.sleep(0.02)
    pytest.fail(f"nginx did not start:\n{log.read_text()}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End nginx and its worker: at once, then by force."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
