"""`approvals:` of policies.yaml: which changes need a second person before they are active, and who that may be."""

from collections.abc import Iterable, Iterator

from offers.approval_rules import ApprovalRule, Rules, Subject, owner_and_above
from offers.campaign import OWNER, OWNER_EXAMPLE
from offers.campaign_offer import ID, ID_EXAMPLE
from offers.offer import Campaign
from streams.findings import did_you_mean, shown
from streams.positioned_yaml import MapNode, Node, TextNode
from streams.sheet import Sheet

KEYS = ("collections", "owners", "everything_else")
FORMS = {"collections": (ID, ID_EXAMPLE), "owners": (OWNER, OWNER_EXAMPLE)}
RULE_KEYS = ("by", "self")
NOBODY = "nobody"
MAX_PERSON = 128


def read_approvals(sheet: Sheet, node: Node | None) -> Rules:
    """`{collections: {cabins: {by: [anna, marco]}}, owners: {marketing: {by: anna}}, everything_else: nobody}`."""
    fields = sheet.fields(node, "approvals", KEYS) if node is not None else {}
    found = [_rule(sheet, "collection", *each) for each in _named(sheet, fields, "collections")]
    found += [_rule(sheet, "owner", *each) for each in _named(sheet, fields, "owners")]
    if "everything_else" in fields:
        found.append(_everything_else(sheet, fields["everything_else"]))
    return tuple(rule for rule in found if rule is not None)


def check_approvals(sheet: Sheet, node: Node | None, campaigns: Iterable[Campaign]) -> None:
    """APPROVAL_OF_NOTHING, a warning: the name of a rule that no campaign has, so that it keeps nothing back."""
    if not isinstance(node, MapNode):
        return
    known = list(campaigns)
    there = {
        "collections": {each.offer.facts.collection for each in known} - {""},
        "owners": {owner for each in known for owner in owner_and_above(each.owner)},
    }
    for key, names in there.items():
        rules = node.entries[key][1] if key in node.entries else None
        form = FORMS[key][0]
        for name, (word, _) in rules.entries.items() if isinstance(rules, MapNode) else ():
            if form.fullmatch(name) and name not in names:
                what = "is in collection" if key == "collections" else "has the owner"
                hint = did_you_mean(name, names) or "Correct it, or remove it until there is one."
                sheet.warn(word, "APPROVAL_OF_NOTHING", f"no campaign {what} {shown(name)}.", hint)


def _named(sheet: Sheet, fields: dict[str, Node], key: str) -> Iterator[tuple[str, Node]]:
    """(name, node) of each rule."""
    form, example = FORMS[key]
    if key in fields:
        for name, (word, value) in sheet.entries(fields[key], key, "names and who approves").items():
            sheet.matching(word, f"a name in {key}", form, example)
            yield name, value


def _rule(sheet: Sheet, subject: Subject, name: str, node: Node) -> ApprovalRule | None:
    about = f"{subject} {name}" if name else subject
    fields = sheet.fields(node, f"the approval of {about}", RULE_KEYS, ("by",))
    people = tuple(_people(sheet, fields["by"])) if "by" in fields else ()
    own = (sheet.boolean(fields["self"], "self") or False) if "self" in fields else False
    if len(people) == 1 and not own:
        message = f"{people[0]} alone may approve {about}, and never what {people[0]} published."
        sheet.warn(fields["by"], "APPROVER_ALONE", message, "Name a second person.")
    return ApprovalRule(subject, name, people, own) if people else None


def _everything_else(sheet: Sheet, node: Node) -> ApprovalRule | None:
    if isinstance(node, MapNode):
        return _rule(sheet, "everything_else", "", node)
    text = sheet.text(node, "everything_else")
    if text is not None and text != NOBODY:
        message = f"everything_else cannot be {shown(text)}."
        sheet.error(node, "UNKNOWN_CHOICE", message, f"Write nobody, or {{by: [{text}, SOMEBODY ELSE]}}.")
    return None


def _people(sheet: Sheet, node: Node) -> Iterator[str]:
    """Each once. `nobody` is nobody's name: a rule that nobody can meet would keep everything back for ever."""
    seen: set[str] = set()
    for item in sheet.one_or_more(node, "by"):
        person = sheet.text(item, "by", MAX_PERSON)
        if person == NOBODY and isinstance(item, TextNode):
            sheet.error(item, "UNKNOWN_CHOICE", "by cannot be 'nobody'.", "Name people, or remove the rule.")
        elif person in seen:
            sheet.error(item, "LISTED_TWICE", f"by lists {shown(person)} twice.", "Remove one.")
        elif person is not None:
            seen.add(person)
            yield person
