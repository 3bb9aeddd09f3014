"""Fetch a page with ``yield from``: a coroutine is a generator, as in PEP 380."""

from embedded_server import start_server

from tulip_http import Client, Gen, coroutine, run


@coroutine
def main() -> Gen[None]:
    """Fetch one page and print it."""
    server = yield from start_server()
    with Client() as client:
        response = yield from client.get(server.url("/quick"))
        print(response.status_code, response.text.strip())
    yield from server.stop()


if __name__ == "__main__":
    run(main())
