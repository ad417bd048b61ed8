"""The jobs as timers of systemd and the services that they start; systemd.timer(5), systemd.exec(5). Pure."""

import re
from collections.abc import Iterator, Mapping

from cavecron.errors import CavecronError
from cavecron.export.fields import calendar, has_plain_days
from cavecron.export.plan import MARGIN, Plan, ScheduledCall

_TIMER = """\
{comments}[Unit]
Description={words}

[Timer]
{calendar}
AccuracySec=1s
Persistent=yes

[Install]
WantedBy=timers.target
"""

_SERVICE = """\
[Unit]
Description={words}
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=3600
StartLimitBurst=4

[Service]
Type=oneshot
ExecStart={program} run --due {job}
User=cave-a-vin
{environment}
ReadWritePaths={folder}
TimeoutStartSec={time_limit}
TimeoutStopSec=10
Restart=on-failure
RestartSec=60
RestartPreventExitStatus=2 3
MemoryMax=64M
TasksMax=64
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
PrivateUsers=yes
ProtectHostname=yes
ProtectClock=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectProc=invisible
ProcSubset=pid
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
KeyringMode=private
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
SocketBindDeny=any
"""


def render(plan: Plan) -> str:
    """Return all units as one text; each begins with a line that has the name of its file."""
    head = (
        f"# cavecron {plan.version}, pour /etc/systemd/system : un fichier par titre « ==> NOM <== »"
        " (cavecron export systemd -o DOSSIER les écrit).\n"
        "# À adapter : User=, le chemin du programme. Puis systemctl enable --now cavecron-*.timer\n"
    )
    return head + "".join(f"\n# ==> {name} <==\n{text}" for name, text in units(plan).items())


def units(plan: Plan) -> Mapping[str, str]:
    """Return the text of each unit by its file name."""
    units = {}
    for call in plan.calls:
        words = call.words.replace("%", "%%")
        units[f"{call.name}.timer"] = _TIMER.format(
            comments="".join(f"# {line}\n" for line in _comments(call)),
            words=words,
            calendar="\n".join(f"OnCalendar={line}" for line in calendar(call.schedule)),
        )
        units[f"{call.name}.service"] = _SERVICE.format(
            words=words,
            program=_word(str(plan.program)),
            job=call.job,
            environment="\n".join(_environment(plan)),
            folder=" ".join(_writable(plan)),
            time_limit=call.time_limit + int(MARGIN.total_seconds()),
        )
    return units


def _writable(plan: Plan) -> Iterator[str]:
    """Yield the folders that a service may write into; with a hyphen in front, one may be missing."""
    yield _quoted(str(plan.database.parent))
    if plan.maildir and not plan.maildir.is_relative_to(plan.database.parent):
        yield _quoted(f"-{plan.maildir}")


def _comments(call: ScheduledCall) -> Iterator[str]:
    if not has_plain_days(call.schedule):
        yield (
            f"« {call.configured_expression} » ne s'écrit pas ainsi dans systemd : appelé chaque jour,"
            " cavecron ne fait rien les autres jours."
        )
    for change in call.changes:
        yield f"{change}. systemd peut en décider autrement ; le créneau ne s'exécute jamais deux fois."


def _environment(plan: Plan) -> Iterator[str]:
    for name, value in plan.values.items():
        assignment = f"{name}={value}"
        yield f"Environment={_quoted(assignment)}"
    for name, path in plan.secrets.items():
        if not path.isprintable():
            raise CavecronError(
                f"{name}_FILE={path[:80]!a} : une unité ne peut charger un fichier dont le chemin a un retour"
                " à la ligne ; corriger ce chemin"
            )
        # Unlike Environment=, this setting has no quotes, and no escape but that of a percent sign.
        yield f"LoadCredential={name}:{_without_specifiers(path or f'/etc/cavecron/{name}')}"
        yield f"Environment={name}_FILE=%d/{name}"


def _word(text: str) -> str:
    return text if re.fullmatch(r"[\w./+-]+", text, re.ASCII) else _quoted(text)


def _quoted(text: str) -> str:
    """Return `text` as one quoted word of systemd.syntax(7); a single percent sign would be a specifier."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    escaped = re.sub(r"[\x01-\x1f\x7f]", lambda match: f"\\x{ord(match[0]):02x}", escaped)
    return f'"{_without_specifiers(escaped)}"'


def _without_specifiers(text: str) -> str:
    return text.replace("%", "%%")
