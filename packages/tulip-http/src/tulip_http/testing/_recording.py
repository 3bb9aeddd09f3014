"""What real servers said, to be said again."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, final

from tulip_http._url import URL
from tulip_http.testing._answer import Answer
from tulip_http.testing._mock import MockServer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tulip_http._request import Request
    from tulip_http._response import Response
    from tulip_http._sync_response import SyncResponse
    from tulip_http._url import Origin
    from tulip_net import Coroutine, Transport


@final
class Recording:
    """Answers by method and URL, in the order in which they were given; the last one repeats.

    Args:
        exchanges: Method, URL and answer of each.

    A request for which there is no answer raises `LookupError` in the server, which fails the run.
    """

    def __init__(self, exchanges: Iterable[tuple[str, URL | str, Answer]] = ()) -> None:
        self._exchanges = [
            (method, _as_asked(URL(url)), answer) for method, url, answer in exchanges
        ]
        self._left: dict[tuple[str, str], deque[Answer]] = {}
        self._server = MockServer(self._answer)

    def add(self, response: Response | SyncResponse) -> None:
        """Record an answer whose body was read; its body is kept decoded."""
        dropped = {"content-encoding", "connection", "keep-alive"}
        fields = [pair for pair in response.headers.multi_items() if pair[0].lower() not in dropped]
        answer = Answer(response.status_code, response.content, fields)
        self._exchanges.append((response.request.method, _as_asked(response.url), answer))

    def save(self, path: Path | str) -> None:
        """Write all to a file, as JSON."""
        from json import dumps

        from tulip_http._headers import Headers

        found = [
            {
                "method": method,
                "url": url,
                "status": answer.status,
                "headers": Headers(answer.headers).multi_items(),
                "body": b64encode(answer.body).decode(),
            }
            for method, url, answer in self._exchanges
        ]
        Path(path).write_text(dumps(found, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path: Path | str) -> Recording:
        """Read what `save` has written."""
        from json import loads

        return cls(
            (
                one["method"],
                one["url"],
                Answer(
                    one["status"],
                    b64decode(one["body"]),
                    [(name, value) for name, value in one["headers"]],
                ),
            )
            for one in loads(Path(path).read_text(encoding="utf-8"))
        )

    def connect(self, origin: Origin) -> Coroutine[Transport]:
        """Return a connection to a server that says it all again: for ``Client(connect=...)``."""
        if not self._left:
            for method, url, answer in self._exchanges:
                self._left.setdefault((method, url), deque()).append(answer)
        return self._server.connect(origin)

    def _answer(self, request: Request) -> Answer:
        answers = self._left.get((request.method, _as_asked(request.url)))
        if not answers:
            raise LookupError(f"nothing was recorded for {request.method} {request.url}")
        return answers.popleft() if len(answers) > 1 else answers[0]


def _as_asked(url: URL) -> str:
    """Return what a server sees of a URL: no fragment, and no password, which no file must have."""
    return f"{url.scheme}://{url.netloc}{url.target}"
