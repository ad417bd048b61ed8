"""One seed, one life of the scheduler: what is configured, and what happens to it, when."""

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
from tests.model.author import Author
from tests.model.living import Living
from tests.model.world import World

EVENTS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What came of a seed: how long it was, in seconds, and what was broken."""

    seconds: float
    broken: list[BaseException]


def _last_start(world: World) -> None:
    for living in world.living.values():
        living.process.kill_at_statement(-1)
    _at_least(world, 1)


def _at_least(world: World, daemons: int) -> None:
    while len(world.daemons()) < daemons:
        world.start_daemon()


def _start(author: Author) -> None:
    author.happens("start", lambda: _at_least(author.world, author.instances))


def _stop(author: Author) -> None:
    author.happens("stop", lambda: _each(author, Living.stop))


def _kill(author: Author) -> None:
    author.happens("kill", lambda: _each(author, lambda living: living.process.kill()))


def _each(author: Author, act: Callable[[Living], None]) -> None:
    for living in list(author.world.living.values()):
        act(living)


def _kill_one(author: Author) -> None:
    chance = author.dice.random()

    def kill() -> None:
        living = list(author.world.living.values())
        if living:
            living[int(chance * len(living))].process.kill()

    author.happens("kill one", kill)


def _kill_at_statement(author: Author) -> None:
    number, chance = author.dice.randrange(40), author.dice.random()

    def doom() -> None:
        living = list(author.world.living.values())
        if living:
            living[int(chance * len(living))].process.kill_at_statement(number)

    author.happens(f"kill at statement {number}", doom)


def _restart(author: Author) -> None:
    _kill(author) if author.dice.random() < 0.5 else _stop(author)
    author.time += author.span()
    _start(author)


def _suspend(author: Author) -> None:
    author.happens("sleep", author.world.sleep, interrupts=True)
    author.time += author.span()
    author.happens("wake", author.world.wake, interrupts=True)


def _suspend_at_work(author: Author) -> None:
    """Suspend the machine for longer than a lease, before a scheduler that came late looks at a run again.

    After half a minute it does, and the owner of the run has not renewed its lease by then.
    """
    job = author.world.settings.jobs[author.dice.choice(author.names)]
    slot = next_slot(job.schedule, author.time + author.ahead)
    late = author.dice.uniform(5, 14)
    if slot:
        author.time = max(author.time, slot - author.ahead + timedelta(seconds=late))
    author.happens("start another", author.world.start_daemon)
    author.time += timedelta(seconds=author.dice.uniform(31 - late, 29))
    author.happens("sleep", author.world.sleep, interrupts=True)
    author.time += timedelta(seconds=author.dice.choice((61, 75, 90, 600)))
    author.happens("wake", author.world.wake, interrupts=True)


def _set_clock(author: Author) -> None:
    by = author.span() * author.dice.choice((-1, 1))
    author.happens(f"clock {by}", partial(author.world.machine.set_clock, by), interrupts=True)
    author.ahead += by
    if author.dice.random() < 0.3:  # somebody corrects it
        author.move()
        author.happens(f"clock {-by}", partial(author.world.machine.set_clock, -by), interrupts=True)
        author.ahead -= by


def _lose_clock(author: Author) -> None:
    """Empty the battery: it is 1970 until somebody sets the clock."""
    by = datetime(1970, 1, 1, 1, tzinfo=UTC) - author.time - author.ahead
    author.happens("clock lost", partial(author.world.machine.set_clock, by), interrupts=True)
    author.time += min(author.span(), timedelta(hours=3))
    author.happens("clock found", partial(author.world.machine.set_clock, -by), interrupts=True)


def _configure(author: Author) -> None:
    """All schedulers are restarted with another configuration, some time later."""
    _kill(author) if author.dice.random() < 0.5 else _stop(author)
    author.time += timedelta(seconds=15) + author.span() * author.dice.choice((0, 1))
    name = author.dice.choice(author.names)
    author.jobs[name] = author.new_job()
    environ = author.environ()
    author.happens(f"configure {environ}", partial(author.world.configure, environ, author.names))
    author.world.configure(environ, author.names)  # for `move`
    _start(author)


def _by_hand(author: Author) -> None:
    name, resume = author.dice.choice(author.names), author.dice.random() < 0.3
    author.happens("by hand", partial(author.world.run_by_hand, name, resume=resume))


def _due(author: Author) -> None:
    author.happens("due", author.world.run_due)


def _threads(author: Author) -> None:
    """Have the system grant no thread, or not always one, for a while."""
    weather, share = author.world.weather, author.dice.choice((0.3, 1.0))
    author.happens("no threads", partial(setattr, weather, "threadless", share))
    author.time += min(author.span(), timedelta(hours=3))
    author.happens("threads", partial(setattr, weather, "threadless", 0.0))


def _proc(author: Author) -> None:
    """Hide the processes of others from now on, or show them."""
    hidden = author.dice.random() < 0.5
    author.happens(f"processes hidden: {hidden}", partial(setattr, author.world.weather, "hidden", hidden))


def _weather(author: Author) -> None:
    weather, kind = author.world.weather, author.dice.choice(("away", "locked", "full", "slow"))
    value: object = author.dice.choice((0.5, 5.0, 29.0)) if kind == "slow" else True
    author.happens(f"database {kind}", partial(setattr, weather, kind, value))
    author.time += min(author.span(), timedelta(hours=3))
    author.happens(f"database not {kind}", partial(setattr, weather, kind, type(value)()))


_HAPPENINGS: dict[str, tuple[int, Callable[[Author], None]]] = {
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
    "weather": (2, _weather),
    "suspend at work": (2, _suspend_at_work),
    "threads": (2, _threads),
    "proc": (1, _proc),
}


def _write(author: Author) -> datetime:
    """Write the life of one seed, event by event; return when it ends."""
    author.happens("begin", author.world.start_daemon if author.instances else author.world.run_due)
    kinds = tuple(_HAPPENINGS)
    weights = [weight for weight, _ in _HAPPENINGS.values()]
    for _number in range(EVENTS):
        author.move()
        (kind,) = author.dice.choices(kinds, weights)
        often_due = not author.instances and author.dice.random() < 0.5
        _HAPPENINGS["due" if often_due else kind][1](author)
    author.time += timedelta(seconds=90)
    author.happens("last start", lambda: _last_start(author.world))
    author.time += timedelta(hours=5)
    author.happens("end", author.world.complain)
    return author.time


def live(seed: int, trace: Callable[[str], None] | None = None) -> Life:
    """Live the life of a seed."""
    dice = random.Random(f"cavecron {seed}")
    start = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(
        days=dice.randrange(3000), seconds=dice.randrange(86400)
    )
    machine = SimulatedMachine(start)
    with tempfile.TemporaryDirectory(dir=_folder()) as folder, log.silence(), loop_of(machine) as loop:
        world = World(dice, machine, Path(folder) / "wine.db")
        if trace:
            world.trace = lambda text: trace(
                f"{machine.true():%Y-%m-%d %H:%M:%S.%f} {machine.now():%m-%d %H:%M:%S.%f} {text}"
            )
        author = Author(dice, world, start)
        world.configure(author.environ(), author.names)
        first = world.settings
        end = _write(author)
        world.begin(loop)
        world._settings = first
        machine.end_at(end)
        loop.run_forever()
        world._loop = None  # what is left behind ends with the loop, and does not stop it once more
        broken = [*world.broken, *machine.errors]
        if trace and broken:
            for row in world.rows():
                trace(str(row))
        return Life(seconds=(machine.true() - start).total_seconds(), broken=broken)


def _folder() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
