"""Calling a job's function, and turning its result into an outcome and its exceptions into CavecronErrors.

It knows no particular job, and decides nothing about the run.
"""

import asyncio
import inspect
import logging

from cavecron.errors import CavecronError, TemporaryError
from cavecron.jobs.context import Outcome, Run

_LOG = logging.getLogger("cavecron.runner")

#: Errors of the network, which can pass; any other exception is a mistake in the job.
_TEMPORARY = (ConnectionError, TimeoutError)


class JobCrashedError(CavecronError):
    """The job raised an exception that shows a mistake in its code; the traceback is in the log."""


def call(run: Run) -> Outcome:
    """Return the outcome of the job's function; a coroutine gets an event loop and the run's time limit.

    Raises:
        CavecronError: what the function raised; other exceptions as JobCrashedError or TemporaryError.

    """
    try:
        result = run.job.function(run)
        if inspect.iscoroutine(result):
            limit = max(0.0, run.deadline - run.clock.monotonic())
            result = asyncio.run(asyncio.wait_for(result, limit))
    except CavecronError:
        raise  # no traceback for what a user can cause
    except _TEMPORARY as error:
        run.check()  # a TimeoutError may also be the run's own time limit
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
