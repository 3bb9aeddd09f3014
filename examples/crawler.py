"""Crawl a site: follow every link, once, a few at the same time."""

import re

from embedded_server import PAGES, Request, answer, start_server

from tulip_http import URL, Client, HTTPError, TaskGroup, run
from tulip_net import Transport

LINK = re.compile(r'href="([^"]*)"')
SITE = {
    "/": ["/a", "b?page=1", "https://elsewhere.example/"],
    "/a": ["/", "/b?page=2"],
    "/b": ["/b?page=1", "/missing", "mailto:nobody@example.org"],
}


class Crawler:
    """Visits every page of one site."""

    def __init__(self, client: Client, group: TaskGroup, start: URL) -> None:
        self.outcomes: dict[URL, str] = {}
        self._client = client
        self._group = group
        self._origin = start.origin
        self.go_to(start)

    def go_to(self, url: URL) -> None:
        """Visit a page, unless it is elsewhere, or was visited, or is being visited."""
        if url.origin == self._origin and url not in self.outcomes:
            self.outcomes[url] = "under way"
            self._group.start_soon(self.visit(url))

    async def visit(self, url: URL) -> None:
        """Fetch a page, and go to what it links to."""
        try:
            response = await self._client.get(url)
            self.outcomes[url] = f"{response.status_code} {response.reason_phrase}"
        except HTTPError as error:
            self.outcomes[url] = f"{type(error).__name__}: {error}"
            return
        for link in LINK.findall(response.text):
            try:
                self.go_to(url.join(link))
            except HTTPError as error:
                print(f"skipped    {error}")


async def linked(request: Request, transport: Transport) -> None:
    """Answer with a page of links."""
    links = "".join(f'<a href="{link}">\n' for link in SITE[request.path])
    await answer(request, transport, links.encode(), headers="Content-Type: text/html\r\n")


async def main() -> None:
    """Crawl a site that this program serves itself."""
    PAGES.update(dict.fromkeys(SITE, linked))
    server = await start_server()
    async with Client() as client:
        async with TaskGroup() as group:
            crawler = Crawler(client, group, URL(server.url("/")))
        for url, outcome in sorted(crawler.outcomes.items(), key=str):
            print(f"{outcome:15} {url.target}")
    await server.stop()


if __name__ == "__main__":
    run(main())
