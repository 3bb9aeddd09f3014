"""The server: Debian's nginx on loopback, plain and TLS, with and without kept connections.

The listening sockets are made here and handed down in the variable ``NGINX``, the way nginx hands
them to its own successor, so that no port has to be guessed.

Source: nginx, ``ngx_add_inherited_sockets`` in ``src/core/nginx.c``.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.harness import processes
from benchmarks.harness.certificates import Certificates
from benchmarks.harness.part import AbsentError

PAGE_BYTES: Final = 1024
START_SECONDS: Final = 10.0

CONFIGURATION: Final = """\
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log error;
events {{ worker_connections 2048; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  types {{ text/plain txt; application/octet-stream bin; }}
  sendfile on;
  open_file_cache max=10;
  ssl_certificate {certificate};
  ssl_certificate_key {certificate};
  root {folder}/site;
  server {{
    listen 127.0.0.1:{plain};
    listen 127.0.0.1:{tls} ssl;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{closing};
    listen 127.0.0.1:{closing_tls} ssl;
    keepalive_timeout 0;
  }}
}}
"""


@dataclass(frozen=True)
class Nginx:
    """A running nginx and its ports.

    Attributes:
        closing: A port on which every answer is the connection's last.
        authority: The certificate that vouches for it.
    """

    plain: int
    tls: int
    closing: int
    closing_tls: int
    authority: str

    def url(self, page: str, *, tls: bool, kept: bool) -> str:
        """Return where a page is."""
        port = (self.tls if kept else self.closing_tls) if tls else self.plain
        if not tls and not kept:
            port = self.closing
        return f"{'https' if tls else 'http'}://127.0.0.1:{port}/{page}"


@contextmanager
def running(folder: Path, large_bytes: int) -> Iterator[Nginx]:
    """Start nginx and stop it in the end.

    Args:
        folder: Where it may write.
        large_bytes: The size of ``large.bin``; ``page.txt`` has 1 KiB.

    Raises:
        AbsentError: There is no nginx.
    """
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        raise AbsentError("no nginx: apt-get install nginx")
    certificates = Certificates.make(folder)
    site = folder / "site"
    site.mkdir()
    (site / "page.txt").write_bytes(b"x" * PAGE_BYTES)
    with (site / "large.bin").open("wb") as large:
        large.truncate(large_bytes)
    listeners = [socket.create_server(("127.0.0.1", 0), backlog=1024) for _ in range(4)]
    ports = [listener.getsockname()[1] for listener in listeners]
    plain, tls, closing, closing_tls = ports
    server = Nginx(plain, tls, closing, closing_tls, str(certificates.authority))
    (folder / "nginx.conf").write_text(
        CONFIGURATION.format(
            # The workers must be able to read a folder that belongs to us.
            user="user root;" if os.geteuid() == 0 else "",
            folder=folder,
            certificate=certificates.server,
            **{name: getattr(server, name) for name in ("plain", "tls", "closing", "closing_tls")},
        )
    )
    handed_down = [listener.fileno() for listener in listeners]
    process = subprocess.Popen(
        [program, "-p", folder, "-e", folder / "error.log", "-c", folder / "nginx.conf"],
        env={**os.environ, "NGINX": "".join(f"{number};" for number in handed_down)},
        pass_fds=handed_down,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for listener in listeners:
        listener.close()
    try:
        _wait_until_it_answers(process, server.plain)
        yield server
    finally:
        processes.stop(process)


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=START_SECONDS) as client:
                client.sendall(b"GET /page.txt HTTP/1.0\r\n\r\n")
                if client.recv(1):
                    return
        except OSError:
            time.sleep(0.02)
    raise AbsentError("nginx did not start; its error.log says why")
