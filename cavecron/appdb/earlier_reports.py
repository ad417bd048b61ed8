"""When the application's own scheduler last mailed reports, according to `email_log`.

It knows neither the ledger nor a schedule.
"""

from datetime import datetime, timedelta

from cavecron.database.sqlite import Database
from cavecron.database.timestamps import read_utc

#: The longest time between two consecutive mails of one mailing.
_LONGEST_GAP = timedelta(minutes=10)
#: The most rows that are read.
_MOST_ROWS = 2_000
_REPORTS = (
    "SELECT created_at FROM email_log WHERE template_name = 'weekly_report' AND status = 'sent'"
    " ORDER BY id DESC LIMIT ?"
)


def last_mailing(database: Database) -> datetime | None:
    """Return when the last mailing of reports in `email_log` began (aware, UTC); None if there is none.

    A mailing is a series of mails without a long gap between two of them.

    Raises:
        CavecronError: the database cannot be read.

    """
    began = None
    with database.reading() as connection:
        for (stored,) in connection.execute(_REPORTS, (_MOST_ROWS,)):
            sent = read_utc(stored)
            if sent is None or (began is not None and abs(began - sent) > _LONGEST_GAP):
                break
            began = sent
    return began
