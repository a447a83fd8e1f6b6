"""Packages that others made, and what is expected of them; skipped where they are absent."""

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from storage.errors import JobFailed
from storage.packages.outcomes import Association, AssociationType, Content, ContentType, Failure, Outcome
from storage.packages.package import Package, read_package

SHARED = Path(__file__).resolve().parents[4] / "shared" / "packages"


def expectations(folder: str) -> list[Any]:
    file = SHARED / folder / "expected.json"
    if not file.exists():
        return []
    loaded = json.loads(file.read_text())
    return list(loaded.values()) if isinstance(loaded, dict) else loaded


class Reading:
    """What became of a package, in the words of the expectations."""

    def __init__(self, path: Path) -> None:
        self.package: Package | None = None
        self.outcomes: list[Outcome] = []
        self.refused = False
        with path.open("rb") as file:
            try:
                self.package = read_package(file)
                self.outcomes.extend(self.package.outcomes())
            except JobFailed:
                self.refused = True
        self.contents = [outcome for outcome in self.outcomes if isinstance(outcome, Content)]
        self.items: dict[str, list[Content]] = defaultdict(list)
        for content in self.contents:
            if content.type is not ContentType.CONTAINER:
                self.items[content.source_identifier.partition("#")[0]].append(content)
        failures = (outcome for outcome in self.outcomes if isinstance(outcome, Failure))
        self.failed = {failure.source_identifier.partition("#")[0] for failure in failures}

    @property
    def job(self) -> str:
        if self.refused or not self.items:
            return "FAILED"
        return "COMPLETED_WITH_ERRORS" if self.failed else "COMPLETED"

    def status(self, identifier: str) -> str:
        states = [identifier in self.items, identifier in self.failed]
        return {(True, False): "C", (False, True): "F", (True, True): "C+F"}.get((states[0], states[1]), "SKIPPED")

    def related(self, *types: AssociationType) -> Counter[tuple[str, str, int | None]]:
        named = {content.key: content.source_identifier for content in self.contents}
        found = [each for each in self.outcomes if isinstance(each, Association) and each.type in types]
        return Counter((named[each.source], named[each.target], each.sort_order) for each in found)


SHORT = {"COMPLETED": "C", "FAILED": "F", "ASSET": "SKIPPED"}


@pytest.mark.parametrize("expected", expectations("adversarial"), ids=lambda each: Path(each["file"]).stem)
def test_an_adversarial_package_ends_as_expected(expected: Any) -> None:
    reading = Reading(SHARED / "adversarial" / expected["file"])
    assert reading.job == expected["expect_job"]
    assert "root:" not in repr(reading.outcomes)
    if not reading.refused:
        for identifier, states in expected["expect_items"].items():
            allowed = {SHORT.get(state, state) for state in states.split("|")}
            assert reading.status(identifier) in allowed, identifier


REAL = expectations("real")


@pytest.mark.parametrize("expected", REAL, ids=lambda each: each["file"][:40])
def test_a_real_package_becomes_what_it_should(expected: Any) -> None:
    reading = Reading(SHARED / "real" / expected["file"])
    for resource in expected["resources"]:
        check_resource(reading, resource)
    known = {resource["id"] for resource in expected["resources"]}
    assert set(reading.items) <= known
    if not any(resource["questions"] == 0 for resource in expected["resources"]):
        assert reading.job == expected["job"]
    if reading.package:
        assert reading.package.format[:2] == {"QTI3": "QT", "CC": "CO"}[expected["format"]]


def check_resource(reading: Reading, resource: Any) -> None:
    items = reading.items.get(resource["id"], [])
    if resource["questions"] == 0:
        # The expectations call an assessment without questions COMPLETED; rule P3 says FAILED.
        assert reading.status(resource["id"]) == "F"
        return
    assert reading.status(resource["id"]) == SHORT.get(resource["status"], resource["status"]), resource["id"]
    assert len(items) == (resource["questions"] or 1) * (resource["status"] == "COMPLETED")
    for item in items:
        assert item.title == resource["title"]
        assert sorted(each.curriculum_item_id for each in item.alignments) == sorted(resource["guids"])
    if items and resource["questions"] is None:
        assert items[0].type == resource["kind"]
    if items and resource["kind"] == "QUESTION":
        assert items[0].question is not None
        kinds = [f"qti-{each.kind.lower().replace('_', '-')}-interaction" for each in items[0].question.interactions]
        assert kinds == resource["interactions"]


@pytest.mark.parametrize("expected", REAL, ids=lambda each: each["file"][:40])
def test_a_real_package_is_organized_as_it_should_be(expected: Any) -> None:
    reading = Reading(SHARED / "real" / expected["file"])
    if reading.refused or not reading.items:
        return
    edges = reading.related(AssociationType.STIMULUS, AssociationType.SEE_ALSO)
    assert {edge[:2] for edge in edges} == {tuple(edge[:2]) for edge in expected["dependency_edges"]}
    folders = [folder for folder in expected["containers"] if not folder["root"]]
    wanted = Counter(
        (child, parent, order) for child, parent, order, _ in expected["children"] if child in reading.items
    )
    wanted += Counter((folder["id"], folder["parent"], folder["order"]) for folder in folders)
    found = reading.related(AssociationType.IS_CHILD_OF)
    assert Counter({edge: n for edge, n in found.items() if edge[0].partition("#")[0] != edge[1]}) == wanted
    titles = {content.source_identifier: content.title for content in reading.contents if content.path is None}
    assert all(titles[folder["id"]] == (folder["title"] or folder["id"]) for folder in folders)
