"""A whole campaign folder: checked, with every finding of every file in one run; loaded if it has no errors.

attributes.yaml, places/, placements.yaml, seasons.yaml, images.yaml and policies.yaml declare what campaigns may name,
features.yaml what a model looks at.
Every other *.yaml below the folder is one campaign, but for the top-level folders places, groups, schema and tests.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from offers.campaign import ReadCampaign, read_campaign
from offers.campaign_analysis import Declared, analyse
from offers.campaign_approvals import check_approvals, read_approvals
from offers.campaign_conditions import NAMED_FILE
from offers.campaign_draft import ALWAYS_PURPOSES, Vocabulary
from offers.campaign_experiment import read_holdout
from offers.campaign_groups import FOLDER as GROUPS
from offers.campaign_groups import check_duties, check_inheritance, read_inheritance, with_disclosures
from offers.campaign_inherit import follows, inherit, is_whole
from offers.campaign_named import read_named
from offers.campaign_policies import check_budget, read_budgets, read_quiet_hours
from offers.campaign_shadowed import check_shadowed
from offers.campaign_stacking import odd
from offers.campaign_trials import check_experiments
from offers.deployment_files import (
    IMAGES,
    PLACEMENTS,
    POLICIES,
    SEASONS,
    policy_fields,
    read_global_limits,
    read_images,
    read_placements,
    read_seasons,
)
from offers.market_source import MarketSource
from offers.market_view import MarketView
from offers.offer import CampaignFolder, Limit
from offers.read_before import NOTHING, ReadBefore, ReadFile, remembered, text_of
from offers.season import Season
from offers.template import placeholders
from streams.attribute_file import FILE as ATTRIBUTES
from streams.attribute_file import read_attributes
from streams.attributes import Attribute, AttributeSet, attribute_set
from streams.errors import InvalidInput
from streams.feature_file import FILE as FEATURES
from streams.feature_file import read_features
from streams.fence_reach import far_fences
from streams.findings import Finding, Severity, did_you_mean, has_errors, shown
from streams.place_files import load_places
from streams.places import Places, fence_warnings
from streams.positioned_yaml import Node, TextNode, read_file
from streams.sheet import Sheet

PLACES = "places"
NO_CAMPAIGNS = frozenset({PLACES, GROUPS, "schema", "tests"})
OWN_FILES = frozenset({ATTRIBUTES, FEATURES, PLACEMENTS, SEASONS, IMAGES, POLICIES, NAMED_FILE})
MAX_CAMPAIGNS = 200_000
MAX_FINDINGS = 1_000
FOLLOW_UPS = {
    PLACEMENTS: frozenset({"UNKNOWN_PLACEMENT", "UNKNOWN_CHANNEL"}),
    SEASONS: frozenset({"UNKNOWN_SEASON"}),
    IMAGES: frozenset({"UNKNOWN_IMAGE"}),
    NAMED_FILE: frozenset({"UNKNOWN_CONDITION"}),
}
"""What a campaign would be blamed for when it is this file that cannot be read."""


Place = tuple[str, int, int, str]
"""(path, line, column, code) of a finding."""


@dataclass(frozen=True, slots=True)
class LoadedFolder:
    """What a folder holds; None for each part that has errors."""

    attributes: AttributeSet | None
    places: Places | None
    campaigns: CampaignFolder | None
    findings: tuple[Finding, ...]
    """Errors and warnings, by file, line and column."""
    market: MarketView | None = None
    """What they were held against."""
    read: ReadBefore = NOTHING
    """Its files, for whoever reads a folder in which most are the same."""


def load_folder(folder: Path, market: MarketSource | None = None) -> LoadedFolder:
    """Everything of a deployment. Reads files; raises nothing for what is in them, but what `market` raises."""
    return _load(folder, None, market)


def load_changed(folder: Path, before: ReadBefore) -> LoadedFolder:
    """load_folder() that reads only the campaigns that are not in `before`: files that stood beside the very same

    others. With an error anywhere it reads all of them.
    """
    found = _load(folder, None, before=before)
    return load_folder(folder) if has_errors(found.findings) else found


def load_campaign(folder: Path, file: Path) -> LoadedFolder:
    """One campaign with all it may name; its findings, and those of the files beside the campaigns."""
    return _load(folder, file)


def load_declared(folder: Path) -> LoadedFolder:
    """Its attributes and places alone, with what is wrong in them."""
    if not folder.is_dir():
        message, hint = f"{folder} is not a folder.", "Name the folder that attributes.yaml is in."
        return LoadedFolder(None, None, None, (Finding(".", 1, 1, "FOLDER_MISSING", message, hint),))
    declared, findings = read_attributes(folder / ATTRIBUTES)
    attributes = None if has_errors(findings) else _attribute_set(declared, findings)
    if attributes is not None:
        features, found = read_features(folder / FEATURES, attributes)
        attributes = replace(attributes, features=features)
        findings.extend(found)
    places = _places(folder, findings)
    return LoadedFolder(attributes, places, None, _sorted(findings))


def _load(
    folder: Path, only: Path | None, market: MarketSource | None = None, before: ReadBefore = NOTHING
) -> LoadedFolder:
    declared = load_declared(folder)
    if declared.attributes is None or declared.places is None:
        return declared
    checker = _Checker(folder, declared.attributes, declared.places, before)
    if market is not None:
        checker.words = replace(checker.words, market=market(checker.words))
    campaigns, found = _checked(checker, only)
    every = _sorted((*declared.findings, *found))
    campaigns = None if has_errors(declared.findings) else campaigns
    read = ReadBefore(checker.kept)
    return LoadedFolder(declared.attributes, declared.places, campaigns, every, checker.words.market, read)


def check_folder(
    folder: Path, attributes: AttributeSet, places: Places, only: Path | None = None
) -> tuple[CampaignFolder | None, tuple[Finding, ...]]:
    """The campaigns of a folder against the attributes and places given; None if any file has an error.

    `only`: this one file, whatever the others say.
    """
    return _checked(_Checker(folder, attributes, places), only)


def _checked(checker: "_Checker", only: Path | None) -> tuple[CampaignFolder | None, tuple[Finding, ...]]:
    found = checker.campaigns() if only is None else checker.alone(only)
    findings = _sorted(checker.findings())
    if has_errors(findings):
        return None, findings
    return checker.checked(found), findings


def campaign_files(folder: Path) -> Iterator[Path]:
    """Every file that is, or was meant to be, a campaign; in the order of their paths."""
    for file in sorted(folder.rglob("*.y*ml")):
        parts = file.relative_to(folder).parts
        hidden = any(part.startswith(".") for part in parts)
        if file.suffix not in (".yaml", ".yml") or hidden or parts[0] in NO_CAMPAIGNS | OWN_FILES or file.is_dir():
            continue
        yield file


class _Checker:
    """Reads a folder once; every file gets a sheet of its own."""

    def __init__(self, folder: Path, attributes: AttributeSet, places: Places, before: ReadBefore = NOTHING) -> None:
        self.folder = folder
        self.before = before
        self.kept: dict[bytes, ReadFile] = {}
        self.sheets = {name: Sheet(name) for name in (PLACEMENTS, SEASONS, IMAGES, NAMED_FILE, POLICIES)}
        placements, self.fallbacks = read_placements(folder, self.sheets[PLACEMENTS])
        self.seasons: tuple[Season, ...] = read_seasons(folder, self.sheets[SEASONS])
        purposes = {attribute.purpose for attribute in attributes.by_name.values() if attribute.purpose is not None}
        declared = Vocabulary(
            attributes=attributes,
            places=places,
            placements=placements,
            seasons=tuple(season.name for season in self.seasons),
            images=read_images(folder, self.sheets[IMAGES]),
            placeholders=placeholders(attributes),
            purposes=frozenset((*purposes, *ALWAYS_PURPOSES)),
        )
        self.words = replace(declared, conditions=read_named(folder, self.sheets[NAMED_FILE], declared))
        policies = policy_fields(folder, self.sheets[POLICIES])
        self.global_limits: tuple[Limit, ...] = read_global_limits(policies, self.sheets[POLICIES], self.words)
        self.inherited = read_inheritance(folder, policies)
        self.quiet = read_quiet_hours(self.sheets[POLICIES], self.words, policies.get("quiet_hours"))
        self.budgets = read_budgets(self.sheets[POLICIES], policies.get("budgets"))
        self.approvals_node = policies.get("approvals")
        self.approvals = read_approvals(self.sheets[POLICIES], self.approvals_node)
        check_duties(policies.get("duties"), self.words, self.sheets[POLICIES])
        self._shared(check_inheritance(folder, self.inherited, self.words, self.sheets[POLICIES]))
        self.holdout = read_holdout(folder / POLICIES, self.sheets[POLICIES])
        self.errors = 0
        self.warnings = 0
        """Of the campaigns read so far: people read on after warnings, but not after a thousand of them."""
        self.unread = False
        """Whether some campaign could not be read, so that its ids are not known."""

    def campaigns(self) -> list[ReadCampaign]:
        """Every campaign without errors, checked against each other."""
        files = list(islice(campaign_files(self.folder), MAX_CAMPAIGNS + 1))
        if len(files) > MAX_CAMPAIGNS:
            message = f"more than {MAX_CAMPAIGNS:,} campaigns."
            hint = "Remove those that have ended, or run a second namespace."
            self.sheet(".").error(_top(), "FOLDER_TOO_BIG", message, hint)
            return []
        found = [read for file in self.until_too_many(files) if (read := self.known_or_read(file)) is not None]
        self.check_twice(found)
        check_experiments(found, self.holdout, self.sheet)
        self.check_fallbacks(found)
        self.check_stacking(found)
        if not self.unread:
            check_approvals(self.sheets[POLICIES], self.approvals_node, [read.campaign for read in found])
        return found

    def alone(self, file: Path) -> list[ReadCampaign]:
        """One campaign; it is not checked against the others."""
        found = self.campaign(file)
        return [] if found is None else [found]

    def until_too_many(self, files: Iterable[Path]) -> Iterator[Path]:
        """The files, until nobody would read on."""
        for file in files:
            if self.errors >= MAX_FINDINGS:
                self.sheet(".").error(
                    _top(), "TOO_MANY_FINDINGS", "checking stopped here.", "Mend these, then check again."
                )
                self.unread = True
                return
            yield file
        if self.warnings > MAX_FINDINGS:
            message = f"{self.warnings - MAX_FINDINGS:,} more warnings are not shown."
            self.sheet(".").warn(_top(), "TOO_MANY_FINDINGS", message, "Mend these, then check again.")

    def count(self, sheet: Sheet) -> None:
        """Errors stop the reading at some point; warnings never do, but only the first ones are kept."""
        errors = [finding for finding in sheet.findings if finding.severity is Severity.ERROR]
        warnings = [finding for finding in sheet.findings if finding.severity is Severity.WARNING]
        room = max(MAX_FINDINGS - self.warnings, 0)
        self.errors += len(errors)
        self.warnings += len(warnings)
        sheet.findings[:] = errors + warnings[:room]

    def _shared(self, groups: Iterable[Sheet]) -> None:
        """What is said of files that campaigns take from, which is not to be said again of each campaign."""
        self.sheets.update((sheet.path, sheet) for sheet in groups)
        said = (finding for sheet in self.sheets.values() for finding in sheet.findings)
        self.told = frozenset(_place(finding) for finding in said)

    def sheet(self, path: str) -> Sheet:
        return self.sheets.setdefault(path, Sheet(path))

    def known_or_read(self, file: Path) -> ReadCampaign | None:
        """A campaign as it was read before, if it was; what is read without errors is kept for the next time."""
        path = file.relative_to(self.folder).as_posix()
        text = text_of(path, file)
        known = self.before.files.get(text)
        if known is None:
            found = self.campaign(file)
            if found is not None and text and self.warnings < MAX_FINDINGS:  # beyond them some are left out
                self.kept[text] = remembered(found, self.sheet(path).findings)
            return found
        self.kept[text] = known
        sheet = self.sheet(path)
        sheet.findings.extend(known.warnings)
        self.count(sheet)
        return known.read

    def campaign(self, file: Path) -> ReadCampaign | None:
        sheet = self.sheet(file.relative_to(self.folder).as_posix())
        if file.suffix == ".yml":
            sheet.error(_top(), "WRONG_SUFFIX", "files that end in .yml are not read.", "Rename it to .yaml.")
            return None
        root, findings = read_file(file, sheet.path)
        sheet.findings.extend(findings)
        found = None if root is None else self.read(sheet, inherit(sheet, self.inherited, root))
        if root is not None and not is_whole(self.inherited, root):
            found = None
            sheet.findings[:] = [finding for finding in sheet.findings if not follows(finding)]
        self.unread = self.unread or found is None
        sheet.findings[:] = [finding for finding in sheet.findings if _place(finding) not in self.told]
        self.count(sheet)
        return found

    def read(self, sheet: Sheet, root: Node) -> ReadCampaign | None:
        """A campaign with all that it inherits."""
        check_budget(sheet, self.budgets, root)
        found = read_campaign(sheet, self.words, root)
        if found is None:
            return None
        analyse(sheet, Declared(self.words, self.seasons), found, root)
        check_shadowed(sheet, found.campaign.offer, self.global_limits)
        return with_disclosures(found, self.inherited)

    def check_twice(self, found: Iterable[ReadCampaign]) -> None:
        """DUPLICATE_ID of campaigns and of offers, at the second one."""
        first: dict[tuple[str, str], str] = {}
        for read in found:
            ids = (
                ("campaign", read.campaign.id, read.campaign_node),
                ("offer", read.campaign.offer.id, read.offer_node),
            )
            for what, name, node in ids:
                sheet = self.sheet(read.campaign.path)
                if (what, name) in first:
                    message = f"{what} {shown(name)} is at {first[what, name]} already."
                    sheet.error(node, "DUPLICATE_ID", message, "Take another id.")
                first.setdefault((what, name), sheet.where(node))

    def check_fallbacks(self, found: Iterable[ReadCampaign]) -> None:
        """Each placement's fallback is there, marked, and written for that placement."""
        offers = {read.campaign.offer.id: read.campaign.offer for read in found}
        sheet = self.sheets[PLACEMENTS]
        for fallback in self.fallbacks:
            offer = offers.get(fallback.offer_id)
            if offer is None:
                if not self.unread:
                    hint = did_you_mean(fallback.offer_id, offers) or "Write the id of an offer."
                    sheet.error(fallback.node, "UNKNOWN_OFFER", f"there is no offer {shown(fallback.offer_id)}.", hint)
            elif not offer.fallback:
                message = f"offer {shown(offer.id)} ({offer.where}) is not marked as a fallback."
                sheet.error(fallback.node, "FALLBACK_UNFIT", message, "Add 'fallback: true' to it.")
            elif fallback.placement not in offer.placements:
                message = f"offer {shown(offer.id)} ({offer.where}) is not for {fallback.placement}."
                sheet.error(fallback.node, "FALLBACK_UNFIT", message, f"Add {fallback.placement} to its placements.")

    def check_stacking(self, found: Iterable[ReadCampaign]) -> None:
        """Exclusivity groups and tags that only one offer names, where all offers are known."""
        if not self.unread:
            paths = {read.campaign.offer.id: read.campaign.path for read in found}
            for offer, warning in odd(read.campaign.offer for read in found):
                self.sheet(paths[offer.id]).warn(warning.node, warning.code, warning.message, warning.hint)

    def findings(self) -> Iterator[Finding]:
        """All of them, but for what follows from a file beside the campaigns that is broken itself."""
        broken = [codes for name, codes in FOLLOW_UPS.items() if self.sheets[name].failed]
        follow_ups = frozenset().union(*broken)
        for sheet in self.sheets.values():
            yield from (each for each in sheet.findings if each.code not in follow_ups or each.path in FOLLOW_UPS)

    def checked(self, found: Iterable[ReadCampaign]) -> CampaignFolder:
        return CampaignFolder(
            campaigns=tuple(sorted((read.campaign for read in found), key=lambda campaign: campaign.id)),
            placements=self.words.placements,
            seasons=self.seasons,
            global_limits=self.global_limits,
            holdout=self.holdout,
            quiet=self.quiet,
            approvals=self.approvals,
        )


def _attribute_set(declared: tuple[Attribute, ...], findings: list[Finding]) -> AttributeSet | None:
    try:
        return attribute_set(declared)
    except InvalidInput as error:
        findings.append(Finding(ATTRIBUTES, 1, 1, error.code, error.message))
        return None


def _places(folder: Path, findings: list[Finding]) -> Places | None:
    """The places, with warnings about their fences."""
    try:
        places = load_places(folder / PLACES)
    except InvalidInput as error:
        file, colon, message = error.message.partition(": ")
        path = f"{PLACES}/{file}" if colon and (folder / PLACES / file).is_file() else PLACES
        findings.append(Finding(path, 1, 1, error.code, message if path != PLACES else error.message))
        return None
    for warning in (*fence_warnings(places), *far_fences(places)):
        path = f"{PLACES}/fences.geojson"
        findings.append(Finding(path, 1, 1, warning.code, warning.message, severity=Severity.WARNING))
    return places


def _place(finding: Finding) -> Place:
    return finding.path, finding.line, finding.column, finding.code


def _top() -> Node:
    return TextNode("", True, 1, 1)


def _sorted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings))
