"""Calling a job's function, and making an outcome of whatever comes out of it."""

import asyncio
import inspect
import logging

from cavecron.errors import CavecronError, TemporaryError
from cavecron.jobs.context import Outcome, Run

_LOG = logging.getLogger("cavecron.runner")

#: Errors of the network, and not mistakes of a job's author.
_PASSING = (ConnectionError, TimeoutError)


class JobCrashedError(CavecronError):
    """The job's code has a mistake: its traceback is in the log."""


def call(run: Run) -> Outcome:
    """Return the outcome of the job's function; a coroutine function gets a loop and the run's time limit.

    Raises:
        CavecronError: what the function raised, its mistakes included.

    """
    try:
        result = run.job.function(run)
        if inspect.iscoroutine(result):
            limit = max(0.0, run.deadline - run.clock.monotonic())
            result = asyncio.run(asyncio.wait_for(result, limit))
    except CavecronError:
        raise  # no traceback for what a user can cause
    except _PASSING as error:
        run.check()  # a coroutine whose time is up has timed out too
        raise TemporaryError(f"{type(error).__name__} : {error}") from error
    except (Exception, SystemExit, KeyboardInterrupt, asyncio.CancelledError) as error:
        _LOG.exception("Job %s : erreur de programmation", run.job.name)
        raise JobCrashedError(f"{type(error).__name__} : {error}") from error
    if isinstance(result, Outcome):
        return result
    if not isinstance(result, str | None):
        _LOG.warning(
            "Job %s : une phrase (str) ou rien est attendu en retour, pas %s",
            run.job.name,
            type(result).__name__,
        )
    summary = result if isinstance(result, str) else ""
    if summary:
        _LOG.info("Job %s : %s", run.job.name, summary)
    return Outcome(summary=summary)
