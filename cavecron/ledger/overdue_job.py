"""A job with an overdue slot, as a value; `overdue` finds them.

Pure: no SQL, no clock.
"""

from dataclasses import dataclass

#: The command that starts a scheduler, and the one for a container.
START, IN_DOCKER = "cavecron", "(dans Docker : docker compose up -d)"


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueJob:
    """A job that is overdue or not followed, and the French `reason`; `job` is None if it concerns all."""

    job: str | None
    reason: str

    @property
    def sentence(self) -> str:
        """Return the reason with the job's name, or with the command that starts a scheduler."""
        if self.job is None:
            return f"{self.reason} ; le lancer : {START} {IN_DOCKER}"
        return f"{self.job} : {self.reason}"
