from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers.template import FILTERS, PLURAL, Hole, compiled, parse, placeholders
from streams.attributes import Attribute, Kind, attribute_set
from streams.errors import InvalidInput

NAMES = frozenset({"price", "sailing.departure", "sailing.origin", "booking.id", "market.cabins_free.inside"})


def refused(text: str, names: frozenset[str] = NAMES) -> tuple[str, str]:
    with pytest.raises(InvalidInput) as caught:
        parse(text, names)
    return caught.value.code, caught.value.message


def test_a_text_is_parsed_into_literals_and_placeholders() -> None:
    template = parse("Abfahrt {sailing.departure|time}: {price}.", NAMES)
    assert template.parts == ("Abfahrt ", Hole("sailing.departure", "time"), ": ", Hole("price"), ".")
    assert template.holes == (Hole("sailing.departure", "time"), Hole("price"))


def test_doubled_braces_are_braces() -> None:
    assert compiled("a {{b}} {{{price}}}").parts == ("a {b} {", Hole("price"), "}")
    assert compiled("{{price}}").fill(lambda hole: "never asked") == "{price}"
    assert compiled("").fill(lambda hole: "never asked") == ""


def test_the_sailing_of_a_booking_is_the_sailing() -> None:
    assert parse("{ booking.sailing.departure | date }", NAMES).holes == (Hole("sailing.departure", "date"),)


def test_a_text_with_a_missing_value_is_no_text() -> None:
    template = compiled("{price} for {booking.id}")
    assert template.fill({Hole("price"): "49 €", Hole("booking.id"): "b-771"}.get) == "49 € for b-771"
    assert template.fill({Hole("price"): "49 €"}.get) is None


def test_what_is_filled_in_is_not_read_as_a_template() -> None:
    assert compiled("{price}!").fill(lambda hole: "{booking.id} {{ }} {token}") == "{booking.id} {{ }} {token}!"


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (
            "{sailing.departur|time}",
            "PLACEHOLDER_UNKNOWN",
            "there is no placeholder '{sailing.departur}'. Did you mean 'sailing.departure'?",
        ),
        (
            "{weather}",
            "PLACEHOLDER_UNKNOWN",
            "there is no placeholder '{weather}'. Known here: booking.id, market.cabins_free.inside, price, "
            "sailing.departure, sailing.origin.",
        ),
        (
            "{token}",
            "PLACEHOLDER_UNKNOWN",
            "there is no placeholder '{token}'. Known here: booking.id, market.cabins_free.inside, price, "
            "sailing.departure, sailing.origin.",
        ),
        (
            "{sailing.departure|tme}",
            "FILTER_UNKNOWN",
            "there is no filter 'tme' (in '{sailing.departure|tme}'). Did you mean 'time'?",
        ),
        (
            "{price|}",
            "FILTER_UNKNOWN",
            "there is no filter '' (in '{price|}'). There are time, date, number, money, port, distance, plural.",
        ),
        (
            "{sailing.departure}",
            "FILTER_MISSING",
            "'{sailing.departure}' is a bare number (datetime). Write '{sailing.departure|time}' or "
            "'{sailing.departure|date}'",
        ),
        (
            "{sailing.origin|time}",
            "FILTER_UNFIT",
            "'time' cannot write sailing.origin (string). Write '{sailing.origin|port}'",
        ),
        ("{price|date}", "FILTER_UNFIT", "'date' cannot write price (money). Write '{price|money}'"),
        ("50 % {off", "PLACEHOLDER_SYNTAX", "a single '{' opens or closes nothing; write '{{'"),
        ("50 % off}", "PLACEHOLDER_SYNTAX", "a single '}' opens or closes nothing; write '}}'"),
        ("{}", "PLACEHOLDER_SYNTAX", "'{}' names nothing; write for example '{price}'"),
        ("{|time}", "PLACEHOLDER_SYNTAX", "'{|time}' names nothing; write for example '{price}'"),
    ],
)
def test_a_wrong_placeholder_is_told_with_its_mend(text: str, code: str, message: str) -> None:
    assert refused(text) == (code, message)


def test_values_without_words_are_refused() -> None:
    assert refused("{venue.on_board}", frozenset({"venue.on_board"})) == (
        "FILTER_UNFIT",
        "'{venue.on_board}' is a yes or no, which has no words; leave it out",
    )
    assert refused("{sailing.departs_in|number}", frozenset({"sailing.departs_in"}))[0] == "FILTER_UNFIT"


def test_placeholders_are_the_subject_s_facts_and_the_special_names() -> None:
    declared = (
        Attribute("customer", "loyalty_tier", 1, Kind.ENUM, ("blue", "gold")),
        Attribute("market", "fare", 61, Kind.MONEY, keys=("deck", "seat"), by="product", unit="EUR"),
        Attribute("booking", "party", 42, Kind.INTEGER),
    )
    known = placeholders(attribute_set(declared))
    assert known["market.fare.deck"] is Kind.MONEY
    assert known["booking.party"] is Kind.INTEGER
    assert known["sailing.departure"] is Kind.DATETIME
    assert (known["price"], known["discount"], known["distance"]) == (Kind.MONEY, Kind.NUMBER, Kind.DISTANCE)
    assert not {"customer.loyalty_tier", "market.fare", "context.season", "offer.price", "token"} & set(known)
    assert parse("{market.fare.deck|money}", known, known).holes == (Hole("market.fare.deck", "money"),)
    with pytest.raises(InvalidInput, match=r"a bare number \(money\)\. Write '\{market\.fare\.deck\|money\}'"):
        parse("{market.fare.deck}", known, known)


literals = st.text(st.characters(exclude_characters="{}", exclude_categories=["Cs"]), max_size=8)
holes = st.builds(Hole, st.sampled_from(sorted(NAMES)), st.sampled_from(["", *FILTERS])).map(
    lambda hole: replace(hole, forms=(("other", "#"),)) if hole.filter == PLURAL else hole
)


def as_written(part: str | Hole) -> str:
    if isinstance(part, str):
        return part.replace("{", "{{").replace("}", "}}")
    forms = "".join(f" {name} {{{words}}}" for name, words in part.forms)
    return f"{{{part.name}|{part.filter}{forms}}}" if part.filter else f"{{{part.name}}}"


@given(st.lists(literals | st.sampled_from(["{", "}"]) | holes, max_size=8))
def test_a_written_template_fills_to_its_parts_and_leaks_no_brace(parts: list[str | Hole]) -> None:
    template = compiled("".join(as_written(part) for part in parts))
    filled = template.fill(lambda hole: f"<{hole.name}>")
    assert filled == "".join(part if isinstance(part, str) else f"<{part.name}>" for part in parts)


@given(st.text(alphabet="{}|ab.price ", max_size=20) | st.text(max_size=30))
def test_any_text_is_a_template_or_says_what_is_wrong(text: str) -> None:
    try:
        template = parse(text, NAMES)
    except InvalidInput as error:
        assert error.code.startswith(("PLACEHOLDER_", "FILTER_", "PLURAL_"))
    else:
        assert template.fill(lambda hole: "x") is not None
