"""Programs that fork, each in a Python of its own: the tests' has too much to inherit."""

import subprocess
import sys

BEGINNING = """
import os, select, signal, socket, sys, threading, time, traceback

def in_a_child(work):
    # What `work` returns is the exit code; 99 stands for an exception, which is printed.
    child = os.fork()
    if child == 0:
        status = 99
        try:
            status = work() or 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""


def output(program: str) -> str:
    """Run a program, in which warnings are errors, and return all that it and its children printed.

    Only that a process with threads forks is no error there: it is what the test is about.
    """
    warnings = ["-W", "error", "-W", "ignore:This process:DeprecationWarning"]
    done = subprocess.run(
        # Unbuffered: what a parent has printed and not yet written its children would print again.
        [sys.executable, "-u", *warnings, "-c", BEGINNING + program],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=30,
        check=False,
    )
    return done.stdout
