"""Benchmarks: tulip beside the libraries people use today, in one run and on one machine.

``hatch run bench:PART`` measures a part, ``hatch run bench:all`` all of them:

- ``scheduling``: task switches, spawning, timeouts, locks, queues, calls between threads
- ``echo``: CPU time of an echo server per message, plain and TLS
- ``transfer``: a gigabyte one way
- ``accept``: connections accepted and closed
- ``memory``: bytes per idle connection and per parked task
- ``http``: CPU time of a client per GET from nginx
- ``churn``: requests that complete while others are cancelled
- ``start``: import time, and what a client costs to make

Each part is a folder. In it, `part.py` says what is measured, and each competitor has a file (or a
function), listed in `COMPETITORS` there: short enough to check by eye, and written as its own
documentation advises for speed. ``harness`` is what they share: how one sample is taken (`meter`),
in which order (`rounds`), on which core (`processes`), and how results are kept, laid out and
compared (`results`, `tables`, `chart`, `compare`). ``instructions`` counts instead of timing.
"""
