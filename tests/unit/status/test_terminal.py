"""The status on a terminal: with many outcomes, with none, and with two hundred jobs."""

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from cavecron.ledger.deliveries import DeliveryUpdate
from cavecron.ledger.schedulers import record_start
from cavecron.status.collect import Scope, collect
from cavecron.status.facts import Facts, JobFacts, Problem, SchedulerFacts
from cavecron.status.terminal import ASCII_SIGNS, Signs, screen, signs_for
from tests.support.app_database import NOW, CellarFile
from tests.support.ledgers import HOUR, MINUTE, WEEK
from tests.support.status_ledger import FAILED, SENT, SUCCEEDED, PastReports

REFUSED = DeliveryUpdate(state="failed", error="550 <bob@example.org> inconnu")
EMPTY = Facts(
    version="1", zone=ZoneInfo("Europe/Paris"), now=NOW, database="/data/wine.db", jobs=(),
    scheduler=SchedulerFacts(state="never"),
)  # fmt: skip
GOLDEN = """\
Cave à Vin, lundi 23 novembre 2026 à 08:10 (Europe/Paris)
✓ Planificateur en marche depuis le 2026-11-21 08:00

weekly_reports (envoi des rapports hebdomadaires) : chaque lundi à 08:00
  ✗ 2026-11-23 08:00 échec : créneau, démarré à 08:00:00, retard 0 s, durée 5 s
    Rapports hebdomadaires: 2 envoyés, 1 échecs
    1 échec
    mails : 2 remis, 1 en échec
  prochain créneau : lundi 2026-11-30 08:00, dans 6 j 23 h
  ✓––✓✗

cleanup (nettoyage des anciennes données) : chaque dimanche à 03:00
  Pas encore exécuté
  prochain créneau : dimanche 2026-11-29 03:00, dans 5 j 18 h
  ––––

✓ réussi  ✗ échec ou interrompu  ↻ en cours ou nouvelle tentative  – manqué

À faire :
  weekly_reports : l'exécution du 2026-11-23 08:00 a échoué
      cavecron run weekly_reports --resume
  cleanup : le créneau du 2026-11-22 03:00 a été manqué
      cavecron run cleanup
"""


def rich(cellar: CellarFile) -> Facts:
    """Return the facts of five Mondays: two slots were missed, one was replayed, and the last run failed."""
    past = PastReports(cellar, NOW - 4 * WEEK - HOUR)
    for weeks, late in ((4, 0), (1, 10)):
        past.ran(NOW - weeks * WEEK, SUCCEEDED, {"1": SENT, "2": SENT, "3": SENT}, late=late * MINUTE)
    past.scan_job(NOW - HOUR)
    past.ran(NOW, FAILED, {"1": SENT, "2": SENT, "3": REFUSED})
    record_start(past.ledger, NOW - timedelta(days=2))
    return collect(past.settings, past.jobs, now=NOW + 10 * MINUTE, scope=Scope())


def test_a_rich_past_fits_on_one_screen(cellar: CellarFile) -> None:
    """Past runs, coming slots and what to do fit into 80 columns and 24 lines."""
    lines = list(screen(rich(cellar), Signs()))
    assert "\n".join(lines) + "\n" == GOLDEN
    assert len(lines) <= 24


BRIEF = """\
weekly_reports (envoi des rapports hebdomadaires) : chaque lundi à 08:00
  ✗ 2026-11-23 08:00 échec : créneau, démarré à 08:00:00, retard 0 s, durée 5 s,
    mails : 2 remis, 1 en échec
    1 échec
  ✓––✓✗  -> lundi 2026-11-30 08:00, dans 6 j 23 h
cleanup (nettoyage des anciennes données) : chaque dimanche à 03:00
  Pas encore exécuté
  ––––  -> dimanche 2026-11-29 03:00, dans 5 j 18 h
own_2 (tâche) : chaque jour
  Pas encore exécuté
  désactivé (OWN_2)
"""


def test_more_jobs_than_four_have_three_lines_each(cellar: CellarFile) -> None:
    """Two jobs of one's own beside the built-in ones cost nobody the signs, the mails or the reason."""
    facts = rich(cellar)
    own = JobFacts(name="own", title="tâche", schedule="chaque jour", variable="", enabled=False)
    more = tuple(replace(own, name=f"own_{n}", variable=f"OWN_{n}") for n in range(2, 5))
    text = "\n".join(screen(replace(facts, jobs=(*facts.jobs, *more)), Signs()))
    assert BRIEF in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_narrow_terminal_gets_narrow_lines_and_whole_commands(cellar: CellarFile) -> None:
    """A telephone in the hand; a command that is broken in two cannot be copied."""
    lines = list(screen(rich(cellar), Signs(), 40))
    assert "      cavecron run weekly_reports --resume" in lines
    assert max(len(line) for line in lines if " --resume" not in line) <= 40
    assert "  ✓––✓✗" in lines
    assert not [line for line in lines if line.lstrip().startswith((":", ";"))]


def test_one_command_for_several_problems_is_shown_once() -> None:
    """It helps against all of them."""
    needs = [
        Problem(sentence=sentence, command=command)
        for sentence, command in (("a", "cavecron"), ("b", "cavecron"), ("c", "cavecron check"))
    ]
    lines = list(screen(replace(EMPTY, needs=tuple(needs)), Signs()))
    assert lines[-6:] == ["À faire :", "  a", "  b", "      cavecron", "  c", "      cavecron check"]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "nonsense"])
def test_a_stream_without_the_signs_gets_ascii_ones(encoding: str, cellar: CellarFile) -> None:
    """Question marks in their place would all look the same."""
    signs = signs_for(encoding)
    assert signs == ASCII_SIGNS
    assert "  +--+x" in list(screen(rich(cellar), signs))
    assert signs_for("utf-8") == signs_for(None) == Signs()


@pytest.mark.parametrize(
    ("state", "text"),
    [
        pytest.param("never", "– Aucun planificateur n'a encore démarré sur cette base", id="never"),
        pytest.param("down", "✗ Planificateur arrêté depuis le 2026-11-23 08:00", id="down"),
        pytest.param(
            "unknown",
            "✓ Planificateur démarré le 2026-11-23 08:00 sur nas (invisible d'ici) :"
            " aucun créneau en souffrance",
            id="elsewhere",
        ),
    ],
)
def test_the_state_of_a_scheduler_is_only_what_is_known(state: str, text: str) -> None:
    """A scheduler in another container cannot be seen, so it is not shown as stopped."""
    scheduler = SchedulerFacts(state=state, since=None if state == "never" else NOW, host="nas")  # type: ignore[arg-type]
    lines = list(screen(replace(EMPTY, scheduler=scheduler), Signs()))
    assert " ".join(line.strip() for line in lines[1:]) == text


def test_two_hundred_jobs_have_a_line_each() -> None:
    """Each line has at most 80 columns, whatever the names are, and there is no legend."""
    jobs = tuple(
        JobFacts(
            name=f"job_{number:03}_{'x' * 40}", title="t", schedule="s", variable="V", enabled=number > 0
        )
        for number in range(200)
    )
    lines = list(screen(replace(EMPTY, jobs=jobs), Signs()))
    assert len(lines) == 203
    assert max(len(line) for line in lines) <= 80
    assert lines[3].endswith("-> désactivé")


def test_no_text_of_others_moves_the_cursor_or_breaks_the_width() -> None:
    """Titles of jobs and errors may contain control characters, and may be long."""
    job = JobFacts(
        name="own", title="\x1b[2Jtitre\n" + "mot " * 60, schedule="chaque jour", variable="V", enabled=False
    )
    lines = list(screen(replace(EMPTY, jobs=(job,), trouble="base \x1b]0;x\x07 illisible " * 20), Signs()))
    assert max(len(line) for line in lines) <= 80
    assert all(line.isprintable() for line in lines)
