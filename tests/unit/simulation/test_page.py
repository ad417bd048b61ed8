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

#: Cleanup comes at 03:00 on that Sunday, and the clocks go back just before.
PERIOD = ("--from", "2026-10-24", "--days", "7")
OFF = {"SCHEDULER_WEEKLY_REPORT_ENABLED": "0", "SCHEDULER_CLEANUP_ENABLED": "0"}
PARIS = ZoneInfo("Europe/Paris")
#: Midnight in Paris, a month without a clock change ahead.
BEGIN = datetime(2026, 10, 31, 23, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def shown(folder: Path, *arguments: str, **environ: str) -> str:
    """Return the page of a simulation."""
    file = folder / "page.html"
    assert main(["simulate", *PERIOD, *arguments, "--html", "-o", str(file)], environ) == 0
    return file.read_text(encoding="utf-8")


def lanes(html: str) -> list[str]:
    """Return what each lane says to who cannot see it."""
    return [lane.get("aria-label", "") for lane in pictures(html)]


def pictures(html: str) -> list[Element]:
    """Return the lanes, without those of the hours."""
    return [svg for svg in read(html).iter("svg") if svg.get("class") == "lane"]


def verdict(html: str) -> str:
    """Return what stands on top."""
    return next(text_of(part) for part in read(html).iter("section"))


def test_each_trouble_and_each_slot_is_drawn_and_told(tmp_path: Path) -> None:
    """Stopped, asleep, the clock set forward and back; a slot made up for, one missed, and why."""
    html = shown(
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
            ("--down", "2026-10-25 02:40/2026-10-25 03:20"), {}, "✓ Rien ne serait perdu", id="made up for"
        ),
        pytest.param((), OFF, "Aucun créneau dans cette période", id="no job"),
        pytest.param(("--duration", "2h"), {}, "✗ Tout ne serait pas fait : 2 en échec", id="too long"),
        pytest.param(
            ("--suspend", "2026-10-24 12:00/2026-10-31"),
            {},
            "✗ Tout ne serait pas fait : 2 en suspens",
            id="away",
        ),
    ],
)
def test_one_glance_tells(
    tmp_path: Path, arguments: tuple[str, ...], environ: dict[str, str], words: str
) -> None:
    """Whether all would be done."""
    html = shown(tmp_path, *arguments, **environ)
    assert not flaws(html)
    assert verdict(html).startswith(words)


def test_positions_follow_the_hours_of_a_day_of_25(tmp_path: Path) -> None:
    """03:00 in winter time is the fifth hour; an ordinary day is a little shorter."""
    (cleanup, reports) = pictures(shown(tmp_path))
    (mark,) = cleanup.iter("use")
    assert float(mark.get("x", "").rstrip("%")) == pytest.approx(100 * 4 / 25, abs=0.01)
    widths = [next(lane.iter("rect")).get("width") for lane in (cleanup, reports)]
    assert widths == ["100%", "96%"]


def drawn(slots: Sequence[SlotOutcome], days: int) -> str:
    """Return the page of outcomes that nobody had to compute."""
    period = TimeRange(begin=BEGIN, end=BEGIN + timedelta(days=days))
    down = TimeRange(begin=BEGIN + 10 * HOUR, end=BEGIN + 13 * HOUR)
    return page(Scenario(period=period, down=(down,)), slots, PARIS)


def every(step: timedelta, number: int, state: str = "succeeded", *reasons: str) -> list[SlotOutcome]:
    """Return so many slots with the same outcome."""
    return [
        SlotOutcome(job="probe", slot=BEGIN + place * step, state=state, trigger="slot", reasons=reasons)
        for place in range(number)
    ]


def test_a_minute_job_is_drawn_as_bands() -> None:
    """A month has forty thousand slots; the page stays small, and says how many each band is."""
    slots = every(MINUTE, 43_200)
    slots[600:780] = every(MINUTE, 780, "missed", "cavecron était arrêté")[600:]
    html = drawn(slots, 30)
    assert len(html) < 20_000
    assert lanes(html)[1] == (
        "probe : 00:00 → 09:59 600 à l'heure ; 10:00 → 12:59 180 manqués : cavecron était arrêté ;"
        " 13:00 → 23:59 660 à l'heure"
    )
    assert "180 manqués" in verdict(html)
    assert "lun. 02/11/2026 → lun. 30/11/2026 : 41760 créneaux, tous à l’heure" in text_of(read(html))


def test_slots_that_come_twice_are_told_together() -> None:
    """Each has a reason that begins with its own time; they are one line all the same."""
    twice = [
        replace(slot, reasons=(f"{slot.slot.astimezone(PARIS):%H:%M} a lieu deux fois : la première",))
        for slot in every(5 * MINUTE, 12)
    ]
    html = drawn(twice, 1)
    assert ["12 à l'heure", "l’heure a lieu deux fois : la première"] in [row[2:] for row in rows(html)]


def test_empty_days_are_one_line(tmp_path: Path) -> None:
    """Where nothing happens either."""
    folds = [text_of(line) for line in read(shown(tmp_path)).iter("p") if line.get("class") == "fold"]
    assert folds == ["sam. 24/10/2026 : aucun créneau", "mar. 27/10/2026 → ven. 30/10/2026 : aucun créneau"]


def test_rows_beyond_what_a_page_can_hold_are_counted() -> None:
    """And it says where they are."""
    slots = [
        replace(slot, state="succeeded" if place % 2 else "missed")
        for place, slot in enumerate(every(HOUR, 1000))
    ]
    html = drawn(slots, 42)
    assert not flaws(html)
    assert "600 autres lignes : cavecron simulate --json les donne toutes." in text_of(read(html))
    assert len(html) < 250_000
