"""The contract of a pollster, kept by every class."""

import errno
import os
import select
import socket
import sys
import time
from collections.abc import Callable, Iterable
from io import UnsupportedOperation
from pathlib import Path

import pytest

from tests.poll import kqueue_model, libkqueue
from tests.poll.facilities import Facility, excuse_libkqueue, facilities
from tests.poll.numbers import Numbers
from tulip_poll import (
    ClosedError,
    EpollPollster,
    EventLoop,
    Handle,
    KqueuePollster,
    PollPollster,
    Pollster,
    SelectPollster,
    default_pollster,
)

MakePair = Callable[[], tuple[socket.socket, socket.socket]]


def nothing() -> None:
    """Be a callback."""


class TestContract:
    """What `tulip_poll.Pollster` promises."""

    def test_nothing_is_ready_at_first(self, pollster: Pollster) -> None:
        assert pollster.poll(0) == []
        assert pollster.pollable() == 0

    def test_a_reader_is_returned_when_there_is_input(
        self, pollster: Pollster, pair: MakePair
    ) -> None:
        here, there = pair()
        handle = pollster.add_reader(here, nothing)
        assert pollster.poll(0) == []
        there.send(b"x")
        assert pollster.poll(None) == [handle]

    def test_a_writer_is_returned_when_there_is_room(
        self, pollster: Pollster, pair: MakePair
    ) -> None:
        here, there = pair()
        fill(here)
        handle = pollster.add_writer(here, nothing)
        assert pollster.poll(0) == []
        drain(there)
        assert pollster.poll(None) == [handle]

    def test_a_handle_comes_in_every_poll_until_it_is_removed(
        self, pollster: Pollster, pair: MakePair
    ) -> None:
        here, there = pair()
        handle = pollster.add_reader(here, nothing)
        there.send(b"x")
        assert [pollster.poll(0) for _ in range(3)] == [[handle]] * 3
        assert pollster.remove_reader(here)
        assert pollster.poll(0) == []
        assert handle.cancelled

    def test_polling_calls_no_callback_and_the_handle_does(
        self, pollster: Pollster, pair: MakePair
    ) -> None:
        here, there = pair()
        calls: list[tuple[int, str]] = []

        def callback(number: int, text: str) -> None:
            calls.append((number, text))

        pollster.add_reader(here, callback, 1, "one")
        there.send(b"x")
        [handle] = pollster.poll(None)
        assert calls == []
        handle._call()
        assert calls == [(1, "one")]

    def test_a_writer_is_registered_although_a_reader_is(
        self, pollster: Pollster, pair: MakePair
    ) -> None:
        """The original looked at one table for both, and the writer was never registered."""
        here, there = pair()
        reader = pollster.add_reader(here, nothing)
        writer = pollster.add_writer(here, nothing)
        assert pollster.poll(0) == [writer]
        there.send(b"x")
        assert unordered(pollster.poll(0)) == unordered([reader, writer])
        assert pollster.pollable() == 2

    def test_a_reader_is_registered_although_a_writer_is(
        self, pollster: Pollster, pair: MakePair
    ) -> None:
        here, there = pair()
        fill(here)
        pollster.add_writer(here, nothing)
        reader = pollster.add_reader(here, nothing)
        there.send(b"x")
        assert pollster.poll(0) == [reader]

    def test_removing_one_direction_leaves_the_other(
        self, pollster: Pollster, pair: MakePair
    ) -> None:
        here, there = pair()
        there.send(b"x")
        reader = pollster.add_reader(here, nothing)
        writer = pollster.add_writer(here, nothing)
        assert pollster.remove_reader(here)
        assert pollster.poll(0) == [writer]
        reader = pollster.add_reader(here, nothing)
        assert pollster.remove_writer(here)
        assert pollster.poll(0) == [reader]
        assert pollster.pollable() == 1

    def test_adding_again_replaces_and_cancels(self, pollster: Pollster, pair: MakePair) -> None:
        here, there = pair()
        there.send(b"x")
        old = pollster.add_reader(here, nothing)
        new = pollster.add_reader(here, nothing)
        assert old.cancelled
        assert not new.cancelled
        assert pollster.poll(0) == [new]
        assert pollster.pollable() == 1
        old.cancel()
        assert pollster.poll(0) == [new]

    def test_a_cancelled_handle_is_not_returned(self, pollster: Pollster, pair: MakePair) -> None:
        here, there = pair()
        there.send(b"x")
        pollster.add_reader(here, nothing).cancel()
        writer = pollster.add_writer(here, nothing)
        assert pollster.poll(0) == [writer]
        writer.cancel()
        assert pollster.pollable() == 0
        assert pollster.poll(0) == []
        assert not pollster.remove_writer(here)

    def test_cancelling_one_direction_twice_leaves_the_other(
        self, pollster: Pollster, pair: MakePair
    ) -> None:
        here, there = pair()
        there.send(b"x")
        writer = pollster.add_writer(here, nothing)
        reader = pollster.add_reader(here, nothing)
        writer.cancel()
        writer.cancel()
        assert pollster.poll(0) == [reader]

    def test_forget_removes_both_directions_and_gives_the_handles_back(
        self, pollster: Pollster, pair: MakePair
    ) -> None:
        here, there = pair()
        there.send(b"x")
        reader = pollster.add_reader(here, nothing)
        writer = pollster.add_writer(here, nothing)
        assert pollster.forget(here) == [reader, writer]
        assert not reader.cancelled
        assert pollster.poll(0) == []
        assert pollster.pollable() == 0
        assert pollster.forget(here) == []

    def test_removing_what_was_cancelled_is_false(self, pollster: Pollster, pair: MakePair) -> None:
        here, _ = pair()
        pollster.add_reader(here, nothing).cancel()
        pollster.add_writer(here, nothing).cancel()
        assert not pollster.remove_reader(here)
        assert not pollster.remove_writer(here)

    def test_adding_where_one_was_cancelled_adds(self, pollster: Pollster, pair: MakePair) -> None:
        here, there = pair()
        there.send(b"x")
        pollster.add_reader(here, nothing).cancel()
        handle = pollster.add_reader(here, nothing)
        assert pollster.poll(0) == [handle]

    def test_forget_leaves_out_what_was_cancelled(self, pollster: Pollster, pair: MakePair) -> None:
        here, _ = pair()
        pollster.add_reader(here, nothing).cancel()
        writer = pollster.add_writer(here, nothing)
        assert pollster.forget(here) == [writer]

    def test_a_number_and_its_object_are_the_same_descriptor(
        self, pollster: Pollster, pair: MakePair
    ) -> None:
        here, there = pair()
        there.send(b"x")
        pollster.add_reader(here, nothing)
        handle = pollster.add_reader(here.fileno(), nothing)
        assert pollster.pollable() == 1
        assert pollster.poll(0) == [handle]
        assert pollster.remove_reader(here)

    def test_removing_what_is_not_there_is_false(self, pollster: Pollster, pair: MakePair) -> None:
        here, _ = pair()
        assert not pollster.remove_reader(here)
        assert not pollster.remove_writer(here)
        pollster.add_writer(here, nothing)
        assert not pollster.remove_reader(here)
        assert pollster.pollable() == 1

    def test_many_descriptors_are_all_returned(self, pollster: Pollster, pair: MakePair) -> None:
        handles = []
        for _ in range(50):
            here, there = pair()
            there.send(b"x")
            handles.append(pollster.add_reader(here, nothing))
            handles.append(pollster.add_writer(here, nothing))
        assert unordered(pollster.poll(0)) == unordered(handles)

    def test_no_descriptor_is_starved_by_busy_ones(
        self, pollster: Pollster, pair: MakePair
    ) -> None:
        handles = set()
        for _ in range(20):
            here, there = pair()
            there.send(b"x")
            handles.add(pollster.add_reader(here, nothing))
        assert set(pollster.poll(0)) == handles


class TestHangUp:
    """Hang-up and errors wake whoever waits, in both directions."""

    def test_the_end_of_the_stream_wakes_a_reader(self, pollster: Pollster, pair: MakePair) -> None:
        here, there = pair()
        handle = pollster.add_reader(here, nothing)
        there.close()
        assert pollster.poll(0) == [handle]
        assert here.recv(1) == b""

    def test_a_peer_that_sends_no_more_wakes_no_writer(
        self, pollster: Pollster, pair: MakePair
    ) -> None:
        here, there = pair()
        fill(here)
        pollster.add_writer(here, nothing)
        reader = pollster.add_reader(here, nothing)
        there.shutdown(socket.SHUT_WR)
        assert pollster.poll(0) == [reader]

    def test_a_hang_up_wakes_both_directions(self, pollster: Pollster, pair: MakePair) -> None:
        here, there = pair()
        fill(here)
        reader = pollster.add_reader(here, nothing)
        writer = pollster.add_writer(here, nothing)
        there.close()
        assert unordered(pollster.poll(0)) == unordered([reader, writer])

    def test_a_hang_up_wakes_the_reader_of_a_pipe_without_input(
        self, pollster: Pollster, numbers: Numbers
    ) -> None:
        """The kernel reports POLLHUP alone here, which the original did not look at."""
        read_end, write_end = numbers.pipe()
        handle = pollster.add_reader(read_end, nothing)
        assert pollster.poll(0) == []
        numbers.close(write_end)
        assert pollster.poll(0) == [handle]
        assert os.read(read_end, 1) == b""

    def test_an_error_wakes_the_writer_of_a_pipe(
        self, pollster: Pollster, numbers: Numbers
    ) -> None:
        """The kernel reports POLLERR here."""
        read_end, write_end = numbers.pipe()
        fill_pipe(write_end)
        handle = pollster.add_writer(write_end, nothing)
        assert pollster.poll(0) == []
        numbers.close(read_end)
        assert pollster.poll(0) == [handle]

    def test_a_refused_connection_wakes_the_writer(self, pollster: Pollster) -> None:
        with socket.socket() as nobody, socket.socket() as sock:
            nobody.bind(("127.0.0.1", 0))
            sock.setblocking(False)
            error = sock.connect_ex(nobody.getsockname())
            handle = pollster.add_writer(sock, nothing)
            assert pollster.poll(5) == [handle]
            assert (error or sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)) != 0
            pollster.forget(sock)

    def test_a_reset_wakes_both_directions(self, pollster: Pollster) -> None:
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            socket.create_connection(listener.getsockname()) as here,
        ):
            there, _ = listener.accept()
            here.setblocking(False)
            fill(here)
            reader = pollster.add_reader(here, nothing)
            writer = pollster.add_writer(here, nothing)
            assert pollster.poll(0) == []
            there.close()  # with input unread, this sends a reset
            assert unordered(pollster.poll(5)) == unordered([reader, writer])
            pollster.forget(here)


class TestTimeouts:
    """How long a poll takes."""

    def test_nought_and_less_return_at_once(self, pollster: Pollster, pair: MakePair) -> None:
        here, _ = pair()
        pollster.add_reader(here, nothing)
        began = time.monotonic()
        assert pollster.poll(0) == []
        assert pollster.poll(-1) == []
        assert pollster.poll(-1.5) == []
        assert pollster.poll(-1e-9) == []
        assert time.monotonic() - began < 5

    @pytest.mark.parametrize("registered", [True, False])
    def test_a_timeout_is_waited_for(
        self, pollster: Pollster, pair: MakePair, *, registered: bool
    ) -> None:
        here, _ = pair()
        if registered:
            pollster.add_reader(here, nothing)
        began = time.monotonic()
        assert pollster.poll(0.02) == []
        assert 0.0199 <= time.monotonic() - began < 2

    def test_a_timeout_below_the_resolution_is_not_rounded_to_nought(
        self, pollster: Pollster
    ) -> None:
        """The original's loop spun until the millisecond of its next timer was over."""
        for _ in range(20):
            began = time.perf_counter()
            assert pollster.poll(0.0003) == []
            assert time.perf_counter() - began >= 0.0003

    @pytest.mark.parametrize("timeout", [1e5, 1e10, 1e300, float("inf")])
    def test_no_timeout_is_too_long(
        self, pollster: Pollster, pair: MakePair, timeout: float
    ) -> None:
        here, there = pair()
        there.send(b"x")
        handle = pollster.add_reader(here, nothing)
        assert pollster.poll(timeout) == [handle]


class TestBadDescriptors:
    """What cannot be watched is refused by name, and costs nobody else anything."""

    @pytest.fixture(autouse=True)
    def other(self, pollster: Pollster, pair: MakePair) -> object:
        """A descriptor that must work after whatever the test does."""
        here, there = pair()
        there.send(b"x")
        handle = pollster.add_reader(here, nothing)
        yield
        assert handle in pollster.poll(0)

    def test_a_closed_number(self, pollster: Pollster, numbers: Numbers) -> None:
        closed_number = numbers.closed()
        for add in (pollster.add_reader, pollster.add_writer):
            with pytest.raises(OSError, match=f"descriptor {closed_number}: Bad file") as caught:
                add(closed_number, nothing)
            assert caught.value.errno == errno.EBADF
        assert pollster.pollable() == 1

    def test_a_closed_number_where_the_other_direction_is_registered(
        self, pollster: Pollster, numbers: Numbers
    ) -> None:
        fd, _ = numbers.pipe()
        pollster.add_reader(fd, nothing)
        numbers.close(fd)
        with pytest.raises(OSError, match=f"descriptor {fd}: Bad file descriptor"):
            pollster.add_writer(fd, nothing)
        assert pollster.remove_reader(fd)
        assert not pollster.remove_writer(fd)

    @pytest.mark.parametrize("number", [-1, -10, 2**31, 10**30])
    def test_a_number_out_of_range(self, pollster: Pollster, number: int) -> None:
        for method in (pollster.remove_reader, pollster.remove_writer, pollster.forget):
            with pytest.raises(ValueError, match=str(number)):
                method(number)
        with pytest.raises(ValueError, match=str(number)):
            pollster.add_reader(number, nothing)

    def test_a_number_too_high_for_select(
        self, facility: Facility, pollster: Pollster, numbers: Numbers
    ) -> None:
        fd, write_end = numbers.pipe()
        numbers.duplicate_at(fd, 1500)
        if facility.name == "select" and sys.platform != "win32":
            with pytest.raises(ValueError, match=r"select cannot watch descriptor 1500: .*range"):
                pollster.add_reader(1500, nothing)
        else:
            handle = pollster.add_reader(1500, nothing)
            os.write(write_end, b"x")
            assert handle in pollster.poll(0)
            pollster.forget(1500)

    def test_a_closed_socket(self, pollster: Pollster) -> None:
        sock = socket.socket()
        sock.close()
        with pytest.raises(ValueError, match=r"got -1 from <socket\.socket \[closed\].*closed\?"):
            pollster.add_reader(sock, nothing)

    def test_a_closed_file(self, pollster: Pollster, tmp_path: Path) -> None:
        with (tmp_path / "file").open("w") as file:
            pass
        with pytest.raises(ValueError, match=r"no file descriptor in <_io\.TextIOWrapper.*closed"):
            pollster.add_reader(file, nothing)

    @pytest.mark.parametrize("thing", ["7", 7.0, None, True, object()])
    def test_what_is_no_descriptor_at_all(self, pollster: Pollster, thing: object) -> None:
        with pytest.raises(TypeError, match="must be an integer or have fileno") as caught:
            pollster.add_reader(thing, nothing)  # type: ignore[arg-type]
        assert repr(thing) in str(caught.value)

    def test_a_fileno_that_is_no_number(self, pollster: Pollster) -> None:
        class Liar:
            def fileno(self) -> str:
                return "seven"

        with pytest.raises(TypeError, match=r"must be an integer or have fileno.*Liar"):
            pollster.add_reader(Liar(), nothing)  # type: ignore[arg-type]

    def test_a_regular_file_is_ready_or_refused_in_words(
        self, facility: Facility, pollster: Pollster, tmp_path: Path
    ) -> None:
        path = tmp_path / "file"
        path.write_text("x")
        with path.open() as file:
            if facility.name in {"epoll", "wrapped", "kqueue-model"}:
                number = file.fileno()
                with pytest.raises(PermissionError, match=rf"descriptor {number}: .*not perm"):
                    pollster.add_reader(file, nothing)
            else:
                assert pollster.add_reader(file, nothing) in pollster.poll(0)
                pollster.forget(file)

    def test_a_refused_descriptor_leaves_the_one_it_would_replace(
        self, pollster: Pollster, numbers: Numbers
    ) -> None:
        fd, _ = numbers.pipe()
        handle = pollster.add_reader(fd, nothing)
        spare = numbers.duplicate(fd)
        numbers.close(fd)
        with pytest.raises(OSError, match=f"descriptor {fd}: "):
            pollster.add_reader(fd, nothing)
        numbers.move(spare, fd)
        assert not handle.cancelled
        assert pollster.forget(fd) == [handle]


class TestReusedNumbers:
    """A registration never outlives its file."""

    def test_a_number_that_was_removed_and_closed_is_another_files(
        self, pollster: Pollster, numbers: Numbers
    ) -> None:
        old_read, old_write = numbers.pipe()
        old = pollster.add_reader(old_read, nothing)
        os.write(old_write, b"x")
        assert pollster.remove_reader(old_read)
        new_write = numbers.pipe_at(old_read)
        new = pollster.add_reader(old_read, nothing)
        assert pollster.poll(0) == []
        os.write(new_write, b"x")
        assert pollster.poll(0) == [new]
        assert old.cancelled

    def test_a_number_closed_without_removal_is_registered_anew(
        self, pollster: Pollster, numbers: Numbers
    ) -> None:
        old_read, _ = numbers.pipe()
        pollster.add_reader(old_read, nothing)
        new_write = numbers.pipe_at(old_read)
        new = pollster.add_reader(old_read, nothing)
        os.write(new_write, b"x")
        assert pollster.poll(0) == [new]
        assert pollster.remove_reader(old_read)
        assert pollster.poll(0) == []

    def test_a_number_closed_and_then_removed_is_registered_anew(
        self, pollster: Pollster, numbers: Numbers
    ) -> None:
        old_read, _ = numbers.pipe()
        pollster.add_reader(old_read, nothing)
        numbers.close(old_read)
        assert pollster.remove_reader(old_read)
        new_write = numbers.pipe_at(old_read)
        new = pollster.add_reader(old_read, nothing)
        os.write(new_write, b"x")
        assert pollster.poll(0) == [new]

    def test_a_number_closed_is_no_error_when_polled_or_forgotten(
        self, pollster: Pollster, pair: MakePair
    ) -> None:
        here, there = pair()
        other, another = pair()
        handle = pollster.add_reader(other, nothing)
        fd = here.fileno()
        registered = [pollster.add_reader(fd, nothing), pollster.add_writer(fd, nothing)]
        here.close()
        another.send(b"x")
        pollster.poll(0)
        assert pollster.poll(0) == [handle]
        assert pollster.forget(fd) in ([], registered)
        assert pollster.pollable() == 1
        there.close()

    def test_the_file_that_lives_on_behind_a_duplicate_is_not_heard_of_again(
        self, facility: Facility, pollster: Pollster, numbers: Numbers
    ) -> None:
        """epoll keeps an entry until the last descriptor of the file is closed."""
        excuse_libkqueue(facility)
        old_read, old_write = numbers.pipe()
        pollster.add_reader(old_read, nothing)
        numbers.duplicate(old_read)
        numbers.close(old_read)
        pollster.remove_reader(old_read)
        os.write(old_write, b"x")
        assert pollster.poll(0) == []
        # And it costs nothing further: a poll waits as it should.
        began = time.monotonic()
        assert pollster.poll(0.02) == []
        assert time.monotonic() - began >= 0.0199

    def test_no_event_of_a_file_that_lives_on_reaches_the_next_one(
        self, facility: Facility, pollster: Pollster, numbers: Numbers
    ) -> None:
        excuse_libkqueue(facility)
        old_read, old_write = numbers.pipe()
        pollster.add_reader(old_read, nothing)
        numbers.duplicate(old_read)
        numbers.close(old_read)
        pollster.remove_reader(old_read)
        new_write = numbers.pipe_at(old_read)
        new = pollster.add_reader(old_read, nothing)
        os.write(old_write, b"x")
        assert pollster.poll(0) == []
        os.write(new_write, b"x")
        assert pollster.poll(0) == [new]

    def test_a_number_that_leads_back_to_the_same_file_is_registered_anew(
        self, pollster: Pollster, numbers: Numbers
    ) -> None:
        """The kernel still has the entry, and says EEXIST."""
        read_end, write_end = numbers.pipe()
        pollster.add_reader(read_end, nothing)
        spare = numbers.duplicate(read_end)
        numbers.close(read_end)
        pollster.remove_reader(read_end)
        numbers.move(spare, read_end)
        handle = pollster.add_reader(read_end, nothing)
        os.write(write_end, b"x")
        assert pollster.poll(0) == [handle]
        assert pollster.remove_reader(read_end)


class TestClosing:
    """A closed pollster says so."""

    def test_closing_twice_is_once(self, pollster: Pollster, pair: MakePair) -> None:
        here, _ = pair()
        pollster.add_reader(here, nothing)
        pollster.close()
        pollster.close()
        assert pollster.pollable() == 0
        assert "closed" in repr(pollster)

    def test_a_closed_pollster_refuses_work(self, pollster: Pollster, pair: MakePair) -> None:
        here, _ = pair()
        pollster.close()
        with pytest.raises(ClosedError, match=f"descriptor {here.fileno()}"):
            pollster.add_reader(here, nothing)
        with pytest.raises(ClosedError):
            pollster.poll(0)
        assert not pollster.remove_reader(here)
        assert pollster.forget(here) == []

    def test_a_number_to_poll_is_readable_when_there_is_something(
        self, pollster: Pollster, pair: MakePair
    ) -> None:
        if isinstance(pollster, (SelectPollster, PollPollster)):
            with pytest.raises(UnsupportedOperation, match=type(pollster).__name__):
                pollster.fileno()
            return
        fd = pollster.fileno()
        here, there = pair()
        pollster.add_reader(here, nothing)
        assert not readable(fd)
        there.send(b"x")
        assert readable(fd)
        assert pollster.fileno() == fd
        pollster.close()
        with pytest.raises(ClosedError):
            pollster.fileno()


class TestChoice:
    """Which class there is, and which one is best."""

    def test_the_default_is_the_best_there_is(self) -> None:
        pollster = default_pollster()
        pollster.close()
        if sys.platform == "linux":
            assert isinstance(pollster, EpollPollster)

    @pytest.mark.parametrize(
        "missing,expected",
        [
            (["epoll"], KqueuePollster),
            (["epoll", "kqueue"], PollPollster),
            (["epoll", "kqueue", "poll"], SelectPollster),
        ],
    )
    def test_what_is_missing_is_passed_over(
        self, monkeypatch: pytest.MonkeyPatch, missing: list[str], expected: type[Pollster]
    ) -> None:
        with Facility("", KqueuePollster, kqueue_model).in_place():
            for name in missing:
                monkeypatch.delattr(select, name, raising=False)
            pollster = default_pollster()
            pollster.close()
            monkeypatch.undo()
        assert type(pollster) is expected

    @pytest.mark.parametrize(
        "kind,name",
        [(EpollPollster, "epoll"), (KqueuePollster, "kqueue"), (PollPollster, "poll")],
    )
    def test_making_one_that_the_platform_lacks_says_so(
        self, monkeypatch: pytest.MonkeyPatch, kind: type[Pollster], name: str
    ) -> None:
        monkeypatch.delattr(select, name, raising=False)
        with pytest.raises(NotImplementedError, match=f"no {name}.* on {sys.platform}"):
            kind()


@pytest.mark.skipif(sys.platform != "linux", reason="kqueue is the system's own, or not at all")
def test_the_real_libkqueue_takes_part() -> None:
    if libkqueue.find() is None:
        pytest.skip("no libkqueue here: name it with TULIP_LIBKQUEUE, or install it")
    assert "libkqueue" in {facility.name for facility in facilities()}


def test_a_loop_over_each_pollster_echoes(any_loop: EventLoop, pair: MakePair) -> None:
    """Readers and writers together, until nothing is left."""
    here, there = pair()
    received = bytearray()
    expected = os.urandom(500_000)
    unsent = memoryview(expected)

    def send() -> None:
        nonlocal unsent
        unsent = unsent[here.send(unsent[:65536]) :]
        if not unsent:
            any_loop.remove_writer(here)

    def echo() -> None:
        there.setblocking(True)
        data = there.recv(65536)
        there.sendall(data)

    def receive() -> None:
        received.extend(here.recv(65536))
        if len(received) == len(expected):
            any_loop.remove_reader(here)
            any_loop.remove_reader(there)

    any_loop.add_writer(here, send)
    any_loop.add_reader(there, echo)
    any_loop.add_reader(here, receive)
    any_loop.run()
    assert received == expected


def fill(sock: socket.socket) -> None:
    """Send until there is no room."""
    try:
        while True:
            sock.send(b"x" * 65536)
    except BlockingIOError:
        pass


def fill_pipe(fd: int) -> None:
    """Write until there is no room."""
    try:
        while True:
            os.write(fd, b"x" * 65536)
    except BlockingIOError:
        pass


def drain(sock: socket.socket) -> None:
    """Receive until there is nothing."""
    try:
        while sock.recv(1 << 20):
            pass
    except BlockingIOError:
        pass


def readable(fd: int) -> bool:
    """Ask another facility whether a number is readable now."""
    return bool(select.select([fd], [], [], 0)[0])


def unordered(handles: Iterable[Handle]) -> list[Handle]:
    """Return the handles in an order of no meaning, to compare with others."""
    return sorted(handles, key=id)
