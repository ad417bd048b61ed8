"""The options of each command. It runs no command."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cavecron import __version__
from cavecron.cli.french_argparse import FrenchParser
from cavecron.lazy import lazy_module
from cavecron.text import as_utf8

if TYPE_CHECKING:
    from cavecron.jobs import zone_files
else:
    zone_files = lazy_module("cavecron.jobs.zone_files")  # only for --version


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Return the parsed arguments; `command` is None for the scheduler. On an error the process exits."""
    return _parser().parse_args(argv)


class _Version(argparse.Action):
    """Prints the versions of cavecron and of its time zone rules, and exits."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:  # noqa: A002 - argparse's name
        super().__init__(option_strings, dest=argparse.SUPPRESS, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_given: object) -> None:
        print(f"cavecron {__version__}\nfuseaux horaires : {zone_files.installed()}")
        parser.exit()


def _parser() -> FrenchParser:
    parser = FrenchParser(
        prog="cavecron", description="Les tâches planifiées de Cave à Vin ; sans commande : le planificateur."
    )
    parser.add_argument(
        "--version", action=_Version, help="afficher la version, et celle des fuseaux horaires"
    )
    commands = parser.add_subparsers(
        dest="command", metavar="COMMANDE", title="commandes", parser_class=FrenchParser
    )
    _add_run(commands.add_parser("run", help="exécuter un job maintenant"))
    _add_preview(
        commands.add_parser(
            "preview",
            help="le rapport d'un utilisateur, sans l'envoyer",
            description="Le rapport d'un utilisateur tel qu'il partirait ; rien n'est envoyé ni noté.",
        )
    )
    _add_next(
        commands.add_parser(
            "next",
            help="les créneaux à venir",
            description="Les créneaux à venir de tous les jobs, ou d'un seul, en heure locale ; dit où un"
            " changement d'heure en déplace ou en double un. N'a pas besoin de la base.",
        )
    )
    _add_history(commands.add_parser("history", help="ce que sont devenus les créneaux passés, et pourquoi"))
    _add_status(
        commands.add_parser(
            "status",
            help="tout en un écran : planificateur, jobs, mails, ce qui reste à faire",
            description="Le planificateur tourne-t-il, ce qu'a donné chaque job, quand il revient, et ce qui"
            " attend une personne. Code de sortie de health : 0 si tout va bien.",
        )
    )
    commands.add_parser("health", help="pour HEALTHCHECK : 0 si la base est lisible et rien en souffrance")
    _add_check(commands.add_parser("check", help="configuration, base, clé, SMTP, destinataires"))
    _add_demo(commands.add_parser("demo", help="une cave d'exemple, et les jobs dessus : rien à configurer"))
    _add_restore(commands.add_parser("restore", help="remettre une copie de la base en place"))
    _add_simulate(
        commands.add_parser("simulate", help="et si la machine s'arrête, dort, ou change d'heure ?")
    )
    _add_export(commands.add_parser("export", help="les jobs dans les mots d'un autre planificateur"))
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "job", nargs="?", metavar="JOB", help="weekly_reports, cleanup, backup ou un job à vous"
    )
    parser.add_argument(
        "--due",
        action="store_true",
        help="ce que le planificateur exécuterait maintenant (pour un autre planificateur)",
    )
    parser.add_argument(
        "--resume", action="store_true", help="reprendre la dernière exécution, coupée ou incomplète"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="dire ce qui serait fait, sans envoyer ni écrire"
    )
    parser.add_argument(
        "--user",
        action="append",
        type=as_utf8,
        default=[],
        metavar="NOM",
        help="cet utilisateur seulement (nom ou id ; répétable)",
    )
    parser.add_argument("--json", action="store_true", help="le résultat en un objet JSON")


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Les jobs marcheraient-ils ? Une ligne par sujet, et code 0 si tout est bon. cavecron se"
        " connecte au serveur SMTP et s'y identifie, sans rien envoyer."
    )
    parser.add_argument("--send-to", metavar="ADRESSE", help="envoyer un message d'essai à cette adresse")


def _add_demo(parser: argparse.ArgumentParser) -> None:
    parser.description = "Une cave d'exemple dans un dossier neuf, et les deux jobs dessus ; rien n'en sort."
    parser.add_argument(
        "folder", nargs="?", default="cave-demo", metavar="DOSSIER", help="où (défaut : ./cave-demo)"
    )


def _add_restore(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Écrit une copie dans la base elle-même, à la place de ce qu'elle contient ; l'état présent est"
        " d'abord copié. L'application peut rester ouverte. Aucun mail ne repart."
    )
    parser.add_argument(
        "file",
        nargs="?",
        metavar="FICHIER",
        help="la copie, comme wine-2026-11-30T023000.sqlite ; sans elle, dire lesquelles il y a",
    )
    parser.add_argument(
        "--yes", action="store_true", help="restaurer ; sans cette option, dire seulement ce qui serait perdu"
    )


def _add_simulate(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Ce que deviendrait chaque créneau, et pourquoi : le planificateur, tel que configuré, sur une"
        " horloge simulée. Rien n'est exécuté, aucune base n'est lue. Les instants sont l'heure vraie,"
        " locale sauf s'ils portent un décalage (Z, +02:00)."
    )
    parser.add_argument("--from", dest="begin", metavar="INSTANT", help="début (défaut : maintenant)")
    parser.add_argument("--days", default="7", metavar="NOMBRE", help="jours à simuler (défaut : 7)")
    for option, words in (("--down", "cavecron est arrêté"), ("--suspend", "la machine est en veille")):
        parser.add_argument(
            option,
            action="append",
            default=[],
            metavar="DÉBUT/FIN",
            help=f"{words}, comme '2026-10-25 02:40/2026-10-25 03:20' (répétable)",
        )
    parser.add_argument(
        "--clock",
        action="append",
        default=[],
        metavar="'INSTANT ÉCART'",
        help="l'horloge est avancée ou reculée, comme '2026-10-25 02:40 +2h' (répétable)",
    )
    parser.add_argument(
        "--duration", default="0s", metavar="DURÉE", help="ce que dure chaque exécution (défaut : 0s)"
    )
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="afficher une liste JSON")
    _add_html(parser, shape)


def _add_html(parser: argparse.ArgumentParser, shape: argparse._MutuallyExclusiveGroup) -> None:
    """Add --html to the output formats, and -o."""
    shape.add_argument("--html", action="store_true", help="la même chose en une page pour navigateur")
    parser.add_argument(
        "-o", "--output", metavar="FICHIER", help="--html : où écrire la page (défaut : l'afficher)"
    )


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("engine", metavar="MOTEUR", help="kubernetes, systemd ou crontab")
    parser.add_argument("-o", "--output", metavar="DOSSIER", help="systemd : y écrire chaque unité")


def _add_next(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job", nargs="?", metavar="JOB", help="ce job seulement")
    parser.add_argument(
        "-n", dest="number", default="5", metavar="NOMBRE", help="combien de chaque job (défaut : 5)"
    )
    parser.add_argument(
        "--from",
        dest="start",
        metavar="INSTANT",
        help="à partir d'un instant, comme 2026-10-25T02:00 (heure locale) ou 2026-10-25T00:00Z",
    )
    parser.add_argument("--json", action="store_true", help="afficher une liste JSON")


def _add_history(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("job", nargs="?", metavar="JOB", help="ce job seulement")
    parser.add_argument("-n", dest="number", default="20", metavar="NOMBRE", help="combien (défaut : 20)")
    parser.add_argument("--json", action="store_true", help="afficher une liste JSON")


def _add_status(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--names", action="store_true", help="nommer les utilisateurs qui n'ont pas reçu leur mail"
    )
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--json", action="store_true", help="afficher un objet JSON")
    shape.add_argument(
        "--metrics", action="store_true", help="au format texte de Prometheus (textfile collector)"
    )
    _add_html(parser, shape)


def _add_preview(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("user", nargs="?", type=as_utf8, metavar="UTILISATEUR", help="nom ou id")
    parser.add_argument("--all", action="store_true", help="tous les destinataires, une ligne JSON chacun")
    parser.add_argument(
        "-o", "--output", metavar="FICHIER", help="où écrire la page HTML ; - pour l'afficher"
    )
    parser.add_argument(
        "--at", metavar="INSTANT", help="à cet instant, comme 2026-11-23T07:00:00Z (sans Z : heure locale)"
    )
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--text", action="store_true", help="afficher la partie texte")
    shape.add_argument("--json", action="store_true", help="afficher le rapport en JSON")
