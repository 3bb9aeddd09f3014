"""Asking the operating system for names, in threads of their own.

The C library can only be asked in a way that blocks, for as long as a name server is silent: ten
seconds and more. The rules that hold here:

1. Look-ups have their own threads, so that slow names hold up nothing else that runs in threads.
2. One question is asked once at a time, for however many tasks: a slow name takes one thread.
3. At most `MOST` threads look up at a time. What waits for one and is cancelled is never asked.
4. Nobody waits for a look-up that was cancelled: neither the loop, nor the end of the run, nor the
   end of the process.
5. A thread ends when no question is left: starting one takes less than a look-up does.
6. Asking and forgetting take the same time however many wait: thousands may be cancelled at once.

Source: resolv.conf(5), ``timeout`` and ``attempts``.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread
from typing import Any, TypeAlias, final

from tulip_sched import (
    ClosedError,
    Gen,
    Handle,
    Task,
    block,
    coroutine,
    current_context,
    current_task,
)

__all__ = ["Lookups", "Question", "look_up"]

Question: TypeAlias = tuple[Callable[..., Any], str | None, tuple[int, ...]]
"""A function that asks the operating system and blocks meanwhile, its first argument, which the
thread is named after, and the others. The same question is asked once at a time."""

Outcome: TypeAlias = Any
"""An answer, or an `Exception`."""

MOST = 32
"""Threads. So many names must be slow at the same time before another one has to wait for them."""


@final
class Lookups:
    """Questions under way, each with those who want to be told.

    Args:
        most: How many threads may ask at a time.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._lock = Lock()
        # In the order in which they came; dictionaries because of rule 6.
        self._asked: dict[Question, dict[Callable[[Outcome], None], None]] = {}
        self._queue: OrderedDict[Question, None] = OrderedDict()
        self._threads = 0

    def ask(self, question: Question, tell: Callable[[Outcome], None]) -> None:
        """Have a thread ask, and call ``tell`` with the outcome, in that thread.

        Raises:
            RuntimeError: No thread could be started.
        """
        with self._lock:
            if question in self._asked:
                self._asked[question][tell] = None
                return
            if self._threads < self._most:
                Thread(
                    target=self._work,
                    args=(question,),
                    name=f"look up {question[1]}",
                    daemon=True,  # rule 4
                ).start()
                self._threads += 1
            else:
                self._queue[question] = None
            self._asked[question] = {tell: None}

    def forget(self, question: Question, tell: Callable[[Outcome], None]) -> None:
        """Do not call ``tell``, unless it is being called already."""
        with self._lock:
            waiting = self._asked.get(question, {})
            waiting.pop(tell, None)
            if not waiting and question in self._queue:
                del self._queue[question]
                del self._asked[question]

    def _work(self, question: Question) -> None:
        following: Question | None = question
        while following is not None:
            question = following
            outcome = _ask(question)
            with self._lock:
                waiting = self._asked.pop(question)
                following = self._queue.popitem(last=False)[0] if self._queue else None
                self._threads -= following is None
            for tell in waiting:
                tell(outcome)


def _ask(question: Question) -> Outcome:
    ask, host, more = question
    try:
        return ask(host, *more)
    except Exception as error:  # noqa: BLE001 - whatever it is, those who wait get it
        return error


class _Process:
    """The look-ups of this process; a forked one has none of its parent's threads."""

    lookups = Lookups()

    @classmethod
    def begin_anew(cls) -> None:
        cls.lookups = Lookups()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_Process.begin_anew)


@coroutine
def look_up(question: Question) -> Gen[Any]:
    """Ask the operating system, and wait for its answer.

    Raises:
        OSError: There is none; a ``socket.gaierror`` says why. Whatever else the function raises.
    """
    waiter = _Waiter(question)
    _Process.lookups.ask(question, waiter.tell)
    waiter.loop.hold()
    block(waiter.undo)
    yield
    if isinstance(waiter.outcome, Exception):
        # Several tasks may get this outcome: each raises a copy, with a traceback of its own.
        raise type(waiter.outcome)(*waiter.outcome.args)
    return waiter.outcome


class _Waiter:
    """A task that waits for an outcome; its loop does not end meanwhile."""

    def __init__(self, question: Question) -> None:
        self.loop = current_context().eventloop
        self.outcome: Outcome = None
        self._question = question
        self._task: Task[Any] | None = current_task()
        self._lookups = _Process.lookups
        self._telling = Lock()
        self._told: Handle | None = None

    def tell(self, outcome: Outcome) -> None:
        """Pass the outcome on to the loop; runs in the look-up's thread."""
        with self._telling, suppress(ClosedError):
            if self._task is not None:
                self._told = self.loop.call_soon_threadsafe(self._arrive, outcome)

    def undo(self) -> None:
        # An outcome on its way to a loop that is closed first would be a leftover of the run.
        with self._telling:
            self._task = None
            if self._told is not None:
                self._told.cancel()
        self.loop.release()
        self._lookups.forget(self._question, self.tell)

    def _arrive(self, outcome: Outcome) -> None:
        task, self._task = self._task, None
        if task is not None:
            self.outcome = outcome
            self.loop.release()
            task.unblock()
