"""Schedules in French words, and the notes on clock changes."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cavecron.schedule import next_slot, parse
from cavecron.schedule.describe import clock_note, describe
from tests.support.expressions import NO_DEADLINE, expressions
from tests.support.oracle import DENSE, SPARSE

PARIS = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("0 8 * * mon", "chaque lundi à 08:00"),
        ("0 3 * * 0", "chaque dimanche à 03:00"),
        ("0 3 * * 7", "chaque dimanche à 03:00"),
        ("@weekly", "chaque dimanche à 00:00"),
        ("@monthly", "le 1er de chaque mois à 00:00"),
        ("@yearly", "le 1er janvier à 00:00"),
        ("@hourly", "toutes les heures"),
        ("15 * * * *", "toutes les heures à la minute 15"),
        ("30 2 * * *", "chaque jour à 02:30"),
        ("0 8,20 * * *", "chaque jour à 08:00 et 20:00"),
        ("0,30 8,20 * * *", "chaque jour à 08:00, 08:30, 20:00 et 20:30"),
        ("0 */6 * * *", "chaque jour à 00:00, 06:00, 12:00 et 18:00"),
        ("0 */2 * * *", "toutes les 2 heures"),
        ("5 */2 * * *", "toutes les 2 heures à la minute 5"),
        ("* * * * *", "chaque minute"),
        ("*/10 * * * *", "toutes les 10 minutes"),
        ("*/10 * * * mon-fri", "toutes les 10 minutes, du lundi au vendredi"),
        ("0 8 * * sat,sun", "chaque samedi et dimanche à 08:00"),
        ("0 8 * * 1,3,5", "chaque lundi, mercredi et vendredi à 08:00"),
        ("0 8 * * 5-7", "du vendredi au dimanche à 08:00"),
        ("0 8 1,15 * *", "les 1er et 15 de chaque mois à 08:00"),
        ("0 8 L * *", "le dernier jour de chaque mois à 08:00"),
        ("0 8 * * mon#1", "le premier lundi de chaque mois à 08:00"),
        ("0 8 * 4 mon#1", "le premier lundi d'avril à 08:00"),
        ("0 8 L 10 *", "le dernier jour d'octobre à 08:00"),
        ("0 8 * 1 5L", "le dernier vendredi de janvier à 08:00"),
        ("0 8 * 1,7 mon", "chaque lundi en janvier et juillet à 08:00"),
        ("0 8 1 1,7 *", "le 1er de janvier et juillet à 08:00"),
        ("0 8 31 12 *", "le 31 décembre à 08:00"),
        ("0 8 29 2 *", "le 29 février à 08:00"),
    ],
)
def test_a_schedule_is_described_in_words(expression: str, words: str) -> None:
    """The words are those that a person would use."""
    assert describe(parse(expression, PARIS)) == words


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param("0 8 1 * mon", id="day of month or day of week"),
        pytest.param("0 8 */2 * mon", id="day of month and day of week, by a star"),
        pytest.param("0 8 31 * *", id="a day that not every month has"),
        pytest.param("0 8 29 * *", id="the 29th, which February has in leap years only"),
        pytest.param("0 8 31 3,4 *", id="the 31st, which April never has"),
        pytest.param("*/7 * * * *", id="a step with a shorter pause at the hour"),
        pytest.param("0 */5 * * *", id="a step with a shorter pause at midnight"),
        pytest.param("*/5 8 * * *", id="many times in one hour"),
        pytest.param("0 8 * * 5L,1#1", id="two weekdays of a month"),
        pytest.param("0 8 1-10 * *", id="many days"),
        pytest.param("0 8 1,L * *", id="a day and the last day"),
    ],
)
def test_a_schedule_without_clear_words_is_described_by_its_expression(expression: str) -> None:
    """The expression is exact, where words would be long or misleading."""
    assert describe(parse(expression, PARIS)) == expression


@pytest.mark.parametrize(
    ("expression", "zone", "after", "notes"),
    [
        pytest.param(
            "30 2 * * *",
            "Europe/Paris",
            "2026-03-27T12:00Z",
            ["", "l'heure de printemps saute 02:30 : à 03:00", ""],
            id="spring",
        ),
        pytest.param(
            "30 2 * * *",
            "Europe/Paris",
            "2026-10-23T12:00Z",
            ["", "02:30 a lieu deux fois : la première", ""],
            id="autumn, a fixed time",
        ),
        pytest.param(
            "*/30 2 * * *",
            "Europe/Paris",
            "2026-10-24T12:00Z",
            [
                "02:00 a lieu deux fois : la première",
                "02:30 a lieu deux fois : la première",
                "02:00 a lieu deux fois : la seconde",
                "02:30 a lieu deux fois : la seconde",
                "",
            ],
            id="autumn, elapsed time",
        ),
        pytest.param("0 3 * * *", "Europe/Paris", "2026-03-28T12:00Z", ["", ""], id="just after the gap"),
        pytest.param(
            "*/30 * * * *", "Europe/Paris", "2026-03-29T00:00Z", ["", "", ""], id="spring, elapsed time"
        ),
        pytest.param("0 8 * * *", "Europe/Paris", "2026-03-28T12:00Z", ["", ""], id="later that day"),
        pytest.param(
            "0 3 * * *", "Europe/Paris", "2026-10-24T12:00Z", ["", ""], id="just after the repetition"
        ),
        pytest.param(
            "30 23 * * *",
            "America/Nuuk",
            "2026-03-28T12:00Z",
            ["l'heure de printemps saute le 28/03 à 23:30 : à 00:00", ""],
            id="skipped on the day before",
        ),
        pytest.param(
            "0 8 30 12 *",
            "Pacific/Apia",
            "2011-12-28T12:00Z",
            ["le changement d'heure saute le 30/12 à 08:00 : à 00:00"],
            id="a day that was skipped",
        ),
        pytest.param("30 2 * * *", "UTC", "2026-03-28T12:00Z", ["", ""], id="no clock changes"),
    ],
)
def test_a_slot_that_a_clock_change_affects_has_a_note(
    expression: str, zone: str, after: str, notes: list[str]
) -> None:
    """Only a slot that is moved or repeated has a note, and it says what happens."""
    schedule, slot, actual_notes = parse(expression, ZoneInfo(zone)), datetime.fromisoformat(after), []
    for _ in notes:
        following = next_slot(schedule, slot)
        assert following
        slot = following
        actual_notes.append(clock_note(schedule, slot))
    assert actual_notes == notes


@NO_DEADLINE
@given(st.sampled_from(DENSE + SPARSE) | expressions())
def test_every_schedule_has_a_description(expression: str) -> None:
    """Each schedule has a description of one line for the log."""
    words = describe(parse(expression, PARIS))
    assert words
    assert "\n" not in words
    assert "None" not in words
