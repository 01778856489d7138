"""A small real geography for tests: three ports, their lines, two fences, two venues."""

from streams.fences import Fence, circle
from streams.places import Line, Places, Port, Venue

LIVORNO = Port("ITLIV", "Livorno", "IT", "Europe/Rome", 43.5558, 10.3019)
OLBIA = Port("ITOLB", "Olbia", "IT", "Europe/Rome", 40.9228, 9.5179)
BASTIA = Port("FRBIA", "Bastia", "FR", "Europe/Paris", 42.7, 9.4519)
FENCES = ("livorno-terminal", "elba")
PLACES = Places(
    ports={port.id: port for port in (LIVORNO, OLBIA, BASTIA)},
    lines={
        "ITLIV-ITOLB": Line("ITLIV-ITOLB", "ITLIV", "ITOLB", 299.5),
        "ITLIV-FRBIA": Line("ITLIV-FRBIA", "ITLIV", "FRBIA", 117.6),
    },
    fences={
        "livorno-terminal": Fence("livorno-terminal", "Livorno terminal", circle((43.5558, 10.3019), 3_000)),
        "elba": Fence("elba", "Elba", circle((42.78, 10.28), 20_000)),
    },
    venues={
        "spa": Venue("spa", "Spa", "spa", on_board=True),
        "museum": Venue("museum", "Museo", "museum", "FRBIA", lat=42.70, lon=9.45),
    },
)
