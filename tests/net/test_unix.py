"""Unix sockets, in the file system and abstract."""

import contextlib
import os
import resource
import stat
import sys
from pathlib import Path

import pytest

from tests.net.echoing import echo
from tulip_net import (
    ConnectError,
    create_task,
    create_unix_transport,
    fail_after,
    listen_unix,
    move_on_after,
    run,
    serve,
)


async def round_trip(path: str | Path) -> None:
    listener = await listen_unix(path)
    server = create_task(serve(echo, listener))
    transport = await create_unix_transport(path)
    await transport.send(b"there and back")
    assert await transport.recv(99) == b"there and back"
    transport.close()
    listener.close()
    await server


def test_a_path_in_the_file_system(tmp_path: Path) -> None:
    run(round_trip(tmp_path / "socket"))


@pytest.mark.skipif(sys.platform != "linux", reason="abstract names are Linux's")
def test_an_abstract_name(tmp_path: Path) -> None:
    run(round_trip(f"\0tulip {tmp_path}"))


def test_nobody_there_is_a_connect_error(tmp_path: Path) -> None:
    with pytest.raises(ConnectError, match=f"{tmp_path}/none: No such file"):
        run(create_unix_transport(tmp_path / "none"))
    with pytest.raises(ValueError, match="is empty"):
        run(create_unix_transport(""))


def test_a_socket_left_behind_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "socket"

    async def main() -> None:
        (await listen_unix(path)).close()
        assert path.exists()
        listener = await listen_unix(path, mode=0o600)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with pytest.raises(OSError, match=f"cannot listen on {path}: Address already in use"):
            await listen_unix(path)
        listener.close()
        path.unlink()
        path.write_text("a file of somebody's")
        with pytest.raises(OSError, match="cannot listen on"):
            await listen_unix(path)
        assert path.read_text() == "a file of somebody's"

    run(main())


def test_a_full_backlog_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "socket"

    async def main() -> None:
        listener = await listen_unix(path, backlog=0)
        early = []
        with move_on_after(0.05) as scope:
            while True:  # until the kernel's queue is full
                early.append(await create_unix_transport(path))
        assert scope.cancelled_caught
        assert len(early) < 20
        waiting = create_task(create_unix_transport(path))
        for transport in early:
            with fail_after(5):
                (await listener.accept()).close()
            transport.close()
        with fail_after(5):
            (await waiting).close()
        listener.close()

    run(main())


def test_what_cannot_be_listened_on_is_told(tmp_path: Path) -> None:
    """And leaves no socket open."""
    with pytest.raises(OSError, match=r"cannot listen on .*: AF_UNIX path too long"):
        run(listen_unix(tmp_path / ("x" * 200)))
    with pytest.raises(ValueError, match="abstract name has no permissions, got mode=0o600"):
        run(listen_unix(f"\0tulip {tmp_path}", mode=0o600))


def test_no_descriptor_left_is_a_connect_error(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def main() -> None:
        with os.scandir("/dev/fd") as numbers:
            used = max(int(each.name) for each in numbers)
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 1, hard))
        spare: list[int] = []
        try:
            with contextlib.suppress(OSError):
                while True:
                    spare.append(os.dup(0))
            with pytest.raises(ConnectError, match="Too many open files"):
                await create_unix_transport(tmp_path / "socket")
        finally:
            for number in spare:
                os.close(number)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    run(main())
