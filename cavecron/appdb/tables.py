"""The tables and columns of Cave à Vin that the jobs use, and whether a file has them.

It reads no row. The tables are described in appdb/README.md, Tables.
"""

import sqlite3
from collections.abc import Iterable, Mapping

from cavecron.database.columns import missing_columns
from cavecron.database.sqlite import START_ONCE, Database
from cavecron.errors import CavecronError, NotReadyError

_COLUMNS = {
    "user": "id username email parent_id",
    "cellar": "id name floors bottles_per_floor user_id",
    "cellar_floor": "cellar_id capacity",
    "alcohol_subcategory": "id name",
    "wine": "id name extra_attributes quantity cellar_id user_id subcategory_id created_at",
    "wine_insight": "id wine_id content weight created_at",
    "wine_consumption": "id user_id consumed_at quantity comment"
    " snapshot_name snapshot_year snapshot_region snapshot_cellar",
    "smtp_config": "id name host port username password_encrypted use_tls use_ssl"
    " sender_email sender_name timeout is_active is_default",
    "email_log": "id smtp_config_id recipient_email recipient_user_id subject template_name"
    " status error_message sent_at created_at",
    "activity_log": "id created_at",
    "api_token_usage": "id timestamp",
}
#: The columns that are needed, by table.
NEEDED: Mapping[str, frozenset[str]] = {
    table: frozenset(columns.split()) for table, columns in _COLUMNS.items()
}
#: The tables of a cleanup, those that a report is built from, and those that mailing reports needs.
LOGS = ("email_log", "activity_log", "api_token_usage")
CELLAR = tuple(table for table in NEEDED if table not in (*LOGS, "smtp_config"))
MAILING = (*CELLAR, "smtp_config", "email_log")


def missing(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Return the tables and columns that a file lacks: a table's name, or `table.column`."""
    return missing_columns(connection, NEEDED)


def require(database: Database, tables: Iterable[str] = NEEDED) -> None:
    """Raise an error if one of `tables` or a needed column is missing.

    Raises:
        NotReadyError: a table is missing.
        CavecronError: a column is missing, or the database cannot be read.

    """
    needed = {table: NEEDED[table] for table in tables}
    with database.reading() as connection:
        absent = missing_columns(connection, needed)
    if not absent:
        return
    if absent == tuple(needed):
        raise NotReadyError(
            f"{database.path} n'a aucune table de Cave à Vin : {START_ONCE}, ou corriger DATABASE_URL"
        )
    text = f"{', '.join(absent)} : absent de {database.path} ; {START_ONCE}"
    raise CavecronError(text) if all("." in name for name in absent) else NotReadyError(text)
