"""What every test of every layer gets: a deadline, a check for what it leaves behind, opponents.

And nothing of the machine's: neither how fast it is, nor what a shell passes on to what it starts.
"""

import signal

from hypothesis import HealthCheck, settings

pytest_plugins = [
    "pytester",  # for the tests of the guards themselves
    "tests.guards.collector",
    "tests.guards.deadline",
    "tests.guards.leftovers",
    "tests.guards.loops",
    "tests.opponents.certificates",
    "tests.opponents.nginx",
]

# A machine that is busy with something else is no failure.
settings.register_profile(
    "tulip", settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
)
settings.load_profile("tulip")

# A shell starts what is to run in the background with SIGINT ignored, and Python and every child
# inherit that (POSIX.1-2017 XCU 2.11). Tests raise it.
signal.signal(signal.SIGINT, signal.default_int_handler)
