"""The jobs as lines of a crontab, see crontab(5). Pure."""

import shlex
from collections.abc import Iterator

from cavecron.errors import CavecronError
from cavecron.export.fields import is_exact
from cavecron.export.plan import Plan, ScheduledCall

_HEAD = """\
# cavecron {version}, pour crontab -e, comme l'utilisateur à qui appartient la base.
# À vérifier : le chemin du programme, {program}.
# CRON_TZ est compris par cronie ; le cron de Debian suit le fuseau du système, qui doit alors être {zone}.
# Un cron ne rattrape rien, ne limite rien et n'enferme pas le programme : cavecron refuse lui-même de tourner
# deux fois à la fois et arrête un job trop long ; et « */10 * * * * » à la place des cinq champs rattrape ce
# qui fut manqué de moins d'une heure, car sans créneau à exécuter il ne fait rien.
CRON_TZ={zone}
"""


def render(plan: Plan) -> str:
    """Return the text of a crontab: the variables, and one line for each call."""
    program = _command(str(plan.program))
    lines = [*_variables(plan), *(line for call in plan.calls for line in _lines(call, program))]
    return _HEAD.format(version=plan.version, program=plan.program, zone=plan.zone) + "".join(
        f"{line}\n" for line in lines
    )


def _variables(plan: Plan) -> Iterator[str]:
    for name, value in plan.values.items():
        yield f"{name}={_quoted(value)}"
    for name, path in plan.secrets.items():
        yield f"{name}_FILE={_quoted(path or '/etc/cavecron/' + name)}"


def _quoted(value: str) -> str:
    """Return the value in quotes that it does not contain, because crontab(5) has no escapes.

    A value with both kinds of quotes stays without: Debian's cron and cronie then read the rest of the line.
    """
    _require_printable(value)
    mark = next((mark for mark in ('"', "'") if mark not in value), "")
    return f"{mark}{value}{mark}"


def _command(path: str) -> str:
    """Return a path as the shell reads it; cron takes a percent sign without a backslash for a line end."""
    _require_printable(path)
    return shlex.quote(path).replace("%", r"\%")


def _require_printable(text: str) -> None:
    if not text.isprintable():
        raise CavecronError(
            f"{text[:80]!a} : une crontab ne peut contenir de retour à la ligne ni d'autre caractère de"
            " contrôle ; corriger cette valeur"
        )


def _lines(call: ScheduledCall, program: str) -> Iterator[str]:
    yield f"# {call.words}"
    if not is_exact(call.schedule):
        yield (
            f"# « {call.configured_expression} » ne s'écrit pas dans tous les crons : appelé chaque jour,"
            " cavecron ne fait rien les autres jours."
        )
    for change in call.changes:
        yield f"# {change}. Un cron peut en décider autrement ; le créneau ne s'exécute jamais deux fois."
    yield f"{call.expression} {program} run --due {call.job}"
