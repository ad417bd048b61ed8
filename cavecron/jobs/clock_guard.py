"""Checking that the clock is plausible before rows are deleted by it. Pure: all instants are arguments."""

from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo

from cavecron.errors import CavecronError
from cavecron.french import local_moment

#: If the application seems to have written nothing for longer, the clock is probably wrong.
LONGEST_SILENCE = timedelta(days=400)


def require_plausible_clock(now: datetime, instants: Iterable[datetime | None], zone: tzinfo) -> None:
    """Raise an error if `now` is more than LONGEST_SILENCE after the newest of `instants` (all aware).

    Instants after `now` are ignored; without any other instant there is nothing to compare with.

    Raises:
        CavecronError: the clock seems to be far ahead.

    """
    newest = max((instant for instant in instants if instant and instant <= now), default=None)
    if newest is None or now - newest <= LONGEST_SILENCE:
        return
    raise CavecronError(
        f"horloge en avance ? elle indique le {local_moment(now, zone)}, mais rien n'a été écrit dans la"
        f" base depuis le {local_moment(newest, zone)} : aucune ligne supprimée ; mettre le système à"
        " l'heure, ou, si l'heure est juste, lancer une fois à la main : cavecron run cleanup"
    )
