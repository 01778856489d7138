"""Approval rules: who besides its author must agree before a change becomes active. `approvals:` in policies.yaml."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Subject = Literal["collection", "owner", "everything_else"]


@dataclass(frozen=True, slots=True)
class ApprovalRule:
    """Some campaigns, and the people of whom one must approve a change of them."""

    subject: Subject
    name: str
    """The collection, or the beginning of owners; empty: what no other rule is about."""
    by: tuple[str, ...]
    self_approval: bool = False
    """`self`: whether one of them may approve what they published themselves."""

    @property
    def about(self) -> str:
        """Whose changes these are, in words.

        >>> ApprovalRule("owner", "marketing", ("anna",)).about
        'owner marketing'
        """
        return f"{self.subject} {self.name}" if self.name else "everything else"

    @property
    def wanted(self) -> str:
        """Of whom it wants a word.

        >>> ApprovalRule("collection", "cabins", ("anna", "marco")).wanted
        'anna or marco for collection cabins'
        """
        return f"{' or '.join(self.by)} for {self.about}"


Rules = tuple[ApprovalRule, ...]


def owner_and_above(owner: str) -> Iterator[str]:
    """An owner, and what its name begins with, the longest first.

    >>> list(owner_and_above("marketing.sardinia"))
    ['marketing.sardinia', 'marketing']
    """
    while owner:
        yield owner
        owner = owner.rpartition(".")[0]


def told(rules: Iterable[ApprovalRule]) -> str:
    """Of whom a word is wanted, in one line."""
    return "; ".join(rule.wanted for rule in rules)
