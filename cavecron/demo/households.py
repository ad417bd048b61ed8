"""Who lives in the demonstration, what they keep, and what they opened lately.

Data only. Years are given as an age and as years until the peak, so that the demonstration shows every
urgency whenever it is run.
"""

from collections.abc import Mapping
from typing import NamedTuple


class Bottle(NamedTuple):
    """A wine of the catalogue; `age` in years or what stands for a vintage, `peak` in years from now.

    None is what nobody knows.
    """

    name: str
    region: str
    kind: str
    age: int | str | None
    peak: int | None
    note: str = ""


class Stock(NamedTuple):
    """Bottles of one wine: in which of the household's cellars (from 0), and since how many days."""

    wine: str
    cellar: int
    quantity: int
    days: int


class Opened(NamedTuple):
    """Bottles that left the cellar some days ago."""

    wine: str
    quantity: int
    days: int
    comment: str = ""


class Shelf(NamedTuple):
    """A cellar; `floors` holds the places of each floor."""

    name: str
    floors: tuple[int, ...]


class Household(NamedTuple):
    """A user with cellars; `parent` is the name of the main account where this one is a sub-account."""

    name: str
    email: str | None
    shelves: tuple[Shelf, ...] = ()
    stock: tuple[Stock, ...] = ()
    opened: tuple[Opened, ...] = ()
    parent: str = ""


CATALOGUE: Mapping[str, Bottle] = {
    "margaux": Bottle("Château Prieuré-Lichine", "Margaux", "Rouge", 19, -3),
    "pauillac": Bottle("Château Batailley", "Pauillac", "Rouge", 9, 4),
    "saint-julien": Bottle("Château Talbot", "Saint-Julien", "Rouge", 14, 0),
    "pomerol": Bottle("Château La Pointe", "Pomerol", "Rouge", 16, -1),
    "chablis": Bottle("Chablis Montée de Tonnerre", "Bourgogne", "Blanc", 7, 1),
    "pommard": Bottle("Pommard Les Rugiens", "Bourgogne", "Rouge", 12, 2),
    "morgon": Bottle("Morgon Côte du Py", "Beaujolais", "Rouge", 6, None, "À boire dans les 3 à 8 ans."),
    "chateauneuf": Bottle("Châteauneuf-du-Pape", "Rhône", "Rouge", 17, None),
    "cornas": Bottle("Cornas Reynard", "Rhône", "Rouge", 8, 6, "Garde de 10 à 20 ans, carafer."),
    "condrieu": Bottle(
        "Condrieu",
        "Rhône",
        "Blanc",
        3,
        None,
        "À boire maintenant, sur le fruit : abricot mûr, violette, une pointe de miel. Il perd sa fraîcheur"
        " après quatre ans de garde. Servir à 11 °C, avec une volaille à la crème ou un fromage de chèvre.",
    ),
    "bandol": Bottle("Bandol Cuvée Spéciale", "Provence", "Rouge", 10, None),
    "rose": Bottle("Côtes de Provence", "Provence", "Rosé", 2, -1),
    "madiran": Bottle("Madiran Vieilles Vignes", "Sud-Ouest", "Rouge", 9, 0),
    "cahors": Bottle("Cahors Le Cèdre", "Sud-Ouest", "Rouge", 5, None),
    "jurancon": Bottle("Jurançon Vendanges Tardives", "Sud-Ouest", "Liquoreux", 4, 10),
    "sauternes": Bottle("Château Rieussec", "Sauternes", "Liquoreux", 25, 1),
    "riesling": Bottle(
        "Riesling Grand Cru Schlossberg", "Alsace", "Blanc", 8, 0, "Parfait sur un bar grillé."
    ),
    "gewurztraminer": Bottle("Gewurztraminer", "Alsace", "Blanc", 6, -2),
    "savennieres": Bottle("Savennières Roche aux Moines", "Loire", "Blanc", 9, 2),
    "chinon": Bottle("Chinon Clos de l'Écho", "Loire", "Rouge", 4, None, "À consommer de 5 à 10 ans."),
    "vouvray": Bottle("Vouvray moelleux", "Loire", "Liquoreux", 21, None, "Apogée vers 20-30 ans."),
    "vin-jaune": Bottle("Vin jaune d'Arbois", "Jura", "Blanc", 7, 3),
    "champagne": Bottle("Champagne Brut Nature", "Champagne", "Effervescent", 4, 1),
    "cremant": Bottle("Crémant du Jura", "Jura", "Effervescent", "NV", None),
    "calvados": Bottle("Calvados Hors d'âge", "Normandie", "Spiritueux", None, None),
    "patrimonio": Bottle("Patrimonio", "Corse", "Rouge", 3, 3),
}

HOUSEHOLDS: tuple[Household, ...] = (
    Household(
        "Claire",
        "claire.martin@example.org",
        (Shelf("Cave voûtée", (24, 24, 18)), Shelf("Armoire du salon", (12, 12)), Shelf("Garage", (16,))),
        (
            Stock("margaux", 0, 3, 900),
            Stock("saint-julien", 0, 6, 650),
            Stock("pauillac", 0, 12, 5),
            Stock("cornas", 0, 6, 300),
            Stock("patrimonio", 0, 5, 60),
            Stock("calvados", 0, 2, 1500),
            Stock("vin-jaune", 0, 6, 200),
            Stock("condrieu", 1, 3, 90),
            Stock("jurancon", 1, 4, 2),
            Stock("champagne", 1, 6, 3),
            Stock("cremant", 1, 2, 4),
            Stock("cahors", 2, 19, 365),
            Stock("rose", 2, 0, 500),
            Stock("chablis", 2, 0, 700),
        ),
        (
            Opened("rose", 2, 1, "Avec les voisins"),
            Opened(
                "margaux",
                1,
                4,
                "L'anniversaire de Lucas. Carafé une heure : cèdre et cassis au nez, des tanins fondus, une"
                " finale qui n'en finit pas. Superbe, encore du fruit, mais il ne gagnera plus rien : ouvrir"
                " les trois dernières avant l'été, avec un gigot de sept heures.",
            ),
            Opened("chablis", 1, 40),
        ),
    ),
    Household("Lucas", "lucas.martin@example.org", parent="Claire"),
    Household(
        "Hélène",
        "helene.bernard@example.org",
        (Shelf("Cellier", (20, 20)),),
        (Stock("vouvray", 0, 4, 700), Stock("savennieres", 0, 6, 60), Stock("chinon", 0, 12, 6)),
        (Opened("chinon", 1, 2, "Un peu jeune"),),
    ),
    Household(
        "Paul",
        "paul.durand@example.org",
        (Shelf("Sous l'escalier", (16,)),),
        (Stock("cahors", 0, 8, 30), Stock("madiran", 0, 6, 45), Stock("bandol", 0, 3, 365)),
    ),
    Household(
        "Nadia",
        "nadia.benali@example.org",
        (Shelf("Armoire à vin", (8, 8, 8, 8)),),
        (Stock("condrieu", 0, 6, 4), Stock("riesling", 0, 3, 80), Stock("champagne", 0, 12, 6)),
        (Opened("champagne", 3, 5, "Le diplôme de Yanis"),),
    ),
    Household(
        "Yann",
        "yann.lebihan@example.org",
        (Shelf("Cave de Quimper", (40,)), Shelf("Bateau", (6,))),
        (Stock("rose", 1, 6, 20), Stock("calvados", 0, 2, 2000), Stock("chablis", 0, 18, 150)),
        (Opened("chablis", 2, 3, "Huîtres"), Opened("rose", 1, 6)),
    ),
    Household(
        "Antoine",
        "antoine.petit@example.org",
        (Shelf("Cave de l'immeuble", (60, 60)),),
        (
            Stock("pauillac", 0, 24, 200),
            Stock("saint-julien", 0, 12, 400),
            Stock("sauternes", 0, 6, 900),
            Stock("vin-jaune", 0, 3, 100),
        ),
    ),
    Household(
        "Sophie",
        "sophie.moreau@example.org",
        (Shelf("Cuisine", (6,)),),
        (Stock("cremant", 0, 3, 1), Stock("patrimonio", 0, 4, 1)),
        (Opened("cremant", 1, 0, "Bulles du soir"),),
    ),
    Household(
        "Julien",
        "julien.roux@example.org",
        (Shelf("Cave", (30, 30)),),
        (Stock("chateauneuf", 0, 6, 800), Stock("bandol", 0, 12, 500), Stock("jurancon", 0, 4, 300)),
        (Opened("bandol", 2, 3),),
    ),
    Household(
        "Marguerite",
        "marguerite.fabre@example.org",
        (Shelf("Cave de grand-père", (0,)),),
        (Stock("pomerol", 0, 1, 3000), Stock("gewurztraminer", 0, 2, 1500), Stock("margaux", 0, 1, 2800)),
    ),
    Household("Thomas", "thomas.girard@example.org", (Shelf("Nouvelle cave", (12, 12)),)),
    Household("Robert", None, (Shelf("Cave", (20,)),), (Stock("morgon", 0, 6, 90),)),
)
