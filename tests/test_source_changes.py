"""Two versions of a YAML file: what differs, in the words it is written in, with both places."""

from offers.source_changes import SourceChange, changes
from streams.positioned_yaml import read_yaml


def between(before: str, after: str) -> list[SourceChange]:
    roots = []
    for text in (before, after):
        root, findings = read_yaml(text.encode(), "f.yaml")
        assert root is not None and not findings
        roots.append(root)
    return list(changes(("old.yaml", roots[0]), ("new.yaml", roots[1])))


def told(before: str, after: str) -> list[str]:
    return [str(change) for change in between(before, after)]


def test_a_value_is_told_with_both_places() -> None:
    (change,) = between("price: {discount: 30 %}\n", "# more\nprice:\n  discount: 40 %\n")
    assert change == SourceChange("price.discount", "changed", "30 %", "40 %", "old.yaml:1:19", "new.yaml:3:13")
    assert str(change) == "price.discount 30 % -> 40 %"


def test_layout_quotes_comments_and_the_order_of_keys_are_no_change() -> None:
    before = 'a: {x: 1, y: [p, q]}\nb: "gold"\n'
    after = "# why\nb: gold\na:\n  y:\n    - p\n    - q\n  x: 1\n"
    assert told(before, after) == []


def test_keys_come_and_go() -> None:
    found = between("a: 1\nlever: 1.2\n", "a: 1\nttl: 15 min\n")
    assert [str(change) for change in found] == ["lever removed 1.2", "ttl added 15 min"]
    assert [(change.before_at, change.after_at) for change in found] == [("old.yaml:2:1", ""), ("", "new.yaml:2:1")]


def test_conditions_on_one_fact_are_held_against_each_other() -> None:
    before = "eligibility:\n  - customer.tier: {at_least: gold}\n  - customer.pet: true\n"
    after = "eligibility:\n  - customer.children: 2\n  - customer.tier: {at_least: silver}\n"
    assert told(before, after) == [
        "eligibility.customer.tier.at_least gold -> silver",
        "eligibility removed {customer.pet: true}",
        "eligibility added {customer.children: 2}",
    ]


def test_of_several_limits_the_likest_is_the_same_one() -> None:
    before = (
        "limits:\n  - {count: exposure, per: customer, at_most: 3}\n  - {count: exposure, per: booking, at_most: 1}\n"
    )
    after = "limits:\n  - {count: exposure, per: booking, at_most: 2}\n"
    assert told(before, after) == [
        "limits removed {count: exposure, per: customer, at_most: 3}",
        "limits.at_most 1 -> 2",
    ]


def test_placements_are_told_one_by_one() -> None:
    assert told("placements: [a, b]\n", "placements: [b, c]\n") == ["placements removed a", "placements added c"]


def test_the_same_in_another_order_is_said_to_be_that() -> None:
    assert told("levels: [blue, gold]\n", "levels: [gold, blue]\n") == ["levels in another order"]


def test_a_value_that_becomes_a_mapping_is_told_whole() -> None:
    assert told("tier: gold\n", "tier: {is: gold, on_missing: pass}\n") == ["tier gold -> {is: gold, on_missing: pass}"]


def test_texts_of_several_lines_are_told_in_one() -> None:
    assert told('body: "a: b"\n', "body: |\n  one\n  two\n") == ['body "a: b" -> "one two"']
