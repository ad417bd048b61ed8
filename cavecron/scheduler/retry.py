"""The result of an attempt at a run, and when the run is tried again.

It decides by its arguments only: it reads no clock and calls no database.
"""

from datetime import datetime, timedelta

from cavecron.errors import CavecronError, StoppedError
from cavecron.jobs.context import Outcome
from cavecron.ledger.models import Claim, RunResult
from cavecron.schedule import GRACE

#: How long after its first, second and third temporary failure a run is tried again.
_RETRIES = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))
_MOST_FAILURES, _LONGEST = 20, 5_000


def result_of_outcome(outcome: Outcome, claim: Claim, now: datetime) -> RunResult:
    """Return the result of an attempt that the job completed at `now` (aware), perhaps with failures."""
    summary = _storable(outcome.summary)
    if not outcome.failures:
        return RunResult(state="succeeded", summary=summary)
    count = len(outcome.failures)
    listed = " ; ".join(outcome.failures[:_MOST_FAILURES]) + (" ; …" if count > _MOST_FAILURES else "")
    return RunResult(
        state="failed",
        summary=summary,
        reason=_storable(f"{count} échec{'s' if count > 1 else ''} : {listed}"),
        retry_at=_retry_at(claim, now) if outcome.temporary else None,
    )


def result_of_error(error: CavecronError, claim: Claim, now: datetime) -> RunResult:
    """Return the result of an attempt that `error` ended at `now` (aware)."""
    if isinstance(error, StoppedError):
        can_resume = claim.trigger != "manual" and now - claim.slot < GRACE
        return RunResult(
            state="interrupted",
            summary=_storable(error.summary),
            reason=_storable(str(error)),
            retry_at=now if can_resume else None,
        )
    retry_at = _retry_at(claim, now) if error.temporary else None
    return RunResult(
        state="failed", summary=_storable(error.summary), reason=_storable(str(error)), retry_at=retry_at
    )


def _storable(text: str | None) -> str | None:
    """Return the text without lone surrogates, cut to the length that is stored."""
    if text is None:
        return None
    return text[:_LONGEST].encode("utf-8", "replace").decode()


def _retry_at(claim: Claim, now: datetime) -> datetime | None:
    """Return when to try again (aware).

    None after the third retry, an hour after the slot or later, and for a run by hand.
    """
    if claim.trigger == "manual" or claim.failures >= len(_RETRIES):
        return None
    at = now + _RETRIES[claim.failures]
    return at if at - claim.slot < GRACE else None
