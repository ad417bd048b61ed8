"""The jobs as CronJobs of Kubernetes. Pure.

Values are written as JSON strings, which are valid YAML. Source of the fields:
https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/
"""

from collections.abc import Iterator
from pathlib import PurePosixPath

from cavecron.export.fields import is_exact
from cavecron.export.plan import DEADLINE, MARGIN, Plan, ScheduledCall
from cavecron.text import plain, to_json

_MOUNTED = ("SMTP_CA_FILE", "CAVECRON_JOBS")

_CRON_JOB = """\
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {name}
  labels:
    app.kubernetes.io/name: cavecron
    app.kubernetes.io/version: {version}
spec:
  schedule: {schedule}
  timeZone: {zone}
  startingDeadlineSeconds: {deadline}
  concurrencyPolicy: Forbid
  successfulJobsHistoryLimit: 1
  failedJobsHistoryLimit: 3
  jobTemplate:
    spec:
      backoffLimit: 3
      activeDeadlineSeconds: {time_limit}
      podFailurePolicy:
        rules:
          - action: FailJob
            onExitCodes:
              operator: In
              values: [2]
      template:
        metadata:
          labels:
            app.kubernetes.io/name: cavecron
        spec:
          restartPolicy: Never
          terminationGracePeriodSeconds: 10
          automountServiceAccountToken: false
          enableServiceLinks: false
          securityContext:
            runAsNonRoot: true
            runAsUser: 65532
            runAsGroup: 65532
            fsGroup: 65532
            seccompProfile:
              type: RuntimeDefault
          containers:
            - name: cavecron
              image: {image}
              args: [run, --due, {job}]
              env:
{env}
              securityContext:
                allowPrivilegeEscalation: false
                readOnlyRootFilesystem: true
                capabilities:
                  drop: [ALL]
              resources:
                requests:
                  cpu: 10m
                  memory: 32Mi
                limits:
                  memory: 64Mi
              volumeMounts:
                - name: data
                  mountPath: {mount}
          volumes:
            - name: data
              persistentVolumeClaim:
                claimName: cave-a-vin
"""


def render(plan: Plan) -> str:
    """Return one CronJob for each call, as YAML documents."""
    documents = [
        _head(plan),
        *(f"{''.join(_comments(call))}{_cron_job(call, plan)}" for call in plan.calls),
    ]
    return "---\n".join(documents)


def _head(plan: Plan) -> str:
    lines = [
        f"cavecron {plan.version}, pour kubectl apply -f. À adapter : l'image ; le PersistentVolumeClaim",
        "« cave-a-vin », dossier de la base, que l'application monte aussi ; runAsUser, à qui est la base.",
    ]
    if plan.secrets:
        literals = " ".join(f"--from-file={name}" for name in plan.secrets)
        lines.append(f"Les secrets : kubectl create secret generic cavecron {literals}")
    lines += [
        f"{name}={plain(plan.values[name], 1000)} : à monter dans le conteneur."
        for name in _MOUNTED
        if name in plan.values
    ]
    return "".join(f"# {line}\n" for line in lines)


def _comments(call: ScheduledCall) -> Iterator[str]:
    yield f"# {call.words}\n"
    if not is_exact(call.schedule):
        yield (
            f"# « {call.configured_expression} » ne s'écrit pas ainsi dans Kubernetes : appelé chaque jour,"
            " cavecron ne fait rien les autres jours.\n"
        )
    for change in call.changes:
        yield f"# {change}. Kubernetes peut faire autrement ; le créneau ne s'exécute jamais deux fois.\n"


def _cron_job(call: ScheduledCall, plan: Plan) -> str:
    return _CRON_JOB.format(
        name=call.name[:52].rstrip("-"),
        version=to_json(plan.version),
        schedule=to_json(call.expression),
        zone=to_json(plan.zone),
        deadline=int(DEADLINE.total_seconds()),
        time_limit=call.time_limit + int(MARGIN.total_seconds()),
        image=to_json(f"cavecron:{plan.version}"),
        job=to_json(call.job),
        env="\n".join(_variables(plan)),
        mount=to_json(str(PurePosixPath("/data") / plan.database.parent)),
    )


def _variables(plan: Plan) -> Iterator[str]:
    indent = " " * 16
    for name, value in plan.values.items():
        yield f"{indent}- name: {name}\n{indent}  value: {to_json(value)}"
    for name in plan.secrets:
        yield (
            f"{indent}- name: {name}\n{indent}  valueFrom:\n{indent}    secretKeyRef:\n"
            f"{indent}      name: cavecron\n{indent}      key: {name}"
        )
