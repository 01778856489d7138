"""`experiment:` - which customers see the offer otherwise, or not at all, so that the difference can be read."""

from collections.abc import Mapping
from pathlib import Path

from offers.campaign_draft import Draft
from offers.campaign_offer import ID, ID_EXAMPLE
from offers.experiment import RESERVED, Arm, Experiment, Holdout, Step
from streams.findings import shown
from streams.positioned_yaml import MapNode, Node, read_file
from streams.sheet import Sheet
from streams.units import share

KEYS = ("id", "holdout", "arms", "ramp", "others")
STEP_KEYS = ("from", "share")
HOLDOUT_KEYS = ("id", "share")
OTHERS_SEE = ("as_written", "nothing")
FINEST = 10_000
"""Shares are whole hundredths of a percent."""
MAX_ARMS = 8
MAX_STEPS = 20
ONLY = Arm("shown", 1.0)
"""The arm of an experiment that names none."""
Fields = Mapping[str, Node]


def read_experiment(draft: Draft, node: Node | None) -> Experiment | None:
    """How the customers are divided; what each arm shows is campaign_arms'."""
    if node is None:
        return None
    sheet = draft.sheet
    own = sheet.fields(node, "experiment", KEYS, ("id",))
    name = sheet.matching(own["id"], "experiment.id", ID, ID_EXAMPLE) if "id" in own else None
    arms = _arms(draft, own["arms"]) if "arms" in own else (ONLY,)
    experiment = Experiment(
        id=name or "",
        arms=arms,
        holdout=_holdout(sheet, own["holdout"], "experiment.holdout") if "holdout" in own else 0.0,
        ramp=_ramp(draft, own["ramp"]) if "ramp" in own else (),
        others_see=_others_see(sheet, own),
    )
    if isinstance(node, MapNode):
        _check_whole(sheet, node, own, experiment)
    return experiment


def _check_whole(sheet: Sheet, node: Node, own: Fields, experiment: Experiment) -> None:
    if not {"holdout", "arms", "ramp"} & set(own):
        hint = "Add one of them, or remove it."
        sheet.error(node, "KEY_MISSING", "experiment has neither 'holdout' nor 'arms' nor 'ramp'.", hint)
    if "ramp" in own and "arms" not in own and experiment.others_see:
        hint = "Add 'others: nothing', or arms."
        message = "a ramp without arms changes nothing while the others see the offer too."
        sheet.error(own["ramp"], "KEYS_TOGETHER", message, hint)


def _others_see(sheet: Sheet, own: Fields) -> bool:
    return "others" not in own or sheet.choice(own["others"], "experiment.others", OTHERS_SEE) != "nothing"


def _holdout(sheet: Sheet, node: Node, name: str) -> float:
    found = _share(sheet, node, name) or 0.0
    if found >= 1:
        sheet.error(node, "OUT_OF_RANGE", f"{name} is 100 %: nobody would see it.", "Write such as '10 %'.")
    return found


def _share(sheet: Sheet, node: Node, name: str) -> float | None:
    """A share in hundredths of a percent, as a part of 1."""
    found = sheet.parsed(node, name, share)
    if found is None:
        return None
    parts = round(found * FINEST)
    if abs(found * FINEST - parts) > 1e-6:
        sheet.error(node, "NUMBER_INVALID", f"{name} is finer than 0.01 %.", f"Write '{parts / 100:g} %'.")
    return parts / FINEST


def _arms(draft: Draft, node: Node) -> tuple[Arm, ...]:
    """The names and shares; 100 % together at most."""
    sheet, found = draft.sheet, []
    for name, (word, value) in sheet.entries(node, "experiment.arms", "{control: 50 %, deeper: ...}").items():
        if name in RESERVED:
            hint = "Take another name, such as 'control'."
            sheet.error(word, "NAME_INVALID", f"an arm cannot be called {shown(name)}.", hint)
        sheet.matching(word, "the name of an arm", ID, ID_EXAMPLE)
        share_node = value if not isinstance(value, MapNode) else _inner(value, "share")
        if share_node is None:
            sheet.error(value, "KEY_MISSING", f"arm {name} has no 'share'.", "Add 'share: 50 %'.")
            continue
        found.append(Arm(name, _share(sheet, share_node, f"{name}.share") or 0.0))
    if isinstance(node, MapNode) and not node.entries:
        sheet.error(node, "EMPTY_VALUE", "experiment.arms names no arm.", "Name some, or remove the key.")
    if len(found) > MAX_ARMS:
        sheet.error(node, "OUT_OF_RANGE", f"{len(found)} arms.", f"Write at most {MAX_ARMS}.")
    total = sum(round(arm.share * FINEST) for arm in found)
    if total > FINEST:
        sheet.error(node, "SHARES_EXCEED", f"the arms have {total / 100:g} % together.", "Lower them to 100 %.")
    return tuple(found)


def _ramp(draft: Draft, node: Node) -> tuple[Step, ...]:
    """Steps forward in time that reach ever more; 0 % before the first."""
    sheet, steps = draft.sheet, list[Step]()
    items = sheet.items(node, "experiment.ramp")
    if len(items) > MAX_STEPS:
        sheet.error(node, "OUT_OF_RANGE", f"experiment.ramp has {len(items)} steps.", f"Write at most {MAX_STEPS}.")
        return ()
    for item in items:
        own = sheet.fields(item, "a step of the ramp", STEP_KEYS, STEP_KEYS)
        at = draft.instant(own["from"], "experiment.ramp.from") if "from" in own else None
        reaches = _share(sheet, own["share"], "experiment.ramp.share") if "share" in own else None
        if at is None or reaches is None:
            continue
        if steps and at.at <= steps[-1].at:
            message = "this step of the ramp does not come after the one before it."
            sheet.error(own["from"], "RAMP_ORDER", message, "Write the steps by date.")
        elif steps and reaches <= steps[-1].share:
            message = f"the ramp goes from {steps[-1].share * 100:g} % to {reaches * 100:g} %; it only rises."
            sheet.error(own["share"], "RAMP_ORDER", message, "Write a larger share, or remove the step.")
        steps.append(Step(at.at, reaches))
    return tuple(steps)


def read_holdout(file: Path, sheet: Sheet) -> Holdout | None:
    """The holdout of policies.yaml, from which customers see no campaign. The file's own form is checked elsewhere."""
    root, _ = read_file(file, sheet.path) if file.exists() else (None, [])
    node = _inner(root, "holdout")
    if node is None:
        return None
    own = sheet.fields(node, "holdout", HOLDOUT_KEYS, HOLDOUT_KEYS)
    name = sheet.matching(own["id"], "holdout.id", ID, ID_EXAMPLE) if "id" in own else None
    held = _holdout(sheet, own["share"], "holdout.share") if "share" in own else 0.0
    return Holdout(name or "", held, sheet.where(node))


def _inner(node: Node | None, key: str) -> Node | None:
    found = node.entries.get(key) if isinstance(node, MapNode) else None
    return None if found is None else found[1]
