"""`on_stop:` - what becomes of an offer that is already shown, or reserved, when its campaign is stopped."""

from offers.campaign_draft import Draft, no_effect
from offers.offer import OnStop
from streams.positioned_yaml import Node

KEYS = ("shown", "reserved")
SHOWN = ("withdraw", "honour_until_expiry")
RESERVED = ("honour", "cancel")


def read_on_stop(draft: Draft, node: Node | None) -> OnStop:
    """What the campaign says, or that what is shown is taken back."""
    if node is None:
        return OnStop()
    fields = draft.sheet.fields(node, "on_stop", KEYS)
    shown = draft.sheet.choice(fields["shown"], "on_stop.shown", SHOWN) if "shown" in fields else None
    if "reserved" in fields:
        draft.sheet.choice(fields["reserved"], "on_stop.reserved", RESERVED)
        no_effect(draft.sheet, fields["reserved"], "on_stop.reserved", "nothing is reserved")
    return OnStop(honours_shown=shown == "honour_until_expiry")
