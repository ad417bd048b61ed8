"""Whether the clock can be believed before rows are deleted by it.

Pure: instants in, an error out.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo

from cavecron.errors import CavecronError
from cavecron.french import moment

#: An application that wrote nothing for longer than that is less likely than a wrong clock.
LONGEST_SILENCE = timedelta(days=400)


def require_plausible_clock(now: datetime, instants: Iterable[datetime | None], zone: tzinfo) -> None:
    """Raise an error if `now` is more than LONGEST_SILENCE after the newest of `instants` (all aware).

    Instants after `now` say nothing; where none is left there is nothing to compare with.

    Raises:
        CavecronError: the clock seems to be far ahead.

    """
    newest = max((instant for instant in instants if instant and instant <= now), default=None)
    if newest is None or now - newest <= LONGEST_SILENCE:
        return
    raise CavecronError(
        f"horloge en avance ? elle indique le {moment(now.astimezone(zone))}, mais rien n'a été écrit dans la"
        f" base depuis le {moment(newest.astimezone(zone))} : aucune ligne supprimée ; mettre le système à"
        " l'heure, ou, si l'heure est juste, lancer une fois à la main : cavecron run cleanup"
    )
