"""`cavecron simulate`: the real scheduler on a simulated clock."""

import json

import pytest

from cavecron.cli.main import main

#: The cleanup's slot is 03:00 on that Sunday, just after the clocks went back.
SUNDAY = ("--from", "2026-10-24", "--days", "7")
OFF = {"SCHEDULER_WEEKLY_REPORT_ENABLED": "0", "SCHEDULER_CLEANUP_ENABLED": "0"}


def simulate(
    capsys: pytest.CaptureFixture[str], *arguments: str, **environ: str
) -> list[tuple[str, str, str, float]]:
    """Return local time, state, trigger and lateness of each slot of a simulation."""
    assert (
        main(["simulate", *SUNDAY, *arguments, "--json"], {"DATABASE_URL": "sqlite:////nowhere", **environ})
        == 0
    )
    outcomes = json.loads(capsys.readouterr().out)
    return [
        (outcome["local"][5:16], outcome["state"], outcome["trigger"], outcome["late"])
        for outcome in outcomes
    ]


def only_cleanup(cron: str) -> dict[str, str]:
    """Return the variables with which only the cleanup is enabled, with this schedule."""
    return {**OFF, "SCHEDULER_CLEANUP_ENABLED": "1", "SCHEDULER_CLEANUP_CRON": cron}


def test_the_example_of_the_help_has_its_outcome_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    """The output says when, what and why, and is the same for each call."""
    example = ["simulate", *SUNDAY, "--down", "2026-10-25 02:40/2026-10-25 03:20"]
    assert main(example, {}) == 0
    output = capsys.readouterr().out
    assert output == (
        "Simulation, sam. 2026-10-24 00:00+02:00 → sam. 2026-10-31 00:00+01:00 (7 j 1 h), fuseau"
        " Europe/Paris : rien n'est exécuté.\n"
        "  arrêt    dim. 2026-10-25 02:40+02:00 → dim. 2026-10-25 03:20+01:00 (1 h 40 min)\n"
        "\n"
        "dim. 2026-10-25 03:00+01:00  cleanup         rattrapé à 03:20:00, 20 min de retard\n"
        "    cavecron était arrêté (25/10 02:40 → 25/10 03:20)\n"
        "lun. 2026-10-26 08:00+01:00  weekly_reports  à l'heure\n"
        "\n"
        "2 créneaux : 1 rattrapé, 1 à l'heure\n"
    )
    assert main(example, {}) == 0
    assert capsys.readouterr().out == output


@pytest.mark.parametrize(
    ("arguments", "cleanup"),
    [
        pytest.param((), ("succeeded", "slot", 0), id="nothing happens"),
        pytest.param(
            ("--down", "2026-10-25 02:30+01:00/2026-10-25 03:59:59"),
            ("succeeded", "replay", 3599),
            id="down for less than an hour after the slot",
        ),
        pytest.param(
            ("--down", "2026-10-25 02:30+01:00/2026-10-25 04:00"),
            ("missed", "slot", 0),
            id="down for an hour",
        ),
        pytest.param(
            ("--suspend", "2026-10-25 02:30+01:00/2026-10-25 03:10"),
            ("succeeded", "replay", 630),
            id="asleep: the timer's half minute goes on when it wakes",
        ),
        pytest.param(
            ("--suspend", "2026-10-24 22:00/2026-10-25 07:00"), ("missed", "slot", 0), id="asleep all night"
        ),
        pytest.param(
            ("--clock", "2026-10-25 02:45+01:00 +30m"),
            ("succeeded", "replay", 930),
            id="the clock goes forward over the slot",
        ),
        pytest.param(
            ("--clock", "2026-10-25 02:00+01:00 +2h"),
            ("missed", "slot", 0),
            id="the clock goes forward by hours",
        ),
        pytest.param(
            ("--clock", "2026-10-25 03:30 -1h"),
            ("succeeded", "slot", 0),
            id="the clock goes back over the slot",
        ),
        pytest.param(
            ("--suspend", "2026-10-25 02:00/2026-10-31"), ("pending", "slot", 0), id="asleep until the end"
        ),
        pytest.param(("--duration", "1h30m"), ("failed", "slot", 0), id="the run lasts longer than it may"),
    ],
)
def test_each_trouble_has_its_outcome(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], cleanup: tuple[str, str, float]
) -> None:
    """The outcome follows from the rules of the scheduler, which runs unchanged on the simulated clock."""
    assert simulate(capsys, *arguments)[0] == ("10-25T03:00", *cleanup)


def test_missed_slots_have_an_entry_each(capsys: pytest.CaptureFixture[str]) -> None:
    """Each has an entry, although the ledger has one row for all; only the latest one is replayed."""
    slots = simulate(
        capsys, "--days", "1", "--down", "2026-10-24 09:30/2026-10-24 12:30", **only_cleanup("0 8-13 * * *")
    )
    assert [(at, state, trigger) for at, state, trigger, _late in slots] == [
        ("10-24T08:00", "succeeded", "slot"),
        ("10-24T09:00", "succeeded", "slot"),
        ("10-24T10:00", "missed", "slot"),
        ("10-24T11:00", "missed", "slot"),
        ("10-24T12:00", "succeeded", "replay"),
        ("10-24T13:00", "succeeded", "slot"),
    ]


def test_a_run_that_is_cut_off_is_taken_up_again(capsys: pytest.CaptureFixture[str]) -> None:
    """It is resumed within its hour, and the number of attempts is shown."""
    stop = ("--duration", "10m", "--down", "2026-10-25 03:05/2026-10-25 03:20")
    assert main(["simulate", *SUNDAY, *stop], {}) == 0
    output = capsys.readouterr().out
    assert "cleanup         à l'heure\n    interrompu et repris : 2 tentatives" in output


def test_a_long_run_delays_the_next_slots(capsys: pytest.CaptureFixture[str]) -> None:
    """The reason of a missed or late slot is that the run before was still running."""
    environ = only_cleanup("0 8-10 * * *") | {"SCHEDULER_CLEANUP_TIMEOUT": "86400"}
    assert main(["simulate", *SUNDAY, "--days", "1", "--duration", "150m"], environ) == 0
    output = capsys.readouterr().out
    assert "10-24 09:00+02:00  cleanup  manqué\n    l'exécution précédente durait encore" in output
    assert "rattrapé à 10:30:00, 30 min de retard\n    l'exécution précédente durait encore" in output


def test_a_clock_change_is_a_note_at_its_slot(capsys: pytest.CaptureFixture[str]) -> None:
    """The note on a slot is the same as that of `cavecron next`."""
    assert main(["simulate", "--from", "2027-03-27", "--days", "2"], only_cleanup("30 2 * * *")) == 0
    assert "l'heure de printemps saute 02:30 : à 03:00" in capsys.readouterr().out


def test_a_simulated_run_sends_no_ping_and_no_alert(capsys: pytest.CaptureFixture[str]) -> None:
    """A request would be refused, and the failure would be logged on standard error."""
    variables = {"SCHEDULER_CLEANUP_PING_URL": "http://127.0.0.1:9/x", "CAVECRON_ALERT_TO": "me@example.org"}
    assert simulate(capsys, "--duration", "2h", **variables)[0][1] == "failed"
    assert capsys.readouterr().err == ""


def test_a_period_without_slots_has_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    """Disabled jobs are named with their variable."""
    assert main(["simulate", *SUNDAY], OFF) == 0
    output = capsys.readouterr().out
    assert "cleanup : désactivé (SCHEDULER_CLEANUP_ENABLED)" in output
    assert output.endswith("Aucun créneau dans cette période.\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--days", "0"), "--days '0' : un nombre de 1 à 366 est attendu"),
        (("--days", "367"), "un nombre de 1 à 366"),
        (("--from", "demain"), "--from 'demain' : un instant ISO 8601 est attendu"),
        (("--from", "2201-12-31"), "--from '2201-12-31' : un instant de 2020 à 2200 est attendu"),
        (("--down", "2026-10-25 02:40"), "DÉBUT/FIN est attendu"),
        (("--down", "2026-10-25 03:40/2026-10-25 03:20"), "la fin doit suivre le début"),
        (("--down", "2026-10-25/bientôt"), "--down 'bientôt' : un instant"),
        (("--down", "2026-12-25/2026-12-26"), "doivent tomber dans la période simulée"),
        (
            ("--down", "2026-10-25 01:00/2026-10-25 05:00", "--suspend", "2026-10-25 04:00/2026-10-25 06:00"),
            "se chevauchent",
        ),
        (("--clock", "2026-10-25 02:40"), "INSTANT et écart sont attendus"),
        (("--clock", "2026-10-25 +2"), "une durée est attendue, comme 90s, 10m"),
        (("--clock", "+2h"), "INSTANT et écart sont attendus"),
        (("--clock", ""), "INSTANT et écart sont attendus"),
        (("--clock", "2026-10-25 +999999j"), "366 jours au plus"),
        (("--duration", "longtemps"), "--duration 'longtemps' : une durée est attendue"),
        (("--duration", "-5m"), "une durée est attendue"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_argument_is_an_error_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    """The exit code is 2, and the message says what is expected."""
    options = [f"{name}={value}" for name, value in zip(arguments[::2], arguments[1::2], strict=True)]
    assert main(["simulate", *SUNDAY, *options], {}) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
