"""Errors that a user can cause or see, each with the exit code of a command that it ends.

A message is a French sentence, or a list of them: what is wrong, where, and what to do. It never contains a
secret. Pure.
"""

import errno
from collections.abc import Mapping, Sequence
from typing import ClassVar

#: The message where the system starts no more threads.
NO_THREAD = (
    "le système n'accorde plus de thread : relever la limite de processus (pids_limit du conteneur,"
    " ulimit -u), ou baisser CAVECRON_MAX_RUNNING"
)
#: The system's errors for files, in French.
_REASONS: Mapping[int | None, str] = {
    errno.ENOENT: "il n'existe pas",
    errno.EACCES: "accès refusé",
    errno.EPERM: "accès refusé",
    errno.EISDIR: "c'est un dossier",
    errno.ENOTDIR: "ce n'est pas un dossier",
    errno.EEXIST: "un fichier porte ce nom",
    errno.ELOOP: "un lien symbolique porte ce nom",
    errno.ENOSPC: "disque plein",
    errno.EDQUOT: "quota atteint",
    errno.EROFS: "disque en lecture seule",
    errno.ENAMETOOLONG: "nom trop long",
    errno.EIO: "erreur de lecture ou d'écriture",
    errno.ESTALE: "le partage réseau a été démonté ou remplacé",
    errno.ENOTCONN: "le partage réseau n'est plus connecté",
    errno.EHOSTDOWN: "l'hôte du partage réseau est arrêté",
    errno.EHOSTUNREACH: "l'hôte du partage réseau est injoignable",
    errno.ETIMEDOUT: "le partage réseau ne répond pas",
    errno.ENOLCK: "le partage réseau n'accorde pas de verrou",
}


def reason(error: OSError) -> str:
    """Return in a few French words why the system could not use a file."""
    return _REASONS.get(error.errno, error.strerror or "erreur du système")


class CavecronError(Exception):
    """The base class of cavecron's errors. A job raises it, or a subclass, to report that it failed.

    `summary` says in French what the job has done before, None if that is unknown.
    """

    summary: str | None = None

    exit_code: ClassVar[int] = 1
    #: Whether the same operation may succeed later.
    temporary: ClassVar[bool] = False


class UsageError(CavecronError):
    """The command line asks for something that does not exist."""

    exit_code = 2


class ConfigurationError(CavecronError):
    """One or more settings are wrong; the message lists all of them."""

    exit_code = 2

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        title = f"Configuration invalide : {count} problème{'s' if count > 1 else ''}"
        super().__init__("\n  ".join((title, *self.problems)))


class AlreadyRunningError(CavecronError):
    """Another process is running this job at the moment."""

    exit_code = 3


class TemporaryError(CavecronError):
    """A failure that can end by itself: the network, a busy server, a locked database."""

    temporary = True


class NotReadyError(TemporaryError):
    """The application has not created its database or its tables yet."""


class StoppedError(CavecronError):
    """A run stopped at a safe point because it was requested to."""


class TimeLimitError(CavecronError):
    """A run lasted longer than its time limit."""


class LeaseLostError(CavecronError):
    """Another process has taken over a run that this process was executing."""
