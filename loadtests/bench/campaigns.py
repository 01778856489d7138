"""A deployment of any size for the bench, made by code: who of the bench's customers is left with how many offers.

All campaigns are live now. Of `live` campaigns, a customer at SPARSE is left with SCORED[tier] and one at DENSE with a
quarter of all; both with RULED_OUT more that only caps, dismissals and the booking speak against. The others are for
other ports, places, languages, interests, vehicles, devices. Seeded: the same campaigns for the same number and day.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from streams.ids import Millis
from streams.instant import DAY_MS, moment

EXAMPLE = Path("deploy/campaigns")
SHARED = ("attributes.yaml", "images.yaml", "policies.yaml", "seasons.yaml", "places", "fallbacks")
"""What the bench takes from the example operator as it is."""
SPARSE, DENSE = "ITLIV", "ITGOA"
"""Home ports of the bench's customers."""
SCORED = {"blue": 25, "silver": 100, "gold": 200, "platinum": 300}
"""How many offers are left for a customer at SPARSE, whatever the size of the catalog."""
RULED_OUT = ("capped-1", "capped-2", "dismissed-1", "dismissed-2", "booking-1", "booking-2")
"""Offers that survive the index and are ruled out by what only evaluation finds."""
PLACEMENT = "app.home.list"
EXPLORING = "app.home.tablet"
PLACEMENTS = """\
placements:
  app.home.hero: {channel: app, max_items: 1, refresh_after: 120 s, fallback: letter-from-the-islands, opt_out: "app://privacy/offers"}
  app.home.list: {channel: app, max_items: 3, refresh_after: 120 s, fallback: plan-your-crossing, opt_out: "app://privacy/offers"}
  app.trip.card: {channel: app, max_items: 3, refresh_after: 60 s, fallback: before-you-sail, opt_out: "app://privacy/offers"}
  app.home.tablet: {channel: app, max_items: 4, refresh_after: 300 s, fallback: island-atlas, explore: 0.15, opt_out: "app://privacy/offers"}
"""
OTHER_PORTS = ("ITPIO", "ITCVV", "ITNAP", "ITPMO", "ITOLB", "ITCAG", "ITPTO", "ITPFE", "FRNCE", "FRBIA", "FRBON")
FARES = ("deck", "seat", "cabin_inside", "cabin_outside", "suite", "car")
COUNTERS = ("trips_per_year", "cabin_nights", "restaurant_visits", "spa_visits", "shop_visits", "excursions")
KINDS = ("cabin", "fare", "vehicle", "restaurant", "spa", "shop", "beach", "wine", "culture", "tour", "lounge")
IMAGES = ("cabin-inside", "cabin-sea-view", "deck-at-sunset", "deck-by-night", "winter-sea", "elba-from-the-sea")
ADJECTIVES = ("blue", "quiet", "early", "golden", "late", "salt", "slow", "bright", "old", "wide", "warm", "hidden")
THINGS = ("harbour", "crossing", "cabin", "breakfast", "lagoon", "market", "terrace", "bay", "cellar", "lighthouse")
LIVE_FOLDER = "live"
A_FOLDER = 1_000
"""Campaigns in one folder: file systems and people like it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A condition as written, and the attribute it asks about: no campaign asks about one twice."""

    attribute: str
    text: str


def write(folder: Path, live: int, now: Millis) -> None:
    """A whole deployment with `live` campaigns, in place of what is there. Raises ValueError below 600."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in SHARED:
        source = EXAMPLE / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        else:
            shutil.copyfile(source, folder / name)
    (folder / "placements.yaml").write_text(PLACEMENTS)
    for number, text in enumerate(campaigns(live, now)):
        path = folder / LIVE_FOLDER / f"{number // A_FOLDER:03d}" / f"{number:06d}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def campaigns(live: int, now: Millis) -> Iterator[str]:
    """The text of each campaign."""
    maker = _Maker(Random(f"bench:{live}"), now)
    dense = live // 4
    tiers = list(_tiers())
    others = live - len(RULED_OUT) - len(tiers) - dense
    if others < 0:
        raise ValueError(f"{live} campaigns are too few for {len(tiers)} at {SPARSE} and {dense} at {DENSE}")
    for name in RULED_OUT:
        yield maker.ruled_out(name)
    for number, tier in enumerate(tiers):
        yield maker.kept(f"sparse-{number}", SPARSE, tier)
    for number in range(dense):
        yield maker.kept(f"dense-{number}", DENSE, "blue")
    for number in range(others):
        yield maker.other(f"other-{number}")


def _tiers() -> Iterator[str]:
    """The least tier of each offer at SPARSE, so that each tier is left with SCORED."""
    before = 0
    for tier, wanted in SCORED.items():
        yield from [tier] * (wanted - before)
        before = wanted


class _Maker:
    """Writes campaigns, one after the other."""

    def __init__(self, rng: Random, now: Millis) -> None:
        self.rng = rng
        self.now = now
        self.season = _season(now)

    def kept(self, name: str, port: str, tier: str) -> str:
        """One that every bench customer at this port and of this tier is left with."""
        rng = self.rng
        home = Part("customer.home_port", f"{{in: [{', '.join((port, *rng.sample(OTHER_PORTS, 2)))}]}}")
        level = [] if tier == "blue" else [Part("customer.loyalty_tier", f"{{at_least: {tier}}}")]
        return self._campaign(name, [home, *level, *self._true(port, rng.randint(1, 3))])

    def other(self, name: str) -> str:
        """One that no bench customer is left with: one condition, anywhere among others, speaks against it."""
        rng = self.rng
        if rng.random() < 0.1:  # nothing speaks against it, but it stands elsewhere
            return self._campaign(name, self._true(SPARSE, 3), placements="[app.home.hero, app.trip.card]")
        against = self._false()
        parts = [part for part in self._true(SPARSE, rng.randint(1, 4)) if part.attribute != against.attribute]
        parts.insert(rng.randint(0, len(parts)), against)
        return self._campaign(name, parts)

    def ruled_out(self, name: str) -> str:
        """One that the index leaves to both, worth much, so that it is looked at first."""
        home = Part("customer.home_port", f"{{in: [{SPARSE}, {DENSE}]}}")
        if name.startswith("booking"):
            return self._campaign(name, [home, Part("booking.accommodation", "suite")], about="booking", value=90.0)
        return self._campaign(name, [home], about="", value=90.0)

    def _true(self, port: str, number: int) -> list[Part]:
        """Conditions that hold for the bench's customers at this port."""
        rng = self.rng
        km = rng.choice((30, 40, 60))
        pool = [
            Part("customer.trips_per_year", f"{{at_least: {rng.randint(1, 3)}}}"),
            Part("customer.average_spend", f"{{above: {rng.choice((20, 30, 40))} EUR}}"),
            Part("customer.interests", f"{{has_any: [food, {rng.choice(('wine', 'beach', 'spa', 'culture'))}]}}"),
            Part("customer.vehicle", "{not_in: [camper]}"),
            Part("customer.children", "{at_most: 4}"),
            Part("customer.language", "{in: [it, en, de]}"),
            Part("customer.devices", "{has: phone}"),
            Part("customer.last_trip_at", f"{{after: {self._day(-rng.randint(700, 900))}}}"),
            Part("context.weather", "{in: [sunny, cloudy]}"),
            Part("context.device_class", "{in: [phone, tablet]}"),
            Part("location", f"{{within: {km} km of port:{port}, min_confidence: 2, fresh_within: 15 min}}"),
            Part("any", f"[{{customer.pet: true}}, {{customer.trips_per_year: {{at_least: {rng.randint(1, 3)}}}}}]"),
        ]
        return rng.sample(pool, number)

    def _false(self) -> Part:
        """A condition that holds for none of the bench's customers and that is asked of the index."""
        rng = self.rng
        port = rng.choice(("ITCVV", "ITNAP", "ITPMO", "ITOLB", "ITCAG", "ITPTO"))
        fence = f"fence:terminal-{port.lower()}"
        pool = (
            (45, Part("customer.home_port", f"{{in: [{', '.join(rng.sample(OTHER_PORTS, rng.randint(1, 3)))}]}}")),
            (12, Part("location", f"{{within: {rng.choice((20, 30, 50))} km of port:{port}, fresh_within: 15 min}}")),
            (8, Part("location", f"{{inside: [{fence}], min_confidence: 2, fresh_within: 15 min}}")),
            (8, Part("customer.language", rng.choice(("fr", "zh")))),
            (8, Part("customer.interests", "{has_any: [diving, theatre]}")),
            (5, Part("customer.vehicle", "camper")),
            (4, Part("customer.pet", "true")),
            (4, Part("customer.trips_per_year", f"{{at_least: {rng.choice((12, 15, 20, 30))}}}")),
            (3, Part("customer.average_spend", f"{{above: {rng.choice((500, 700, 900))} EUR}}")),
            (3, Part("context.device_class", "tablet")),
        )
        return rng.choices([part for _, part in pool], [weight for weight, _ in pool])[0]

    def _campaign(
        self,
        name: str,
        parts: list[Part],
        *,
        placements: str = "",
        about: str | None = None,
        value: float | None = None,
    ) -> str:
        rng = self.rng
        if about is None:
            about = rng.choices(("", "booking", "{sailing: next}"), (75, 17, 8))[0]
        conditions = [f"  - {part.attribute}: {part.text}" for part in parts]
        if about == "booking" and value is None:
            conditions += ["  - booking.accommodation: {in: [deck, seat]}", "  - sailing.status: scheduled"]
        fare = rng.choice(FARES)
        counter = rng.choice(COUNTERS)
        worth = value if value is not None else round(rng.uniform(0.5, 20.0), 2)
        subject = f"  about: {about}\n" if about else ""
        source = f", price_source: market.fare.{fare}" if about else ""
        price = f"from: market.fare.{fare}, discount: {rng.choice((10, 15, 20, 30))} %" if about else self._amount()
        at_most = 2 if value is not None else rng.randint(3, 8)
        return f"""campaign: {name}
owner: marketing.{rng.choice(("sardinia", "corsica", "sicily", "fares", "onboard"))}
schedule: {{{self._schedule()}}}
eligibility:
{chr(10).join(conditions)}
suitability:
  none:
    - customer.open_complaint: {{is: true, on_missing: pass}}
offer:
  id: {name}
{subject}  collection: collection-{rng.randint(1, 12)}
  starting_propensity: {rng.randint(1, 9)} %
  value: {{amount: {worth:.2f} EUR, margin: 20 %}}
  attributes: {{kind: {rng.choice(KINDS)}, affinity: customer.{counter}{source}}}
price: {{{price}, round_to: 0.50 EUR}}
limits:
  - {{count: exposure, per: customer, at_most: {at_most}, window: rolling {rng.choice((24, 48, 72))} h}}
suppress: {{after: dismissed, for: 7 d}}
consent: {{purposes: [personalised_offers, location], channels: [app]}}
placements: {placements or f"[{PLACEMENT}, {EXPLORING}]"}
representation: {{image: {rng.choice(IMAGES)}, link: "https://app.example/{name}?ot={{token}}", web: "https://www.example/{name}?ot={{token}}"}}
text:
{self._words(name, sails=bool(about))}
"""

    def _schedule(self) -> str:
        rng = self.rng
        first, last = self._day(-rng.randint(10, 400)), self._day(rng.randint(30, 400))
        span = f"from: {first}, until: {last} 24:00, zone: Europe/Rome"
        if self.season and rng.random() < 0.1:
            return f"{span}, season: [{self.season}]"
        return f"{span}, days: [mon, tue, wed, thu, fri, sat, sun]" if rng.random() < 0.1 else span

    def _amount(self) -> str:
        return f"amount: {self.rng.randint(8, 90)}.{self.rng.choice(('00', '50'))} EUR"

    def _words(self, name: str, *, sails: bool) -> str:
        rng = self.rng
        thing = f"{rng.choice(ADJECTIVES)} {rng.choice(THINGS)}"
        when = "{sailing.departure|date}, {sailing.departure|time}: " if sails else ""
        return f"""  it:
    title: "{thing.capitalize()}, {name}"
    body: "{when}un posto che quasi nessuno conosce, per te a {{price}} ({name})."
    button: Prenota
    alt: "{thing}, vista dal ponte"
    why: "Parti spesso da qui: {thing}."
  en:
    title: "The {thing}, {name}"
    body: "{when}a place hardly anyone knows, yours for {{price}} ({name})."
    button: Book
    alt: "The {thing}, seen from the deck"
    why: "You often leave from here: {thing}."
"""

    def _day(self, days: int) -> str:
        return moment(self.now + days * DAY_MS).date().isoformat()


def _season(now: Millis) -> str:
    """A season of the example operator that is active now; empty: none is."""
    month = moment(now).month
    return "winter" if month in (12, 1, 2) else "summer" if month in (7, 8) else ""
