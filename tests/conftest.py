"""What every test of every layer gets: a deadline, a check for what it leaves behind, opponents."""

pytest_plugins = [
    "pytester",  # for the tests of the guards themselves
    "tests.guards.deadline",
    "tests.guards.leftovers",
    "tests.guards.loops",
    "tests.opponents.certificates",
    "tests.opponents.nginx",
]
