"""Previews at a terminal: a panel as wide as a phone for each placement and language."""

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from offers.previews import Preview
from offers.proposition import Item, PriceTag

WIDTH = 46
"""Characters a phone shows side by side, with the frame."""


def panel(preview: Preview) -> Panel:
    """One preview."""
    item = preview.item
    inside = _nothing(preview) if item is None else _card(item)
    lengths = Text(" · ").join(Text(str(each), "" if each.fits else "bold red") for each in preview.lengths)
    if preview.message is not None:
        lengths.append(f" · {preview.message}")
    title = f"{preview.placement.id} · {preview.locale}"
    return Panel(Group(*inside), title=title, subtitle=lengths, width=WIDTH, padding=(0, 1))


def _card(item: Item) -> list[RenderableType]:
    words = item.representation
    if words.sms is not None:
        return [Text(words.sms), Text(f"(i) {words.why_shown}", "dim italic")]
    lines = [
        Text(f"[{words.image.alt}]", "dim"),
        Text(words.title, "bold"),
        Text(words.body),
        *([] if item.price is None else [_price(item.price)]),
        Text(f" {words.button} ", "reverse"),
        Text(f"(i) {words.why_shown}", "dim italic"),
    ]
    for line in lines:
        line.justify = "right" if words.dir == "rtl" else "left"
    return [*lines]


def _price(price: PriceTag) -> Text:
    prior = "" if price.prior is None else price.prior.text
    return Text.assemble((price.text, "bold"), " ", (prior, "strike"))


def _nothing(preview: Preview) -> list[RenderableType]:
    names = ", ".join(f"{{{name}}}" for name in preview.missing)
    return [Text(f"Nothing is shown: {names} has no value here.", "red")]
