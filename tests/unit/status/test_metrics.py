"""The metrics: read by Prometheus' own parser and linter, and as a page of rules and panels uses them."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from cavecron.status.facts import BackupFacts, Facts, JobFacts
from cavecron.status.metrics import metrics
from tests.support.app_database import NOW, CellarFile
from tests.support.commands import ROOT
from tests.support.ledgers import MINUTE
from tests.unit.status.test_terminal import EMPTY, rich

EXAMPLES = ROOT / "examples" / "monitoring"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def promtool(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run Prometheus' own checker."""
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (it is in Debian's package prometheus)")
    return subprocess.run(
        ["promtool", *arguments], input=text, capture_output=True, text=True, check=False, timeout=60
    )


def samples(facts: Facts) -> Samples:
    """Return what Prometheus' parser reads, by name and labels; every family says its type and its help."""
    families = list(text_string_to_metric_families(metrics(facts)))
    assert all(family.type == "gauge" and family.documentation for family in families)
    read = [sample for family in families for sample in family.samples]
    found = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in read}
    assert len(found) == len(read)
    return found


def one(read: Samples, name: str, **labels: str) -> float | None:
    """Return one sample."""
    return read.get((f"cavecron_{name}", frozenset(labels.items())))


def test_a_rich_past_is_told_in_numbers(cellar: CellarFile) -> None:
    """Seconds and Unix time, as Prometheus has them."""
    read, job = samples(rich(cellar)), {"job": "weekly_reports"}
    last_week = (NOW - timedelta(days=7) + 10 * MINUTE + timedelta(seconds=5)).timestamp()
    assert one(read, "scheduler_up") == 1
    assert one(read, "next_slot_timestamp_seconds", **job) == (NOW + timedelta(days=7)).timestamp()
    assert one(read, "run_last_success_timestamp_seconds", **job) == last_week
    assert one(read, "run_duration_seconds", **job) == 5
    assert one(read, "run_lateness_seconds", **job) == 0
    assert [one(read, "run_state", **job, state=state) for state in ("succeeded", "failed")] == [0, 1]
    assert [one(read, "mails", **job, state=state) for state in ("sent", "failed")] == [2, 1]
    slots = {state: one(read, "slots", **job, state=state) for state in ("succeeded", "failed", "missed")}
    assert slots == {"succeeded": 2, "failed": 1, "missed": 2}
    assert one(read, "run_duration_seconds", job="cleanup") is None


def test_what_could_not_be_read_is_said_and_nothing_else() -> None:
    """A zero would be a statement."""
    job = JobFacts(name="a", title="", schedule="", variable="", enabled=True)
    read = samples(replace(EMPTY, jobs=(job,), trouble="base introuvable"))
    assert (one(read, "database_up"), one(read, "scheduler_up")) == (0, 0)
    assert one(read, "job_enabled", job="a") == 1
    assert not [name for name, _labels in read if name.startswith(("cavecron_slots", "cavecron_run"))]


def test_a_backup_is_told_by_its_instant() -> None:
    """Its age is the reader's to compute."""
    backup = BackupFacts(made=NOW, age=timedelta(), path="/data/backups/wine.sqlite")
    assert one(samples(replace(EMPTY, backup=backup)), "backup_timestamp_seconds") == NOW.timestamp()


def test_labels_are_escaped() -> None:
    """A version or a name is data."""
    odd = 'a"b\\c\nd'
    assert one(samples(replace(EMPTY, version=odd)), "build_info", version=odd) == 1


def test_prometheus_finds_nothing_to_say(cellar: CellarFile) -> None:
    """Names, units and help, by its linter."""
    facts = replace(rich(cellar), backup=BackupFacts(made=NOW, age=timedelta(), path=""))
    checked = promtool("check", "metrics", text=metrics(facts))
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    assert promtool("check", "metrics", text="# TYPE a_total gauge\na_total 1\n").returncode != 0


def test_the_example_rules_are_read_by_prometheus() -> None:
    """And each says what it is about and what to do."""
    checked = promtool("check", "rules", str(EXAMPLES / "alerts.yml"))
    assert (checked.returncode, "SUCCESS: 5 rules found" in checked.stdout) == (0, True)


def test_the_examples_use_metrics_that_there_are(cellar: CellarFile) -> None:
    """A rule on a name that is not there never fires."""
    facts = replace(rich(cellar), backup=BackupFacts(made=NOW, age=timedelta(), path=""))
    known = {name for name, _labels in samples(facts)}
    rules = yaml.safe_load((EXAMPLES / "alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    panels = json.loads((EXAMPLES / "grafana.json").read_text(encoding="utf-8"))["panels"]
    asked = [rule["expr"] for rule in rules]
    asked += [target["expr"] for panel in panels for target in panel["targets"]]
    used = {name for query in asked for name in re.findall(r"cavecron_\w+", query)}
    assert used
    assert not used - known


def test_the_dashboard_has_the_structure_that_grafana_reads() -> None:
    """Panels in a grid of 24 columns that do not overlap, each on the data source that a person chooses."""
    board = json.loads((EXAMPLES / "grafana.json").read_text(encoding="utf-8"))
    assert {"uid", "title", "schemaVersion", "panels", "templating", "time"} <= set(board)
    assert [variable["type"] for variable in board["templating"]["list"]] == ["datasource"]
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        assert panel["type"] in ("stat", "timeseries")
        assert panel["title"]
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
        place = panel["gridPos"]
        cells = {
            (place["x"] + column, place["y"] + row)
            for column in range(place["w"])
            for row in range(place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken
        taken |= cells
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
