"""The floor: ready-made bytes on sockets in an epoll loop, and no HTTP beyond the end of a head."""

import select
import socket
import ssl
from urllib.parse import urlsplit

from benchmarks.http.job import Job


def get(job: Job) -> None:
    """Make requests on as many sockets as the job says."""
    request, address = prepared(job)
    poll = select.epoll()
    idle: list[socket.socket] = []
    for count in job.meter:
        lines: dict[int, tuple[socket.socket, bytes]] = {}
        started = ended = 0
        while ended < count:
            while started < count and len(lines) < job.at_once:
                line = idle.pop() if idle else connect(job, address)
                line.send(request)
                poll.register(line, select.EPOLLIN)
                lines[line.fileno()] = (line, b"")
                started += 1
            for number, _ in poll.poll():
                line, data = lines[number]
                try:
                    data += line.recv(65536)
                except ssl.SSLWantReadError:
                    continue
                head = data.find(b"\r\n\r\n")
                if head < 0 or len(data) < head + 4 + job.size:
                    lines[number] = (line, data)
                    continue
                job.check(int(data[9:12]), len(data) - head - 4)
                ended += 1
                if b"Connection: close" in data:
                    del lines[number]
                    line.close()
                elif started < count:
                    line.send(request)
                    lines[number] = (line, b"")
                    started += 1
                else:
                    del lines[number]
                    poll.unregister(line)
                    idle.append(line)


def download(job: Job) -> None:
    """Receive a large body into one buffer, over and over."""
    request, address = prepared(job)
    line = connect(job, address)
    line.setblocking(True)
    buffer = bytearray(256 * 1024)
    for count in job.meter:
        for _ in range(count):
            line.sendall(request)
            head = line.recv(65536)
            left = job.size - (len(head) - head.index(b"\r\n\r\n") - 4)
            while left:
                left -= line.recv_into(buffer)


def prepared(job: Job) -> tuple[bytes, tuple[str, int]]:
    """Return the bytes of a request, and where they go."""
    url = urlsplit(job.url)
    assert url.hostname is not None
    assert url.port is not None
    request = f"GET {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\n\r\n".encode()
    return request, (url.hostname, url.port)


def connect(job: Job, address: tuple[str, int]) -> socket.socket:
    """Open a connection; on loopback that takes no time."""
    line = socket.socket(socket.AF_INET)
    line.connect(address)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if job.context is not None:
        line = job.context.wrap_socket(line, server_hostname=address[0])
    line.setblocking(False)
    return line
