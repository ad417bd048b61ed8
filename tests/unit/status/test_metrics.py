"""The metrics: read by Prometheus' own parser and linter, and used by the example rules and dashboard."""

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
    """Return all samples by name and labels, as Prometheus' parser reads them; each has a help text."""
    families = list(text_string_to_metric_families(metrics(facts)))
    assert all(family.type == "gauge" and family.documentation for family in families)
    all_samples = [sample for family in families for sample in family.samples]
    values = {(sample.name, frozenset(sample.labels.items())): sample.value for sample in all_samples}
    assert len(values) == len(all_samples)
    return values


def value_of(values: Samples, name: str, **labels: str) -> float | None:
    """Return the value of one sample, None if there is none."""
    return values.get((f"cavecron_{name}", frozenset(labels.items())))


def test_a_ledger_with_all_kinds_of_runs_has_all_metrics(cellar: CellarFile) -> None:
    """Durations are in seconds and instants in Unix time, as usual in Prometheus."""
    values, job = samples(rich(cellar)), {"job": "weekly_reports"}
    last_week = (NOW - timedelta(days=7) + 10 * MINUTE + timedelta(seconds=5)).timestamp()
    assert value_of(values, "scheduler_up") == 1
    assert value_of(values, "next_slot_timestamp_seconds", **job) == (NOW + timedelta(days=7)).timestamp()
    assert value_of(values, "run_last_success_timestamp_seconds", **job) == last_week
    assert value_of(values, "run_duration_seconds", **job) == 5
    assert value_of(values, "run_lateness_seconds", **job) == 0
    assert [value_of(values, "run_state", **job, state=state) for state in ("succeeded", "failed")] == [0, 1]
    assert [value_of(values, "mails", **job, state=state) for state in ("sent", "failed")] == [2, 1]
    slots = {
        state: value_of(values, "slots", **job, state=state) for state in ("succeeded", "failed", "missed")
    }
    assert slots == {"succeeded": 2, "failed": 1, "missed": 2}
    assert value_of(values, "run_duration_seconds", job="cleanup") is None


def test_values_that_could_not_be_read_are_left_out() -> None:
    """Without a database there are no counts, because 0 would be a false statement."""
    job = JobFacts(name="a", title="", schedule="", variable="", enabled=True)
    values = samples(replace(EMPTY, jobs=(job,), trouble="base introuvable"))
    assert (value_of(values, "database_up"), value_of(values, "scheduler_up")) == (0, 0)
    assert value_of(values, "job_enabled", job="a") == 1
    assert not [name for name, _labels in values if name.startswith(("cavecron_slots", "cavecron_run"))]


def test_the_metric_of_a_backup_is_its_instant() -> None:
    """The metric is the instant of the backup, from which Prometheus computes its age."""
    backup = BackupFacts(made=NOW, age=timedelta(), path="/data/backups/wine.sqlite")
    assert value_of(samples(replace(EMPTY, backup=backup)), "backup_timestamp_seconds") == NOW.timestamp()


def test_labels_are_escaped() -> None:
    """Quotes, backslashes and line breaks in a label value are escaped."""
    odd = 'a"b\\c\nd'
    assert value_of(samples(replace(EMPTY, version=odd)), "build_info", version=odd) == 1


def test_the_linter_of_prometheus_finds_no_problem(cellar: CellarFile) -> None:
    """Names, units and help texts follow Prometheus' conventions."""
    facts = replace(rich(cellar), backup=BackupFacts(made=NOW, age=timedelta(), path=""))
    result = promtool("check", "metrics", text=metrics(facts))
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert promtool("check", "metrics", text="# TYPE a_total gauge\na_total 1\n").returncode != 0


def test_the_example_rules_are_read_by_prometheus() -> None:
    """Prometheus accepts all six rules."""
    result = promtool("check", "rules", str(EXAMPLES / "alerts.yml"))
    assert (result.returncode, "SUCCESS: 6 rules found" in result.stdout) == (0, True)


def test_the_examples_use_existing_metrics(cellar: CellarFile) -> None:
    """A rule or panel on a metric that does not exist would never show anything."""
    facts = replace(rich(cellar), backup=BackupFacts(made=NOW, age=timedelta(), path=""))
    names = {name for name, _labels in samples(facts)}
    rules = yaml.safe_load((EXAMPLES / "alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    panels = json.loads((EXAMPLES / "grafana.json").read_text(encoding="utf-8"))["panels"]
    queries = [rule["expr"] for rule in rules]
    queries += [target["expr"] for panel in panels for target in panel["targets"]]
    used = {name for query in queries for name in re.findall(r"cavecron_\w+", query)}
    assert used
    assert not used - names


def test_the_dashboard_has_the_structure_that_grafana_reads() -> None:
    """Panels do not overlap in the grid of 24 columns, and use the data source that a person chooses."""
    board = json.loads((EXAMPLES / "grafana.json").read_text(encoding="utf-8"))
    assert {"uid", "title", "schemaVersion", "panels", "templating", "time"} <= set(board)
    assert [variable["type"] for variable in board["templating"]["list"]] == ["datasource"]
    occupied: set[tuple[int, int]] = set()
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
        assert not cells & occupied
        occupied |= cells
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
