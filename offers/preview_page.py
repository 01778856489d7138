"""Previews as HTML: one phone, or all of them in a grid. Self-contained, escaped, without a script or a request."""

from collections.abc import Sequence
from html import escape

from offers.previews import Preview
from offers.proposition import Item, PriceTag

WIDTH, HEIGHT = 390, 844
"""Of the phone, in CSS pixels."""
GAP, CAPTION, HEAD, ROW_HEAD = 36, 176, 132, 56
COLUMNS = 6
TIME = "21:04"
"""On the phone's clock; no fact of anybody."""
_STYLE = """
*{box-sizing:border-box;margin:0;padding:0}
body{font:16px/1.4 -apple-system,"Segoe UI",Roboto,"Noto Sans",system-ui,sans-serif;color:#14212b;background:#e9eef2}
.phone{width:390px;height:844px;overflow:hidden;background:#f4f6f8;display:flex;flex-direction:column}
.bar{height:44px;padding:12px 24px 0;display:flex;justify-content:space-between;font-weight:600;font-size:15px}
.bar i{width:24px;height:12px;border:1.5px solid #14212b;border-radius:4px;
 background:linear-gradient(90deg,#14212b 70%,#0000 0)}
.top{padding:10px 20px 14px;font-size:26px;font-weight:700;letter-spacing:-.4px}
.top small{display:block;font-size:13px;font-weight:500;color:#6b7a86;
 letter-spacing:0;direction:ltr;unicode-bidi:isolate}
.card{flex:none;margin:0 16px;background:#fff;border-radius:20px;overflow:hidden;box-shadow:0 6px 24px #14212b1f}
.image{height:200px;position:relative;display:flex;align-items:flex-end;padding:14px;background-image:
 radial-gradient(120% 90% at 80% 0,#ffffff40,#fff0 60%),linear-gradient(0deg,#0006,#0000 60%)}
.image svg{position:absolute;top:58px;inset-inline-start:50%;margin-inline-start:-32px;width:64px;opacity:.75}
.image span{position:relative;font-size:12px;line-height:1.35;color:#fff;text-shadow:0 1px 3px #000a}
.words{padding:18px 20px 20px}
h1{font-size:22px;line-height:1.25;letter-spacing:-.2px;margin-bottom:8px;overflow-wrap:anywhere}
.words p{color:#33434f;overflow-wrap:anywhere}
.price{margin:14px 0 0;font-size:24px;font-weight:700}
.price del{font-size:16px;font-weight:500;color:#8795a0;margin-inline-start:10px}
.button{display:block;margin-top:16px;padding:14px;border-radius:14px;background:#0b5cab;color:#fff;text-align:center;
 font-weight:600;font-size:17px;overflow-wrap:anywhere}
.why{margin-top:14px;padding-top:12px;border-top:1px solid #e6ebef;font-size:13px;color:#6b7a86!important}
.why b{display:inline-block;width:17px;height:17px;margin-inline-end:6px;border-radius:9px;border:1.5px solid #8795a0;
 font-size:11px;line-height:14px;text-align:center;font-style:italic}
.rest{margin:18px 16px;display:grid;gap:12px}
.rest i{height:76px;border-radius:16px;background:#e4e9ed}
.none{margin:16px;padding:24px;border-radius:16px;background:#fff2e0;color:#7a4300}
.sms{flex:1;margin:0 16px;padding-top:16px;border-top:1px solid #dde3e8}
.sms p{max-width:300px;padding:12px 16px;border-radius:20px;border-end-start-radius:4px;background:#e2e7eb;
 font-size:17px;overflow-wrap:anywhere;white-space:pre-wrap}
.sms small{display:block;max-width:300px;margin-top:10px;padding:0 4px;font-size:12px;color:#6b7a86}
.over{color:#b3261e!important;font-weight:700}
.sheet{width:max-content;padding:36px}
.sheet header{height:96px}
.sheet header h2{font-size:30px;letter-spacing:-.5px}
.sheet header p{color:#55646f}
.sheet h3{height:56px;padding-top:14px;font-size:19px}
.row{display:grid;gap:36px;grid-auto-rows:1020px}
figure .phone{border-radius:44px;box-shadow:0 0 0 9px #14212b,0 18px 44px #14212b40}
figcaption{padding:22px 8px 0;font-size:13px;line-height:1.45;color:#55646f;height:176px;overflow:hidden}
figcaption b{color:#14212b;font-size:15px}
"""
_SEA = (
    '<svg viewBox="0 0 64 64" fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round" aria-hidden="true">'
    '<path d="M14 38h36l-6 12H20zM20 38V26h22l4 12M28 26v-9h8v9"/>'
    '<path d="M6 57c5-4 9-4 13 0s8 4 13 0 9-4 13 0 8 4 13 0"/>'
    "</svg>"
)


def phone(preview: Preview) -> str:
    """A document that is one phone, 390 x 844."""
    return _document(f"{preview.placement.id} {preview.locale}", _phone(preview))


def sheet(title: str, note: str, rows: Sequence[Sequence[Preview]]) -> str:
    """A document with every phone: a row of them for each placement, what each says about itself below."""
    columns = _columns(rows)
    parts = [f"<header><h2>{escape(title)}</h2><p>{escape(note)}</p></header>"]
    for row in rows:
        placement = row[0].placement
        figures = "".join(f"<figure>{_phone(each)}{_caption(each)}</figure>" for each in row)
        grid = f'<div class="row" style="grid-template-columns:repeat({columns},{WIDTH}px)">{figures}</div>'
        parts.append(f"<h3>{escape(placement.id)} ({escape(placement.channel)})</h3>{grid}")
    return _document(title, f'<div class="sheet">{"".join(parts)}</div>')


def sheet_size(rows: Sequence[Sequence[Preview]]) -> tuple[int, int]:
    """Width and height of the sheet in CSS pixels."""
    columns = _columns(rows)
    lines = sum(-(-len(row) // columns) for row in rows)
    width = 2 * GAP + columns * WIDTH + (columns - 1) * GAP
    return width, HEAD + GAP + len(rows) * ROW_HEAD + lines * (HEIGHT + CAPTION) + (lines - len(rows)) * GAP


def _columns(rows: Sequence[Sequence[Preview]]) -> int:
    return min(COLUMNS, max(len(row) for row in rows))


def _document(title: str, body: str) -> str:
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"><style>{_STYLE}</style>{body}</html>\n'
    )


def _phone(preview: Preview) -> str:
    item = preview.item
    direction = "ltr" if item is None else item.representation.dir
    head = f'<div class="bar"><span>{TIME}</span><i></i></div>'
    top = f'<div class="top">Offing<small>{escape(preview.placement.id)}</small></div>'
    if item is None:
        shown = _nothing(preview)
    elif preview.message is not None:
        shown = _bubble(item)
    else:
        shown = _card(item)
    lang = escape(preview.locale)
    rest = "" if preview.message is not None else '<div class="rest"><i></i><i></i><i></i></div>'
    return f'<div class="phone" lang="{lang}" dir="{direction}">{head}{top}{shown}{rest}</div>'


def _card(item: Item) -> str:
    words = item.representation
    colour, alt = escape(words.image.placeholder), escape(words.image.alt)
    image = f'<div class="image" style="background-color:{colour}">{_SEA}<span>{alt}</span></div>'
    price = "" if item.price is None else _price(item.price)
    return (
        f'<div class="card">{image}<div class="words"><h1>{escape(words.title)}</h1><p>{escape(words.body)}</p>{price}'
        f'<span class="button">{escape(words.button)}</span>'
        f'<p class="why"><b>i</b>{escape(words.why_shown)}</p></div></div>'
    )


def _price(price: PriceTag) -> str:
    prior = "" if price.prior is None else f"<del>{escape(price.prior.text)}</del>"
    return f'<p class="price">{escape(price.text)}{prior}</p>'


def _bubble(item: Item) -> str:
    words = item.representation
    return f'<div class="sms"><p>{escape(words.sms or "")}</p><small>{escape(words.why_shown)}</small></div>'


def _nothing(preview: Preview) -> str:
    missing = ", ".join(f"{{{name}}}" for name in preview.missing)
    return f'<div class="none">Nothing is shown: {escape(missing)} has no value here.</div>'


def _caption(preview: Preview) -> str:
    lengths = " · ".join(
        f'<span class="{"" if each.fits else "over"}">{escape(str(each))}</span>' for each in preview.lengths
    )
    if preview.message is not None:
        lengths += f" · {preview.message}"
    lines = [f"<b>{escape(preview.locale)}</b>", lengths]
    if preview.examples:
        lines.append(f"Examples: {escape('; '.join(preview.examples))}")
    return f"<figcaption>{'<br>'.join(lines)}</figcaption>"
