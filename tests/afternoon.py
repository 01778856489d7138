"""The afternoon: tonight's Livorno-Olbia, a cabin upgrade for gold members near the port, and the people around it.

The example operator's folder with one campaign of its own in place of its cabin upgrade.
"""

import shutil
from pathlib import Path

from tests.golden_case import DEPLOYMENT

FILE = "cabins/upgrade-livorno-olbia.yaml"
CAMPAIGN = Path(__file__).parent / "campaigns" / "afternoon.yaml"
MISTAKES = {
    "wrong level": ("{at_least: gold}", "{at_least: oro}"),
    "missing unit": ("within: 30 km of port:ITLIV", "within: 30 of port:ITLIV"),
    "end after sale": ("until: 90 min before booking.sailing.departure", "until: 2026-11-21 21:30"),
    "limit above stock": ("per: campaign, at_most: 37,", "per: campaign, at_most: 300,"),
    "illegal prior price": ("prior: lowest_30_days", "prior: 79 EUR"),
}
"""What a person gets wrong -> (as it should be, as it is typed)."""
MARKET = """
market:
  sailings:
    s-tonight:
      line: ITLIV-ITOLB
      departs: 2026-11-21 21:30
      sells_until: 2026-11-21 20:00
      heard: 8 min
      fares: {cabin_inside: 70 EUR}
      earlier_fares: {cabin_inside: {40 d: 79 EUR, 19 d: 69 EUR, 16 d: 79 EUR}}
      free: {inside: 37}
"""
"""As it is known at 15:00: 37 inside cabins, 70 EUR today, 69 EUR on 2 November."""
PERSONA = """
zone: Europe/Rome
now: 2026-11-21 15:00
customer:
  facts: {loyalty_tier: LEVEL}
  purposes: [personalised_offers, location]
  channels: [app]
  bookings: {b-771: {sailing: s-tonight, accommodation: seat}}
location: {at: "port:ITLIV", ago: 1 min}
request: {locale: it-IT, placements: {app.home.hero: 1}, trip: b-771}
"""


def world(folder: Path, *mistakes: str) -> Path:
    """The operator's folder with the afternoon's campaign, as it should be or with mistakes of MISTAKES; its path."""
    campaigns = folder / "campaigns"
    shutil.copytree(DEPLOYMENT, campaigns, ignore=shutil.ignore_patterns("tests"))
    text = CAMPAIGN.read_text()
    for mistake in mistakes:
        right, wrong = MISTAKES[mistake]
        assert right in text, mistake
        text = text.replace(right, wrong)
    (campaigns / FILE).write_text(text)
    (folder / "market.yaml").write_text(f"zone: Europe/Rome\nnow: 2026-11-21 15:00\n{MARKET}")
    for level in ("gold", "silver"):
        (folder / f"{level}.yaml").write_text(PERSONA.replace("LEVEL", level) + MARKET)
    return campaigns
