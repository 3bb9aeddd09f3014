"""The load of the echo: so many messages on one connection, then the end."""

from benchmarks.echo.load import Line, connect, exchange
from benchmarks.harness import processes

if __name__ == "__main__":
    port, count = processes.arguments()
    for connection in connect(port, 1, None):
        exchange([Line(connection, 1024)], count)
        connection.close()
