"""Tokens: what is minted is read back, anything else is refused, and none is longer than 512 characters."""

import dataclasses
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers.tokens import (
    MAC_BYTES,
    MAX_ID_BYTES,
    MAX_TOKEN,
    CustomerToken,
    CustomerTokens,
    OfferToken,
    OfferTokens,
    Signer,
    TokenKeys,
    keys_of,
    new_secret,
    parse_keys,
)
from streams.errors import InvalidInput, NotAllowed, NotAuthenticated
from streams.ids import CampaignId, CustomerId, DecisionId, OfferId, PlacementId

OLD = "k1:" + "11" * 32
NEW = "k2:" + "22" * 32
SHOWN = OfferToken(
    DecisionId("0198f2c1-7a00-7abc-8def-0123456789ab"),
    PlacementId("app.home.hero"),
    1,
    OfferId("cabin-upgrade-inside"),
    CampaignId("cabin-upgrade-livorno-olbia"),
    "cabins",
    "booking:b-771",
    CustomerId("c-42"),
    "phone",
    1_795_284_251_000,
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def offer_tokens(keys: str = OLD, namespace: str = "offing") -> OfferTokens:
    return OfferTokens(parse_keys(keys, namespace))


def token_of(ids: list[str], rank: int = 30) -> OfferToken:
    placement, offer, campaign, collection, about, customer, device = ids
    return OfferToken(
        SHOWN.decision_id, PlacementId(placement), rank, OfferId(offer), CampaignId(campaign),
        collection, about, CustomerId(customer), device, SHOWN.expires,
    )  # fmt: skip


@given(
    st.one_of(st.uuids(version=4).map(str), st.text("0123456789abcdef-ABCDEFd", max_size=40)),
    st.lists(texts, min_size=7, max_size=7),
    st.integers(1, 30),
    st.integers(0, 2**53),
)
def test_a_minted_offer_token_is_read_back_whole(decision: str, ids: list[str], rank: int, expires: int) -> None:
    token = dataclasses.replace(token_of(ids, rank), decision_id=DecisionId(decision), expires=expires)
    tokens = offer_tokens()
    try:
        text = tokens.mint(token)
    except InvalidInput as error:
        assert error.code == "TOKEN_TOO_LONG"
        assert sum(len(text.encode()) for text in (decision, *ids)) > MAX_ID_BYTES - 2
    else:
        assert len(text) <= MAX_TOKEN
        assert tokens.read(text) == token


def test_the_committed_sample_of_the_first_format_is_read_for_ever() -> None:
    sample = (
        "ot1.zFD1Gyn5y2QlJCn6P05S45rEEXUBmPLBegB6vI3vASNFZ4mrrWFwcC5ob21lLmhlcm8BtGNhYmluLXVwZ3JhZGUtaW5zaWRlu2NhYmlu"
        "LXVwZ3JhZGUtbGl2b3Juby1vbGJpYaZjYWJpbnOtYm9va2luZzpiLTc3MaRjLTQypXBob25lzwAAAaH_R7F4"
    )
    assert offer_tokens().read(sample) == SHOWN
    assert offer_tokens().mint(SHOWN) == sample


@pytest.mark.parametrize(
    "lengths",
    [(60, 60, 60, 0, 60, 72, 0), (40, 40, 40, 20, 44, 128, 0), (0, 0, 0, 0, 0, 312, 0), (52, 52, 52, 52, 52, 52, 0)],
)
def test_the_longest_ids_fit_and_longer_ones_are_refused(lengths: tuple[int, ...]) -> None:
    assert sum(lengths) == MAX_ID_BYTES
    ids = ["x" * length for length in lengths]
    assert len(offer_tokens().mint(token_of(ids, rank=2**31))) <= MAX_TOKEN
    assert len(offer_tokens().mint(token_of(["é" * (length // 2) for length in lengths]))) <= MAX_TOKEN
    with pytest.raises(InvalidInput, match="at most 512: its ids are too long together") as caught:
        offer_tokens().mint(token_of([*ids[:6], "x" * 16]))
    assert caught.value.code == "TOKEN_TOO_LONG"


def test_any_flipped_bit_of_a_token_is_refused() -> None:
    tokens = offer_tokens()
    text = tokens.mint(SHOWN).encode()
    for place in range(len(text) * 8):
        spoilt = bytearray(text)
        spoilt[place // 8] ^= 1 << place % 8
        with pytest.raises((InvalidInput, NotAllowed)) as caught:
            tokens.read(spoilt.decode("latin-1"))
        assert caught.value.code in ("TOKEN_FORGED", "TOKEN_MALFORMED")


@given(st.data())
def test_cut_extended_or_reordered_tokens_are_refused(data: st.DataObject) -> None:
    tokens = offer_tokens()
    text = tokens.mint(SHOWN)
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    longer = text + data.draw(st.text(min_size=1, max_size=8))
    place = data.draw(st.integers(0, len(text) - 2))
    swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    for spoilt in (cut, longer, swapped, text + "=", text + "\n", " " + text):
        if spoilt != text:
            with pytest.raises((InvalidInput, NotAllowed)):
                tokens.read(spoilt)


@given(st.text(max_size=600))
def test_arbitrary_text_is_malformed_never_a_crash(text: str) -> None:
    for candidate in (text, "ot1." + text):
        with pytest.raises((InvalidInput, NotAllowed)):
            offer_tokens().read(candidate)


def test_a_token_of_another_namespace_is_forged_although_the_secret_is_the_same() -> None:
    text = offer_tokens(namespace="test-run").mint(SHOWN)
    with pytest.raises(NotAllowed, match="this namespace") as caught:
        offer_tokens(namespace="offing").read(text)
    assert caught.value.code == "TOKEN_FORGED"


def test_rotation_keeps_old_tokens_until_the_old_key_is_dropped() -> None:
    before = offer_tokens(OLD).mint(SHOWN)
    during = offer_tokens(f"{NEW},{OLD}")
    assert during.read(before) == SHOWN
    assert offer_tokens(NEW).read(during.mint(SHOWN)) == SHOWN
    with pytest.raises(NotAllowed) as caught:
        offer_tokens(NEW).read(before)
    assert caught.value.code == "TOKEN_FORGED"


def test_expiry_is_judged_by_the_time_given_and_does_not_stop_reading() -> None:
    read = offer_tokens().read(offer_tokens().mint(SHOWN))
    assert not read.expired(SHOWN.expires - 1)
    assert read.expired(SHOWN.expires)


def test_a_customer_token_names_its_customer_until_it_ends() -> None:
    tokens = CustomerTokens(parse_keys(OLD, "offing"))
    given_out = CustomerToken(CustomerId("c-42"), 1_000)
    text = tokens.mint(given_out)
    assert text.startswith("ct1.")
    assert tokens.read(text, 999) == given_out
    with pytest.raises(NotAuthenticated, match="1970-01-01T00:00:01Z") as caught:
        tokens.read(text, 1_000)
    assert caught.value.code == "TOKEN_EXPIRED"


def test_one_kind_of_token_never_passes_as_the_other() -> None:
    keys = parse_keys(OLD, "offing")
    relabelled = "ot1." + CustomerTokens(keys).mint(CustomerToken(CustomerId("c-42"), 9**15))[4:]
    with pytest.raises(NotAllowed) as forged:
        OfferTokens(keys).read(relabelled)
    with pytest.raises(NotAuthenticated) as refused:
        CustomerTokens(keys).read("ct1." + OfferTokens(keys).mint(SHOWN)[4:], 0)
    with pytest.raises(NotAuthenticated) as malformed:
        CustomerTokens(keys).read("ct1.??", 0)
    assert (forged.value.code, refused.value.code) == ("TOKEN_FORGED", "TOKEN_FORGED")
    assert malformed.value.code == "TOKEN_MALFORMED"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "entry 1 has no name; write 'k1:<hex>'"),
        ("k1", "entry 1 has no name"),
        (f"{OLD},", "entry 2 has no name; write 'k2:<hex>'"),
        ("k1:xyz", "key 'k1' is not hexadecimal"),
        ("k1:abcd", "key 'k1' has 2 bytes; at least 16"),
        (f"{OLD},{OLD}", "a name is there twice"),
        (",".join(f"k{n}:" + "11" * 32 for n in range(9)), "9 keys; 1 to 8 are expected"),
    ],
)
def test_a_bad_key_setting_says_what_to_write_instead(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_keys(text, "offing")
    assert caught.value.code == "TOKEN_KEYS"
    assert said in caught.value.message
    assert "1111" not in caught.value.message


def test_keys_already_split_by_the_settings_are_the_same_keys() -> None:
    assert keys_of((("k1", "11" * 32),), "offing") == parse_keys(OLD, "offing")
    with pytest.raises(InvalidInput, match="0 keys"):
        keys_of((), "offing")


def test_secrets_are_new_each_time_and_never_shown() -> None:
    first, second = parse_keys(new_secret(), "offing"), parse_keys(new_secret(), "offing")
    assert first.secrets["k1"] != second.secrets["k1"]
    assert repr(first) == "TokenKeys(namespace='offing')"
    assert isinstance(first, TokenKeys)


@given(st.binary(min_size=1, max_size=200), st.binary(max_size=600))
def test_a_signer_computes_the_standard_mac(key: bytes, payload: bytes) -> None:
    signer = Signer(key)
    assert [signer.mac(payload) for _ in range(2)] == [hmac.digest(key, payload, "sha256")[:MAC_BYTES]] * 2
