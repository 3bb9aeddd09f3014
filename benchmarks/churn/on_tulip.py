"""Tulip."""

from benchmarks.churn import trial as rules
from benchmarks.churn.trial import Trial
from tulip_http import (
    Client,
    Gen,
    HTTPError,
    Limits,
    coroutine,
    create_task,
    fail_after,
    move_on_after,
    run,
    sleep,
    wait_all,
)


def churn(trial: Trial) -> None:
    """Go through the churn and the probes."""
    run(client(trial))


@coroutine
def client(trial: Trial) -> Gen[None]:
    """Ask from all tasks, then probe."""
    with Client(limits=Limits(max_connections=rules.CONNECTIONS)) as http:

        @coroutine
        def fetch() -> Gen[None]:
            response = yield from http.get(trial.url)
            trial.check(response.status_code, len(response.content))

        @coroutine
        def worker() -> Gen[None]:
            while trial.goes_on():
                with move_on_after(trial.patience()):
                    yield from fetch()
                    trial.completed += 1

        tasks = [create_task(worker()) for _ in range(rules.TASKS)]
        yield from wait_all(tasks)
        for task in tasks:
            task.result()
        yield from sleep(rules.REST)
        for _ in range(rules.PROBES):
            try:
                with fail_after(rules.PROBE_SECONDS):
                    yield from fetch()
                trial.probes += 1
            except (HTTPError, TimeoutError):
                pass
