"""The line of the learning world: attributes, one placement that explores, twenty offers; compiled from YAML."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from offers.catalog import Catalog
from offers.folder import load_folder
from offers.revisions import compiled
from streams.ids import OfferId, PlacementId, RevisionId
from streams.instant import HOUR_MS

PLACEMENT = PlacementId("app.home")
EXPLORE = 0.2
"""As a deployment would have it; arguments of `catalog` may ask for more."""
WITHIN_MS = 6 * HOUR_MS
"""The attribution window of every offer."""
VISITS = ("never", "seldom", "often")
AGES = ("under_26", "from_26", "from_41", "from_61")
PORTS = ("livorno", "genova", "olbia")
WEATHER = ("sunny", "rainy", "windy")
DEVICES = ("phone", "tablet")


@dataclass(frozen=True, slots=True)
class Written:
    """An offer as its campaign says."""

    id: OfferId
    kind: str
    value: float
    """What an acceptance is worth, in euro."""
    declared: int
    """Starting propensity in percent: somebody's guess."""
    eligibility: str = ""


KINDS = ("cabin", "dinner", "spa", "outing", "shop")
"""Each has a customer attribute of its own, `<kind>_visits`, which its offers name as their affinity."""
_VALUES = {"cabin": (8.0, 6.0, 5.0, 4.0), "dinner": (4.0, 3.0, 3.0, 2.5), "spa": (5.0, 4.0, 3.5, 3.0)}
_VALUES |= {"outing": (6.0, 4.5, 3.5, 3.0), "shop": (4.0, 3.0, 2.5, 2.0)}
_DECLARED = {"cabin": (6, 9, 8, 12), "dinner": (12, 9, 14, 10), "spa": (8, 6, 9, 7)}
_DECLARED |= {"outing": (9, 12, 7, 8), "shop": (10, 14, 9, 12)}
_ONLY = {
    OfferId("cabin-2"): "customer.children: true",
    OfferId("spa-1"): "customer.age: {at_least: from_26}",
    OfferId("outing-2"): "context.weather: {in: [sunny, windy]}",
}
OFFERS = tuple(
    Written(offer := OfferId(f"{kind}-{number}"), kind, value, _DECLARED[kind][number], _ONLY.get(offer, ""))
    for kind in KINDS
    for number, value in enumerate(_VALUES[kind])
)
_VISITS = "\n".join(
    f"    {kind}_visits: {{field: {field}, type: enum, levels: [{', '.join(VISITS)}], ordered: true, "
    "event: customer.profile, from: server}"
    for field, kind in enumerate(KINDS, 10)
)
ATTRIBUTES = f"""\
version: 1
attributes:
  customer:
    age: {{field: 1, type: enum, levels: [{", ".join(AGES)}], ordered: true, event: customer.profile, from: server}}
    home_port: {{field: 2, type: enum, levels: [{", ".join(PORTS)}], event: customer.profile, from: server}}
    children: {{field: 3, type: boolean, event: customer.profile, from: server}}
    trips: {{field: 4, type: integer, event: customer.profile, from: server}}
{_VISITS}
  context:
    weather: {{field: 40, type: enum, levels: [{", ".join(WEATHER)}], from: app}}
    friends: {{field: 41, type: boolean, from: app}}
  offer:
    kind: {{field: 90, type: enum, levels: [{", ".join(KINDS)}]}}
    affinity: {{field: 91, type: string}}
"""
_CAMPAIGN = """\
campaign: {id}
owner: learning
{eligibility}offer:
  id: {id}
  collection: {kind}
  starting_propensity: {{mean: {declared} %, evidence: 20}}
  value: {value:.2f} EUR
  goal: {{event: clicked, within: 6 h}}
  attributes: {{kind: {kind}, affinity: customer.{kind}_visits}}
consent: {{purposes: [personalised_offers]}}
placements: [app.home]
representation: {{image: {kind}, link: "https://app.example/{id}?ot={{token}}", web: "https://www.example/{id}?ot={{token}}"}}
text:
  en: {{title: "{kind}", body: "An offer of this kind.", button: Show, alt: A picture, why: It is for you.}}
"""


def files(explore: float, a_kind: int) -> Iterator[tuple[str, str]]:
    """The folder's files: (path, text). `a_kind`: how many offers of each kind, 1 to 4."""
    yield "attributes.yaml", ATTRIBUTES
    yield "images.yaml", "images:\n" + "".join(f'  {kind}: {{placeholder: "#123456"}}\n' for kind in KINDS)
    settings = f'channel: app, max_items: 1, refresh_after: 60 s, explore: {explore}, opt_out: "app://privacy/offers"'
    yield "placements.yaml", f"placements:\n  {PLACEMENT}: {{{settings}}}\n"
    yield "places/ports.geojson", '{"type": "FeatureCollection", "features": []}'
    for offer in (offer for offer in OFFERS if int(offer.id.rpartition("-")[2]) < a_kind):
        eligibility = f"eligibility: {{{offer.eligibility}}}\n" if offer.eligibility else ""
        text = _CAMPAIGN.format(
            id=offer.id, kind=offer.kind, declared=offer.declared, value=offer.value, eligibility=eligibility
        )
        yield f"campaigns/{offer.id}.yaml", text


@lru_cache(maxsize=8)
def catalog(explore: float = EXPLORE, a_kind: int = 4) -> Catalog:
    """The compiled line. Raises InvalidInput CAMPAIGNS_INVALID, which would be a mistake in this file."""
    with TemporaryDirectory(prefix="learning-") as folder:
        for path, text in files(explore, a_kind):
            file = Path(folder) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return compiled(RevisionId("r-learning"), load_folder(Path(folder)))
