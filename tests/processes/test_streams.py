"""Closed, full and broken standard streams: they do not turn a run that was done into a failure."""

import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.app_database import CellarFile
from tests.support.commands import ROOT, environment
from tests.support.daemons import daemon

if not Path("/dev/full").exists():
    pytest.skip("there is no /dev/full", allow_module_level=True)

JOBS = '''
from cavecron import job

@job("hop", title="hop")
def hop(run):
    """Is done at once."""
    return "fait"

@job("steps", title="pas à pas")
def steps(run):
    """Works until it is told to stop."""
    from threading import Event
    print("j'y suis", flush=True)
    while True:
        run.check()
        Event().wait(0.05)
'''
REDIRECTIONS = (
    ">/dev/null 2>&-",
    ">&-",
    "2>&-",
    ">&- 2>&-",
    "<&- >&- 2>&-",
    ">/dev/full",
    "2>/dev/full",
    ">/dev/full 2>&1",
    "| true",
)


def variables(cellar: CellarFile) -> dict[str, str]:
    """Return the variables of a job of one's own, mails going to a folder."""
    jobs = cellar.path.with_name("mine.py")
    jobs.write_text(JOBS, encoding="utf-8")
    return {
        "DATABASE_URL": f"sqlite:///{cellar.path}",
        "CAVECRON_JOBS": str(jobs),
        "CAVECRON_MAIL": f"maildir:{cellar.path.with_name('box')}",
    }


def shell(cellar: CellarFile, arguments: str, redirection: str) -> "subprocess.CompletedProcess[str]":
    """Have a shell start a command; its exit code is the command's, not that of the end of a pipe."""
    command = f"{shlex.quote(sys.executable)} -m cavecron {arguments}"
    line = (
        f"{{ {command}; echo code=$? >&3; }} {redirection}"
        if "|" in redirection
        else (f"{command} {redirection}; echo code=$? >&3")
    )
    return subprocess.run(
        ["sh", "-c", f"exec 3>&1; {line}"],
        env=environment(**variables(cellar)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "redirection"),
    [
        *(("run hop", redirection) for redirection in REDIRECTIONS),
        *(("run hop --json", redirection) for redirection in REDIRECTIONS[-2:]),
        *(("run weekly_reports", redirection) for redirection in REDIRECTIONS[-2:]),
    ],
)
def test_a_job_is_done_whatever_becomes_of_what_it_says(
    cellar: CellarFile, arguments: str, redirection: str
) -> None:
    """Its outcome is the exit code, and nothing complains."""
    cellar.user("marie")
    done = shell(cellar, arguments, redirection)
    assert "code=0" in done.stdout
    assert "Traceback" not in done.stderr
    assert "Logging error" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert cellar.rows("SELECT state FROM cavecron_run") == [("succeeded",)]


@pytest.mark.parametrize("arguments", ["next", "next -n 300", "history"])
def test_a_listing_that_cannot_be_written_is_told(cellar: CellarFile, arguments: str) -> None:
    """The disk is full."""
    shell(cellar, "run hop", "")
    done = shell(cellar, arguments, ">/dev/full")
    assert "code=1" in done.stdout
    assert done.stderr == "cavecron : la sortie n'a pu être écrite : disque plein\n"


@pytest.mark.parametrize(
    ("arguments", "redirection"),
    [
        *((arguments, "| true") for arguments in ("next -n 300", "history", "run nope")),
        *((arguments, ">&- 2>&-") for arguments in ("next -n 300", "run nope")),
        *(("run nope", redirection) for redirection in ("2>/dev/full", "2>&-")),
    ],
)
def test_a_reader_that_leaves_ends_a_listing_quietly(
    cellar: CellarFile, arguments: str, redirection: str
) -> None:
    """No traceback."""
    done = shell(cellar, arguments, redirection)
    assert "code=" in done.stdout
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_terminal_that_is_closed_stops_a_run(cellar: CellarFile) -> None:
    """As SIGTERM does: its end is in the ledger."""
    with daemon(variables(cellar), program=("cavecron", "run", "steps")) as running:
        running.wait_for("j'y suis")
        for _number in range(2):  # shells and kernels send several
            running.process.send_signal(signal.SIGHUP)
        running.wait_for("Job steps interrompu : arrêt demandé")
        assert running.process.wait(20) == 1
    assert cellar.rows("SELECT state FROM cavecron_run") == [("interrupted",)]


def test_whoever_was_started_by_nohup_goes_on(cellar: CellarFile) -> None:
    """Closing the terminal is what it was made for."""
    with daemon(variables(cellar), program=("cavecron", "run", "steps"), prefix=("nohup",)) as running:
        running.wait_for("j'y suis")
        running.process.send_signal(signal.SIGHUP)
        running.process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            running.process.wait(0.7)
        assert running.stop()[0] == 1


def test_ctrl_c_while_modules_load_is_no_traceback(cellar: CellarFile) -> None:
    """A person who presses it at once reads one line."""
    slow = cellar.path.with_name("slow.py")
    slow.write_text("import time\nprint('je charge', flush=True)\ntime.sleep(30)\n", encoding="utf-8")
    with daemon(
        {**variables(cellar), "CAVECRON_JOBS": "slow", "PYTHONPATH": f"{slow.parent}:{ROOT}"}
    ) as running:
        running.wait_for("je charge")
        code, _seconds = running.stop(signal.SIGINT)
    assert code == 130
    assert running.lines[-1] == "cavecron : interrompu"
    assert not [line for line in running.lines if "Traceback" in line]
