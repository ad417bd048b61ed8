"""Large databases of Cave à Vin for the benchmarks: the application's tables with thousands of rows.

The content repeats, so that two runs measure the same.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cavecron.database.timestamps import utc_text
from cavecron.demo import schema

#: A Monday at 8 in Paris.
NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)

_REGIONS = ("Bordeaux", "Bourgogne", "Vallée du Rhône", "Loire", "Alsace", "Champagne", "Languedoc")
_INSIGHTS = (
    "Vin de garde : à conserver de 8 à 12 ans dans une cave fraîche, à l'abri de la lumière.",
    "Robe grenat profonde, nez de fruits noirs et d'épices douces, tanins fondus et finale persistante.",
    "À boire maintenant ou à garder encore deux ou trois ans, en carafe une heure avant le repas.",
    "Le domaine cultive ses quarante hectares en agriculture biologique depuis trois générations.",
    "Accompagne une épaule d'agneau, un civet ou un fromage à pâte pressée.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cellars:
    """The size of a database: each user has one cellar, and each wine its insights.

    `label` is the size in bytes of a label image, which `labelled` of 100 wines have.
    """

    users: int
    wines: int
    insights: int = 2
    label: int = 0
    labelled: int = 0


def fill(path: Path, cellars: Cellars) -> None:
    """Create the application's database at `path`."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        schema.create(connection)
        connection.executescript(
            "INSERT INTO cellar_category (name) VALUES ('Cave');"
            "INSERT INTO alcohol_category (name) VALUES ('Vin');"
            "INSERT INTO alcohol_subcategory (name, category_id, badge_bg_color, badge_text_color)"
            " VALUES ('Rouge', 1, '#800020', '#ffffff'), ('Blanc', 1, '#f5e6a8', '#333333')"
        )
        numbers = range(1, cellars.users + 1)
        connection.executemany(_USER, ((user,) for user in numbers))
        connection.executemany(_CELLAR, ((user,) for user in numbers))
        connection.executemany(_WINE, _wines(cellars))
        connection.executemany(_INSIGHT, _insights(cellars.users * cellars.wines, cellars.insights))
        connection.executemany(_EXIT, _exits(cellars))
        connection.commit()


def add_server(path: Path, port: int) -> None:
    """Make an unencrypted server on this port of loopback the active SMTP configuration."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO smtp_config (name, host, port, use_tls, use_ssl, sender_email, sender_name, timeout,"
            " is_active, is_default, created_at, updated_at)"
            " VALUES ('local', '127.0.0.1', ?, 0, 0, 'cave@example.org', 'Cave à Vin', 10, 1, 1, ?2, ?2)",
            (port, utc_text(NOW)),
        )


_USER = (
    'INSERT INTO "user" (id, username, email, password, has_temporary_password, is_admin)'
    " VALUES (?1, 'membre' || ?1, 'membre' || ?1 || '@example.org', '!', 0, 0)"
)
_CELLAR = (
    "INSERT INTO cellar (id, name, floors, bottles_per_floor, user_id, category_id)"
    " VALUES (?1, 'Cave du fond', 10, 20, ?1, 1)"
)
_WINE = (
    "INSERT INTO wine (user_id, cellar_id, name, extra_attributes, label_image_data, quantity,"
    " subcategory_id, created_at, updated_at) VALUES (?1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)"
)
_INSIGHT = (
    "INSERT INTO wine_insight (wine_id, category, title, content, source_name, weight, created_at,"
    " updated_at) VALUES (?1, 'garde', 'Note', ?2, 'Guide', ?3, ?4, ?4)"
)
_EXIT = (
    "INSERT INTO wine_consumption (wine_id, user_id, consumed_at, quantity, comment, snapshot_name,"
    " snapshot_year, snapshot_cellar) VALUES (?1, ?2, ?3, 1, 'Très bon', 'Château Margaux', 2012, 'Cave')"
)


def _wines(cellars: Cellars) -> Iterator[tuple[object, ...]]:
    """Yield the wines user by user; one in twenty is of this week, one in seven has no known peak."""
    image = "A" * cellars.label
    for number in range(cellars.users * cellars.wines):
        attributes = {
            "year": 2000 + number % 24,
            "region": _REGIONS[number % len(_REGIONS)],
            "grape": "Merlot, Cabernet Sauvignon",
            "description": "Un vin rouge élégant, aux notes de cassis, de cèdre et de graphite.",
            "apogee": 2018 + number % 30 if number % 7 else None,
        }
        at = NOW - timedelta(days=3 if number % 20 == 0 else 30 + number % 900)
        yield (
            number // cellars.wines + 1,
            f"Château des Ormes n° {number}",
            json.dumps(attributes, ensure_ascii=False),
            image if number % 100 < cellars.labelled else None,
            number % 6,
            number % 3 or None,
            utc_text(at),
        )


def _insights(wines: int, each: int) -> Iterator[tuple[object, ...]]:
    for number in range(wines * each):
        at = utc_text(NOW - timedelta(days=number % 500))
        yield number // each + 1, _INSIGHTS[number % len(_INSIGHTS)], number % 4, at


def _exits(cellars: Cellars) -> Iterator[tuple[object, ...]]:
    """Yield an exit for one bottle in fifty, half of them of this week."""
    for wine in range(0, cellars.users * cellars.wines, 50):
        at = utc_text(NOW - timedelta(days=2 + wine % 100))
        yield wine + 1, wine // cellars.wines + 1, at
