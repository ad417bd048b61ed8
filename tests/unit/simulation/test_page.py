"""`cavecron simulate --html`: the result as a timeline and as a table."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree.ElementTree import Element
from zoneinfo import ZoneInfo

import pytest

from cavecron.cli.main import main
from cavecron.simulation.models import Scenario, SlotOutcome, TimeRange
from cavecron.simulation.page import page
from tests.support.web_pages import flaws, read, rows, text_of

#: The cleanup's slot is 03:00 on that Sunday, just after the clocks went back.
PERIOD = ("--from", "2026-10-24", "--days", "7")
OFF = {"SCHEDULER_WEEKLY_REPORT_ENABLED": "0", "SCHEDULER_CLEANUP_ENABLED": "0"}
PARIS = ZoneInfo("Europe/Paris")
#: Midnight in Paris; no clock change follows in the next month.
BEGIN = datetime(2026, 10, 31, 23, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def simulation_page(folder: Path, *arguments: str, **environ: str) -> str:
    """Return the page of a simulation."""
    file = folder / "page.html"
    assert main(["simulate", *PERIOD, *arguments, "--html", "-o", str(file)], environ) == 0
    return file.read_text(encoding="utf-8")


def lanes(html: str) -> list[str]:
    """Return the labels of the lanes for screen readers."""
    return [lane.get("aria-label", "") for lane in pictures(html)]


def pictures(html: str) -> list[Element]:
    """Return the lanes of machine and jobs, without those of the hours."""
    return [svg for svg in read(html).iter("svg") if svg.get("class") == "lane"]


def verdict(html: str) -> str:
    """Return the text of the first section, which says whether all would be done."""
    return next(text_of(part) for part in read(html).iter("section"))


def test_each_trouble_and_each_slot_is_drawn_and_described(tmp_path: Path) -> None:
    """Stops, sleep, clock changes, a replayed slot and a missed one are all shown with the reason."""
    html = simulation_page(
        tmp_path,
        *("--down", "2026-10-25 02:40/2026-10-25 03:20", "--suspend", "2026-10-26 02:00/2026-10-26 10:00"),
        *("--clock", "2026-10-28 13:00 +2h", "--clock", "2026-10-29 13:00 -1h"),
    )
    assert not flaws(html)
    assert lanes(html) == [
        "machine : dim. 25/10/2026 02:40 → 03:20, cavecron est arrêté (1 h 40 min)",
        "cleanup : 03:00 rattrapé à 03:20:00, 20 min de retard :"
        " cavecron était arrêté (25/10 02:40 → 25/10 03:20)",
        "machine : lun. 26/10/2026 02:00 → 10:00, la machine dort (8 h)",
        "weekly_reports : 08:00 manqué : la machine dormait (26/10 02:00 → 26/10 10:00) :"
        " trop tard : 2 h de retard, une heure au plus se rattrape",
        "machine : mer. 28/10/2026 13:00 → 15:00, l’horloge avance de 2 h : ces heures ne passent pas",
        "machine : jeu. 29/10/2026 14:00 → 15:00, l’horloge recule de 1 h : ces heures passent deux fois",
    ]
    assert [row[:3] for row in rows(html) if row[1] in ("cleanup", "weekly_reports")] == [
        ["dim. 25/10/2026 03:00", "cleanup", "rattrapé à 03:20:00, 20 min de retard"],
        ["lun. 26/10/2026 08:00", "weekly_reports", "manqué"],
    ]
    assert verdict(html).startswith("✗ Tout ne serait pas fait : 1 manqué")


@pytest.mark.parametrize(
    ("arguments", "environ", "words"),
    [
        pytest.param((), {}, "✓ Tout se ferait à l’heure", id="nothing happens"),
        pytest.param(
            ("--down", "2026-10-25 02:40/2026-10-25 03:20"),
            {},
            "✓ Rien ne serait perdu",
            id="a slot replayed",
        ),
        pytest.param((), OFF, "Aucun créneau dans cette période", id="no job"),
        pytest.param(("--duration", "2h"), {}, "✗ Tout ne serait pas fait : 2 en échec", id="runs too long"),
        pytest.param(
            ("--suspend", "2026-10-24 12:00/2026-10-31"),
            {},
            "✗ Tout ne serait pas fait : 2 en suspens",
            id="asleep until the end",
        ),
    ],
)
def test_the_first_section_sums_up(
    tmp_path: Path, arguments: tuple[str, ...], environ: dict[str, str], words: str
) -> None:
    """It begins with a sentence that says whether all slots would be done."""
    html = simulation_page(tmp_path, *arguments, **environ)
    assert not flaws(html)
    assert verdict(html).startswith(words)


def test_positions_follow_the_hours_of_a_day_of_25(tmp_path: Path) -> None:
    """03:00 in winter time is after four of 25 hours, and a day of 24 hours is shorter."""
    (cleanup, reports) = pictures(simulation_page(tmp_path))
    (mark,) = cleanup.iter("use")
    assert float(mark.get("x", "").rstrip("%")) == pytest.approx(100 * 4 / 25, abs=0.01)
    widths = [next(lane.iter("rect")).get("width") for lane in (cleanup, reports)]
    assert widths == ["100%", "96%"]


def page_of(slots: Sequence[SlotOutcome], days: int) -> str:
    """Return the page of given outcomes."""
    period = TimeRange(begin=BEGIN, end=BEGIN + timedelta(days=days))
    down = TimeRange(begin=BEGIN + 10 * HOUR, end=BEGIN + 13 * HOUR)
    return page(Scenario(period=period, down=(down,)), slots, PARIS)


def outcomes(step: timedelta, number: int, state: str = "succeeded", *reasons: str) -> list[SlotOutcome]:
    """Return `number` slots with the same outcome."""
    return [
        SlotOutcome(job="probe", slot=BEGIN + index * step, state=state, trigger="slot", reasons=reasons)
        for index in range(number)
    ]


def test_a_minute_job_is_drawn_as_bands() -> None:
    """A month has forty thousand slots: each band tells how many it is, and the page stays small."""
    slots = outcomes(MINUTE, 43_200)
    slots[600:780] = outcomes(MINUTE, 780, "missed", "cavecron était arrêté")[600:]
    html = page_of(slots, 30)
    assert len(html) < 20_000
    assert lanes(html)[1] == (
        "probe : 00:00 → 09:59 600 à l'heure ; 10:00 → 12:59 180 manqués : cavecron était arrêté ;"
        " 13:00 → 23:59 660 à l'heure"
    )
    assert "180 manqués" in verdict(html)
    assert "lun. 02/11/2026 → lun. 30/11/2026 : 41760 créneaux, tous à l’heure" in text_of(read(html))


def test_repeated_slots_share_a_line() -> None:
    """They share a line, although each reason begins with the slot's own time."""
    repeated_slots = [
        replace(slot, reasons=(f"{slot.slot.astimezone(PARIS):%H:%M} a lieu deux fois : la première",))
        for slot in outcomes(5 * MINUTE, 12)
    ]
    html = page_of(repeated_slots, 1)
    assert ["12 à l'heure", "l’heure a lieu deux fois : la première"] in [row[2:] for row in rows(html)]


def test_empty_days_are_one_line(tmp_path: Path) -> None:
    """Days without slots are joined into one line."""
    texts = [
        text_of(line) for line in read(simulation_page(tmp_path)).iter("p") if line.get("class") == "fold"
    ]
    assert texts == ["sam. 24/10/2026 : aucun créneau", "mar. 27/10/2026 → ven. 30/10/2026 : aucun créneau"]


def test_rows_beyond_what_a_page_can_hold_are_counted() -> None:
    """The page says how many rows it leaves out, and which command shows them."""
    slots = [
        replace(slot, state="succeeded" if index % 2 else "missed")
        for index, slot in enumerate(outcomes(HOUR, 1000))
    ]
    html = page_of(slots, 42)
    assert not flaws(html)
    assert "600 autres lignes : cavecron simulate --json les donne toutes." in text_of(read(html))
    assert len(html) < 250_000
