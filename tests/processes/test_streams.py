"""Closed, full and broken standard streams do not turn a successful run into a failure."""

import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.app_database import CellarFile
from tests.support.commands import ROOT, cavecron, environment
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
    """Works until it is stopped."""
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
#: What argparse prints before it ends the process.
ANSWERS = ("--help", "--version", "run --help")


def variables(cellar: CellarFile) -> dict[str, str]:
    """Return the variables of a process with custom jobs and a folder for mails."""
    jobs = cellar.path.with_name("mine.py")
    jobs.write_text(JOBS, encoding="utf-8")
    return {
        "DATABASE_URL": f"sqlite:///{cellar.path}",
        "CAVECRON_JOBS": str(jobs),
        "CAVECRON_MAIL": f"maildir:{cellar.path.with_name('box')}",
    }


def shell(
    cellar: CellarFile, arguments: str, redirection: str, **more: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command in a shell; its exit code is printed, and not that of the end of a pipe."""
    command = f"{shlex.quote(sys.executable)} -m cavecron {arguments}"
    line = (
        f"{{ {command}; echo code=$? >&3; }} {redirection}"
        if "|" in redirection
        else (f"{command} {redirection}; echo code=$? >&3")
    )
    return subprocess.run(
        ["sh", "-c", f"exec 3>&1; {line}"],
        env=environment(**variables(cellar), **more),
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
def test_a_run_succeeds_although_its_output_cannot_be_written(
    cellar: CellarFile, arguments: str, redirection: str
) -> None:
    """The exit code is that of the run, and there is no message about the stream."""
    cellar.user("marie")
    result = shell(cellar, arguments, redirection)
    assert "code=0" in result.stdout
    assert "Traceback" not in result.stderr
    assert "Logging error" not in result.stderr
    assert "Exception ignored" not in result.stderr
    assert cellar.rows("SELECT state FROM cavecron_run") == [("succeeded",)]


@pytest.mark.parametrize("arguments", ["next", "next -n 300", "history", "--help", "--version"])
def test_a_listing_that_cannot_be_written_is_an_error(cellar: CellarFile, arguments: str) -> None:
    """A full disk is an error with exit code 1 and one line."""
    shell(cellar, "run hop", "")
    result = shell(cellar, arguments, ">/dev/full")
    assert "code=1" in result.stdout
    assert result.stderr == "cavecron : la sortie n'a pu être écrite : disque plein\n"


@pytest.mark.parametrize(
    ("arguments", "redirection"),
    [
        *((arguments, "| true") for arguments in ("next -n 300", "history", "run nope", *ANSWERS)),
        *((arguments, ">&- 2>&-") for arguments in ("next -n 300", "run nope")),
        *(("run nope", redirection) for redirection in ("2>/dev/full", "2>&-")),
    ],
)
def test_a_reader_that_leaves_ends_a_listing_quietly(
    cellar: CellarFile, arguments: str, redirection: str
) -> None:
    """A listing ends without a traceback when its reader closes the pipe."""
    result = shell(cellar, arguments, redirection)
    assert "code=" in result.stdout
    assert "Traceback" not in result.stderr
    assert "Exception ignored" not in result.stderr


def test_all_units_are_written_although_their_names_cannot_be_printed(cellar: CellarFile) -> None:
    """All unit files exist although standard output is full, also where each line is written at once."""
    folder = cellar.path.with_name("units")
    arguments = f"export systemd -o {shlex.quote(str(folder))}"
    result = shell(cellar, arguments, ">/dev/full", PYTHONUNBUFFERED="1")
    assert "code=1" in result.stdout
    assert len(list(folder.iterdir())) == 8  # a service and a timer for each of four jobs


def test_a_terminal_that_is_closed_stops_a_run(cellar: CellarFile) -> None:
    """SIGHUP stops the run as SIGTERM does, and its end is recorded."""
    with daemon(variables(cellar), program=("cavecron", "run", "steps")) as process:
        process.wait_for("j'y suis")
        for _number in range(2):  # shells and kernels may send several signals
            process.process.send_signal(signal.SIGHUP)
        process.wait_for("Job steps interrompu : arrêt demandé")
        assert process.process.wait(20) == 1
    assert cellar.rows("SELECT state FROM cavecron_run") == [("interrupted",)]


def test_a_run_started_by_nohup_goes_on(cellar: CellarFile) -> None:
    """A process started by `nohup` ignores SIGHUP."""
    with daemon(variables(cellar), program=("cavecron", "run", "steps"), prefix=("nohup",)) as process:
        process.wait_for("j'y suis")
        process.process.send_signal(signal.SIGHUP)
        process.process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.process.wait(0.7)
        assert process.stop()[0] == 1


def test_ctrl_c_while_modules_load_is_no_traceback(cellar: CellarFile) -> None:
    """Ctrl-C right after the start prints one line."""
    slow = cellar.path.with_name("slow.py")
    slow.write_text("import time\nprint('je charge', flush=True)\ntime.sleep(30)\n", encoding="utf-8")
    with daemon(
        {**variables(cellar), "CAVECRON_JOBS": "slow", "PYTHONPATH": f"{slow.parent}:{ROOT}"}
    ) as process:
        process.wait_for("je charge")
        code, _seconds = process.stop(signal.SIGINT)
    assert code == 130
    assert process.lines[-1] == "cavecron : interrompu"
    assert not [line for line in process.lines if "Traceback" in line]


def test_ctrl_c_while_the_first_modules_load_is_no_traceback(tmp_path: Path) -> None:
    """The signal comes while the first of cavecron's own modules is searched, before any command."""
    tmp_path.joinpath("sitecustomize.py").write_text(
        "import signal, sys\n"
        "class CtrlC:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'cavecron.text':\n"
        "            signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, CtrlC())\n",
        encoding="utf-8",
    )
    done = cavecron("next", PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert (done.code, done.out, done.err) == (130, "", "cavecron : interrompu\n")
