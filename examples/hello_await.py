"""Fetch a page with ``await``: the same functions, the other keyword."""

from embedded_server import start_server

from tulip_http import Client, run


async def main() -> None:
    """Fetch one page and print it."""
    server = await start_server()
    async with Client() as client:
        response = await client.get(server.url("/quick"))
        print(response.status_code, response.text.strip())
    await server.stop()


if __name__ == "__main__":
    run(main())
