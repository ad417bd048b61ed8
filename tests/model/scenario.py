"""The scenario of one seed: the configuration of its jobs, and the events with their times."""

import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from cavecron.cli import log
from cavecron.schedule import next_slot
from cavecron.simulation.machine import SimulatedMachine, loop_of
from tests.model.instances import Instance
from tests.model.scenario_builder import ScenarioBuilder
from tests.model.simulation import Simulation

EVENT_COUNT = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationResult:
    """The result of a scenario: its simulated seconds, and the broken promises."""

    seconds: float
    violations: list[BaseException]


def _last_start(simulation: Simulation) -> None:
    for instance in simulation.instances.values():
        instance.process.kill_at_statement(-1)
    _at_least(simulation, 1)


def _at_least(simulation: Simulation, daemons: int) -> None:
    while len(simulation.daemons()) < daemons:
        simulation.start_daemon()


def _start(builder: ScenarioBuilder) -> None:
    builder.add_event("start", lambda: _at_least(builder.simulation, builder.scheduler_count))


def _stop(builder: ScenarioBuilder) -> None:
    builder.add_event("stop", lambda: _each(builder, Instance.stop))


def _kill(builder: ScenarioBuilder) -> None:
    builder.add_event("kill", lambda: _each(builder, lambda instance: instance.process.kill()))


def _each(builder: ScenarioBuilder, act: Callable[[Instance], None]) -> None:
    for instance in list(builder.simulation.instances.values()):
        act(instance)


def _kill_one(builder: ScenarioBuilder) -> None:
    chance = builder.generator.random()

    def kill() -> None:
        instances = list(builder.simulation.instances.values())
        if instances:
            instances[int(chance * len(instances))].process.kill()

    builder.add_event("kill one", kill)


def _kill_at_statement(builder: ScenarioBuilder) -> None:
    number, chance = builder.generator.randrange(40), builder.generator.random()

    def arm() -> None:
        instances = list(builder.simulation.instances.values())
        if instances:
            instances[int(chance * len(instances))].process.kill_at_statement(number)

    builder.add_event(f"kill at statement {number}", arm)


def _restart(builder: ScenarioBuilder) -> None:
    _kill(builder) if builder.generator.random() < 0.5 else _stop(builder)
    builder.time += builder.span()
    _start(builder)


def _suspend(builder: ScenarioBuilder) -> None:
    builder.add_event("sleep", builder.simulation.sleep, interrupts=True)
    builder.time += builder.span()
    builder.add_event("wake", builder.simulation.wake, interrupts=True)


def _suspend_at_work(builder: ScenarioBuilder) -> None:
    """Suspend the machine for longer than a lease, before a scheduler that started late scans again.

    It scans half a minute later, and by then the owner of the run has not renewed its lease.
    """
    job = builder.simulation.settings.jobs[builder.generator.choice(builder.names)]
    slot = next_slot(job.schedule, builder.time + builder.ahead)
    late = builder.generator.uniform(5, 14)
    if slot:
        builder.time = max(builder.time, slot - builder.ahead + timedelta(seconds=late))
    builder.add_event("start another", builder.simulation.start_daemon)
    builder.time += timedelta(seconds=builder.generator.uniform(31 - late, 29))
    builder.add_event("sleep", builder.simulation.sleep, interrupts=True)
    builder.time += timedelta(seconds=builder.generator.choice((61, 75, 90, 600)))
    builder.add_event("wake", builder.simulation.wake, interrupts=True)


def _set_clock(builder: ScenarioBuilder) -> None:
    by = builder.span() * builder.generator.choice((-1, 1))
    builder.add_event(f"clock {by}", partial(builder.simulation.machine.set_clock, by), interrupts=True)
    builder.ahead += by
    if builder.generator.random() < 0.3:  # a person corrects it
        builder.move()
        builder.add_event(f"clock {-by}", partial(builder.simulation.machine.set_clock, -by), interrupts=True)
        builder.ahead -= by


def _lose_clock(builder: ScenarioBuilder) -> None:
    """Set the clock to 1970, as with an empty battery, until somebody corrects it."""
    by = datetime(1970, 1, 1, 1, tzinfo=UTC) - builder.time - builder.ahead
    builder.add_event("clock lost", partial(builder.simulation.machine.set_clock, by), interrupts=True)
    builder.time += min(builder.span(), timedelta(hours=3))
    builder.add_event("clock corrected", partial(builder.simulation.machine.set_clock, -by), interrupts=True)


def _configure(builder: ScenarioBuilder) -> None:
    """Restart all schedulers with another configuration, some time later."""
    _kill(builder) if builder.generator.random() < 0.5 else _stop(builder)
    builder.time += timedelta(seconds=15) + builder.span() * builder.generator.choice((0, 1))
    name = builder.generator.choice(builder.names)
    builder.jobs[name] = builder.new_job()
    environ = builder.environ()
    builder.add_event(f"configure {environ}", partial(builder.simulation.configure, environ, builder.names))
    builder.simulation.configure(environ, builder.names)  # because `move` uses the settings
    _start(builder)


def _by_hand(builder: ScenarioBuilder) -> None:
    name, resume = builder.generator.choice(builder.names), builder.generator.random() < 0.3
    builder.add_event("by hand", partial(builder.simulation.run_by_hand, name, resume=resume))


def _due(builder: ScenarioBuilder) -> None:
    builder.add_event("due", builder.simulation.run_due)


def _threads(builder: ScenarioBuilder) -> None:
    """Let the system refuse all threads, or some of them, for a while."""
    faults, share = builder.simulation.faults, builder.generator.choice((0.3, 1.0))
    builder.add_event("no threads", partial(setattr, faults, "threadless", share))
    builder.time += min(builder.span(), timedelta(hours=3))
    builder.add_event("threads", partial(setattr, faults, "threadless", 0.0))


def _proc(builder: ScenarioBuilder) -> None:
    """Hide the processes of other users from now on, or show them."""
    hidden = builder.generator.random() < 0.5
    builder.add_event(
        f"processes hidden: {hidden}", partial(setattr, builder.simulation.faults, "hidden", hidden)
    )


def _database_fault(builder: ScenarioBuilder) -> None:
    faults, kind = builder.simulation.faults, builder.generator.choice(("away", "locked", "full", "slow"))
    value: object = builder.generator.choice((0.5, 5.0, 29.0)) if kind == "slow" else True
    builder.add_event(f"database {kind}", partial(setattr, faults, kind, value))
    builder.time += min(builder.span(), timedelta(hours=3))
    builder.add_event(f"database not {kind}", partial(setattr, faults, kind, type(value)()))


_EVENTS: dict[str, tuple[int, Callable[[ScenarioBuilder], None]]] = {
    "start": (4, _start),
    "stop": (1, _stop),
    "kill": (1, _kill),
    "kill one": (2, _kill_one),
    "kill at statement": (5, _kill_at_statement),
    "restart": (5, _restart),
    "suspend": (5, _suspend),
    "clock": (4, _set_clock),
    "clock lost": (1, _lose_clock),
    "configure": (2, _configure),
    "by hand": (2, _by_hand),
    "due": (2, _due),
    "database fault": (2, _database_fault),
    "suspend at work": (2, _suspend_at_work),
    "threads": (2, _threads),
    "proc": (1, _proc),
}


def _add_events(builder: ScenarioBuilder) -> datetime:
    """Build the scenario of one seed, event by event; return when it ends."""
    builder.add_event(
        "begin", builder.simulation.start_daemon if builder.scheduler_count else builder.simulation.run_due
    )
    kinds = tuple(_EVENTS)
    weights = [weight for weight, _ in _EVENTS.values()]
    for _number in range(EVENT_COUNT):
        builder.move()
        (kind,) = builder.generator.choices(kinds, weights)
        often_due = not builder.scheduler_count and builder.generator.random() < 0.5
        _EVENTS["due" if often_due else kind][1](builder)
    builder.time += timedelta(seconds=90)
    builder.add_event("last start", lambda: _last_start(builder.simulation))
    builder.time += timedelta(hours=5)
    builder.add_event("end", builder.simulation.check_complete)
    return builder.time


def run_scenario(seed: int, trace: Callable[[str], None] | None = None) -> SimulationResult:
    """Simulate the scenario of a seed; `trace` gets a line for each event."""
    generator = random.Random(f"cavecron {seed}")
    start = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(
        days=generator.randrange(3000), seconds=generator.randrange(86400)
    )
    machine = SimulatedMachine(start)
    with tempfile.TemporaryDirectory(dir=_folder()) as folder, log.silence(), loop_of(machine) as loop:
        simulation = Simulation(generator, machine, Path(folder) / "wine.db")
        if trace:
            simulation.trace = lambda text: trace(
                f"{machine.true():%Y-%m-%d %H:%M:%S.%f} {machine.now():%m-%d %H:%M:%S.%f} {text}"
            )
        builder = ScenarioBuilder(generator, simulation, start)
        simulation.configure(builder.environ(), builder.names)
        first = simulation.settings
        end = _add_events(builder)
        simulation.begin(loop)
        simulation._settings = first
        machine.end_at(end)
        loop.run_forever()
        simulation._loop = None  # tasks that are left end with the loop and must not stop it again
        violations = [*simulation.violations, *machine.errors]
        if trace and violations:
            for row in simulation.rows():
                trace(str(row))
        return SimulationResult(seconds=(machine.true() - start).total_seconds(), violations=violations)


def _folder() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
