"""The page and the metrics as files for a web server and node_exporter, readable by everybody."""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cavecron.atomic_file import PUBLIC, write_file
from cavecron.config.settings import Settings
from cavecron.errors import CavecronError, reason
from cavecron.jobs.job import Job
from cavecron.status.collect import collect
from cavecron.status.html import page
from cavecron.status.metrics import metrics

_PAGE, _METRICS = "status.html", "cavecron.prom"


def write_files(folder: Path, settings: Settings, jobs: Sequence[Job], *, now: datetime) -> None:
    """Collect the facts at `now` (aware), and write the page and the metrics into `folder`, without names.

    Raises:
        CavecronError: a file cannot be written.

    """
    if not os.path.isdir(folder):
        raise CavecronError(f"{folder} n'est pas un dossier, ou n'existe pas : le créer")
    facts = collect(settings, jobs, now=now)
    problems = []
    for name, text in ((_PAGE, page(facts)), (_METRICS, metrics(facts))):
        path = folder / name
        try:
            write_file(path, text.encode("utf-8", "replace"), mode=PUBLIC)
        except OSError as error:
            problems.append(f"{path} n'a pu être écrit ({reason(error)})")
    if problems:
        raise CavecronError(" ; ".join(problems))
