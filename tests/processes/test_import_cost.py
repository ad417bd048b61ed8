"""Modules that short commands do not load, because `health` runs every five minutes for years."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.commands import cavecron, environment

_PROGRAM = (
    "import sys; from cavecron.cli.main import main; main({!r}, {{}}); print(*sys.modules, file=sys.stderr)"
)


def test_health_loads_no_network_no_cryptography_and_no_event_loop() -> None:
    """Each of these modules takes longer to load than `health` takes for everything else."""
    result = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(["health"])],
        env=environment(COVERAGE_PROCESS_START=""),  # without coverage, which loads many modules
        capture_output=True,
        text=True,
        check=True,
    )
    module_names = set(result.stderr.split())
    assert "cavecron.cli.health" in module_names
    assert not module_names & {
        "asyncio",
        "socket",
        "ssl",
        "hashlib",
        "random",
        "email",
        "smtplib",
        "cryptography",
    }


def test_the_computation_of_a_slot_starts_no_process(tmp_path: Path) -> None:
    """On import, croniter would start the program `file` to find the size of a pointer."""
    program = tmp_path / "file"
    program.write_text(f"#!/bin/sh\ntouch '{tmp_path}/started'\n")
    program.chmod(0o755)
    result = cavecron("next", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert "weekly_reports" in result.out
    assert not (tmp_path / "started").exists()
