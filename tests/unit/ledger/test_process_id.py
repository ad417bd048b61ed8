"""Whether the owner of a run is dead: only a process that was killed is known to be."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping

import pytest

from cavecron.ledger.process_id import describe_owner, is_alive, is_dead, process_token
from cavecron.ledger.runs import claim_manual
from cavecron.ledger.store import Ledger
from tests.support.app_database import NOW, CellarFile
from tests.support.commands import ROOT, environment
from tests.support.ledgers import MINUTE, WAITING, scan_job

_PRINT_TOKEN = (
    "from cavecron.ledger.process_id import process_token; print(process_token(), flush=True); input()"
)


def test_a_killed_process_is_gone() -> None:
    """A process is dead from its kill on, even before its parent has waited for it, and not before."""
    command = [sys.executable, "-c", _PRINT_TOKEN]
    with subprocess.Popen(
        command, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        name = process.stdout.readline().strip()
        assert not is_dead(name)
        process.kill()
        limit = time.monotonic() + 10
        while not is_dead(name):
            assert time.monotonic() < limit
    assert is_dead(name)


def test_this_process_is_not_dead() -> None:
    """A process that runs is not dead, and each call returns a different token for it."""
    assert not is_dead(process_token())
    assert process_token() != process_token()


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param({"machine": "another-boot"}, id="another boot or container"),
        pytest.param({"machine": ""}, id="a system without an identity of the boot"),
        pytest.param({"process": "x"}, id="a process id that is no number"),
    ],
)
def test_a_process_that_cannot_be_seen_is_not_known_to_be_dead(parts: Mapping[str, str]) -> None:
    """A process of another machine or boot is not known to be dead; its lease decides."""
    host, process, machine, started, token = process_token().split(":")
    values = {"process": process, "machine": machine} | dict(parts)
    assert not is_dead(f"{host}:{values['process']}:{values['machine']}:{int(started) + 1}:{token}")


@pytest.mark.parametrize("name", ["", "nas", "nas:1", "::::", "nas:1:2:3:4:5"])
def test_an_edited_owner_is_not_known_to_be_dead(name: str) -> None:
    """An owner that somebody wrote into the table is shown unchanged, and its lease decides."""
    assert not is_dead(name)
    assert describe_owner(name)


def test_a_run_of_a_killed_process_is_resumed_at_once(cellar: CellarFile) -> None:
    """The run is resumed before its lease expires, because its owner is known to be dead."""
    ledger = Ledger(database=cellar.database)
    host, process, machine, started, token = ledger.owner.split(":")
    dead = Ledger(database=cellar.database, owner=f"{host}:{process}:{machine}:{int(started) - 1}:{token}")
    assert scan_job(dead, NOW, eager=True).claim
    resumed = scan_job(ledger, NOW + MINUTE / 10, state=WAITING).claim
    assert resumed
    assert resumed.attempt == 2
    assert claim_manual(dead, "another", (), NOW)
    assert claim_manual(ledger, "another", (), NOW)


_PRINT_STATE = (
    "import sys; from cavecron.ledger.process_id import is_alive, is_dead;"
    " print(is_dead(sys.argv[1]), is_alive(sys.argv[1]))"
)


def state_seen_by_another_user(name: str, options: str) -> str:
    """Return what `is_dead` and `is_alive` say to another user, with `options` for the mount of /proc."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("mounting needs root")
    # Python and the source can be in folders that another user cannot read.
    mounts = f'mount --bind "{sys.base_prefix}" /mnt && mount --bind "{ROOT}" /srv'
    user = "setpriv --reuid 65534 --regid 65534 --clear-groups"
    script = f'{mounts} && mount -t proc -o {options} proc /proc && exec {user} "$@"'
    python = f"/mnt/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
    result = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", python, "-c", _PRINT_STATE, name],
        env=environment(PYTHONPATH="/srv", LD_LIBRARY_PATH="/mnt/lib"),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "mount:" in result.stderr:
        pytest.skip(f"/proc cannot be mounted here: {result.stderr}")
    return result.stdout.strip() or result.stderr


@pytest.mark.parametrize("options", ["hidepid=1", "hidepid=2", "subset=pid", "hidepid=2,subset=pid"])
def test_a_process_that_proc_hides_is_neither_dead_nor_alive(options: str) -> None:
    """A run of another user must not count as dead only because its process is hidden."""
    assert state_seen_by_another_user(process_token(), options) == "False False"


def test_a_process_that_has_ended_is_known_to_be_dead_although_proc_hides_others() -> None:
    """The kernel tells every user that a process does not exist."""
    command = [sys.executable, "-c", _PRINT_TOKEN]
    result = subprocess.run(
        command, env=environment(), input="\n", capture_output=True, text=True, check=True
    )
    assert state_seen_by_another_user(result.stdout.strip(), "hidepid=2") == "True False"


def test_a_process_that_runs_is_known_to_be_alive() -> None:
    """A process that got the same number later is not the one that runs."""
    host, process, machine, started, token = process_token().split(":")
    assert is_alive(process_token())
    assert not is_alive(f"{host}:{process}:{machine}:{int(started) + 1}:{token}")
    assert not is_alive("nas:1:another:2:3")
