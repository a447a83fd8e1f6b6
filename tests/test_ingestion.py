"""Packages through the front door: R-PKG, R-QTI, R-CC, R-DET, R-JOB, R-IMP-7, R-CARD-1, R-CARD-3."""

import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from dispatcher.settings import HARMLESS
from schema.pagination import encode
from storage import ingestions, integrations, jobs
from storage.intake import Intake
from storage.tables import ContentItem, Environment, IngestionItem, ItemState, Job
from storage.tables.columns import now
from tests.authoring import HAZARD, call, done, problems, show
from tests.ingesting import COURSE, QTI, READ, WRITE, Client, client, outcomes
from tests.packages.builders import (
    ASSESSMENT,
    CASE,
    CASE_2,
    WEB_LINK,
    assessment,
    bulk,
    cartridge,
    declaration,
    item,
    lom,
    package,
    qti3,
    question,
    resource,
    standards,
    stimulus,
    web_link,
)
from tests.processes import running
from tests.world import World, eventually

SHARED = Path(__file__).resolve().parents[2] / "shared" / "packages"

EVENTS = """query ($id: ID!) { ingestionJob(jobId: $id) { sequence events(first: 100) { nodes {
  sequence type payload
  jobEvent { state progress { percent completedUnits } item { itemId status contentItem { title } } }
} } } }"""
CANCEL = "mutation ($id: ID!) { cancelJob(input: {jobId: $id}) { job { state } errors { code } } }"
STANDING = """query ($id: ID!) { ingestionJob(jobId: $id) {
  status done: itemStatuses(status: COMPLETED) { totalCount } read: itemStatuses(status: PROCESSING) { totalCount }
} }"""
RETRY = "mutation ($id: ID!) { retryJob(input: {jobId: $id}) { job { state attempt } errors { code message } } }"


async def test_a_qti_package_becomes_typed_items_that_know_each_other(lectern: World) -> None:
    """R-PKG-1, R-PKG-3, R-QTI-1, R-ASC-1, R-ASC-2."""
    author = await client(lectern)
    job = await author.ingested(QTI, items=3)
    assert job["status"] == job["state"] == "COMPLETED"
    assert job["packageType"] == "QTI_3_0"
    assert job["packageIdentifier"] == "M1"
    assert job["warnings"] == []
    assert job["progress"] == {
        "percent": 100,
        "phase": None,
        "completedUnits": 3,
        "failedUnits": 0,
        "totalUnits": 3,
    }
    assert list(outcomes(job).items()) == [("q1", "COMPLETED"), ("s1", "COMPLETED"), ("a1", "COMPLETED")]
    kinds = [node["contentItem"]["__typename"] for node in job["itemStatuses"]["nodes"]]
    assert kinds == ["QuestionItem", "StimulusItem", "ArticleItem"]

    asked = await author.item(
        "q1",
        """contentType title difficulty sha256 version curriculumItemIds
        alignments { curriculumItemId uri label }
        ... on QuestionItem {
          body xml maxScore stimuli { title body questions { totalCount nodes { title } } }
          interactions {
            responseId kind prompt shuffle minChoices maxChoices cardinality baseType correctResponses
            choices { id text html side }
          }
        }
        associations { type sortOrder source { title } target { title } }""",
    )
    assert asked["contentType"] == "QUESTION"
    assert asked["xml"] == item()
    assert asked["curriculumItemIds"] == [CASE, CASE_2]
    assert [alignment["label"] for alignment in asked["alignments"]] == ["Standard", "Standard"]
    assert asked["interactions"] == [
        {
            "responseId": "RESPONSE",
            "kind": "CHOICE",
            "prompt": "2 + 2?",
            "shuffle": False,
            "minChoices": 0,
            "maxChoices": 1,
            "cardinality": "SINGLE",
            "baseType": "identifier",
            "correctResponses": ["B"],
            "choices": [
                {"id": "A", "text": "3", "html": "3", "side": None},
                {"id": "B", "text": "4", "html": "4", "side": None},
            ],
        }
    ]
    [stimulus] = asked["stimuli"]
    assert stimulus["questions"] == {"totalCount": 1, "nodes": [{"title": "Adding numbers"}]}
    assert "A passage." in stimulus["body"]
    related = {(it["type"], it["source"]["title"], it["target"]["title"]) for it in asked["associations"]}
    assert related == {
        ("STIMULUS", "Adding numbers", "A passage on sums"),
        ("SEE_ALSO", "Adding numbers", "How to add"),
    }


async def test_a_cartridge_becomes_pages_in_nested_containers(lectern: World) -> None:
    """R-CC-2, R-CC-4, R-CC-5, R-ASC-3: P9, P11, P12, P16."""
    author = await client(lectern)
    job = await author.ingested(COURSE, items=2)
    assert job["status"] == "COMPLETED"
    assert job["packageType"] == "COMMON_CARTRIDGE"
    assert outcomes(job) == {"p1": "COMPLETED", "p2": "COMPLETED"}, "a stylesheet has no status"

    below = "children(first: 9) { nodes { __typename title"
    fields = f"""title curriculumItemIds contentUrl containers {{ title }}
      ... on ContainerItem {{ {below} ... on ContainerItem {{ {below} }} }} }} }} }} }}"""
    [root] = [it for it in await author.items(fields, first=5, contentType="CONTAINER") if it["title"] == "Course"]
    assert root["containers"] == []
    assert root["contentUrl"] is None
    assert sorted(root["curriculumItemIds"]) == sorted([CASE, CASE_2])
    one, two = root["children"]["nodes"]
    assert (one["title"], two["title"]) == ("Unit 1", "Unit 2")
    assert [child["title"] for child in one["children"]["nodes"]] == ["Page one", "Page two", "Nothing yet"]
    assert [child["title"] for child in two["children"]["nodes"]] == ["Page two"]
    assert one["children"]["nodes"][2]["__typename"] == "ContainerItem", "an empty folder is one, too"

    fields = "containers { title } associations(type: IS_CHILD_OF) { sortOrder source { title } target { title } }"
    shared = await author.item("p2", fields)
    assert [container["title"] for container in shared["containers"]] == ["Unit 1", "Unit 2"]
    assert sorted((it["target"]["title"], it["sortOrder"]) for it in shared["associations"]) == [
        ("Unit 1", 1),
        ("Unit 2", 0),
    ]


async def test_an_assessment_becomes_a_question_for_each_of_its_items(lectern: World) -> None:
    """R-CC-1, P3."""
    author = await client(lectern)
    files = {
        "three.xml": assessment(*map(question, ("i1", "i2", "i3")), title="Weekly quiz"),
        "one.xml": assessment(question("only")),
        "none.xml": assessment(),
    }
    listed = [resource(name.partition(".")[0], name, ASSESSMENT) for name in files]
    job = await author.ingested(package(cartridge(*listed), files).read(), items=5)
    assert outcomes(job) == {
        "three#i1": "COMPLETED",
        "three#i2": "COMPLETED",
        "three#i3": "COMPLETED",
        "one": "COMPLETED",
        "none": "FAILED",
    }
    assert job["status"] == "COMPLETED_WITH_ERRORS"
    [failed] = [node for node in job["itemStatuses"]["nodes"] if node["status"] == "FAILED"]
    assert failed["errorCode"] == "RESOURCE_INVALID"
    assert "no questions" in failed["message"]

    fields = "sourceIdentifier title containers { title } ... on QuestionItem { xml interactions { correctResponses } }"
    asked = {it["sourceIdentifier"]: it for it in await author.items(fields, contentType="QUESTION")}
    assert [asked[f"three#i{number}"]["containers"] for number in (1, 2, 3)] == [[{"title": "Weekly quiz"}]] * 3
    assert asked["one"]["containers"] == []
    assert asked["one"]["xml"] == files["one.xml"]
    assert 'ident="i2"' in asked["three#i2"]["xml"]
    assert 'ident="i1"' not in asked["three#i2"]["xml"]
    assert asked["three#i2"]["interactions"] == [{"correctResponses": ["b"]}]


SCORED = """sourceIdentifier ... on QuestionItem {
  scoring maxScore feedback { kind outcomeId identifier html shown }
  interactions {
    kind lowerBound upperBound step orientation expectedLength patternMask fileTypes module typeIdentifier
    choices { id fixed matchMax shape coords }
    mapping { default lowerBound upperBound entries { key value caseSensitive } }
    areaMapping { default lowerBound upperBound entries { shape coords value } }
  }
}"""


async def test_whoever_asks_a_question_gets_its_limits_its_credit_and_its_feedback(lectern: World) -> None:
    """Issue 4, line 3: an assessment engine needs no XML for what the formats have in common."""
    author = await client(lectern)
    spots = (
        '<qti-hotspot-interaction response-identifier="RESPONSE"><img src="map.png" alt="Map"/>'
        '<qti-hotspot-choice identifier="A" fixed="true" match-max="2" shape="circle" coords="1,2,3"/>'
        "</qti-hotspot-interaction>"
        '<qti-slider-interaction response-identifier="S" lower-bound="0" upper-bound="9.5" step="0.5"/>'
    )
    credit = (
        '<qti-mapping default-value="-1" upper-bound="2"><qti-map-entry map-key="A" mapped-value="2"/></qti-mapping>'
    )
    areas = (
        '<qti-area-mapping lower-bound="0"><qti-area-map-entry shape="rect" coords="0,0,9,9" mapped-value="1.5"/>'
        "</qti-area-mapping>"
    )
    said = '<qti-modal-feedback outcome-identifier="F" identifier="ok"><b>Yes</b></qti-modal-feedback>'
    asked = item(
        spots, declaration(more=credit + areas), f"<qti-response-processing><x/></qti-response-processing>{said}"
    )
    await author.ingested(package(qti3(resource()), {"items/q1.xml": asked}).read())
    question = await author.item("r1", SCORED)
    assert (question["scoring"], question["maxScore"]) == ("custom", None)
    shown = {"kind": "MODAL", "outcomeId": "F", "identifier": "ok", "html": "<b>Yes</b>", "shown": True}
    assert question["feedback"] == [shown]
    hotspot, slider = question["interactions"]
    assert hotspot["choices"] == [{"id": "A", "fixed": True, "matchMax": 2, "shape": "circle", "coords": "1,2,3"}]
    entries = [{"key": "A", "value": 2, "caseSensitive": False}]
    assert hotspot["mapping"] == {"default": -1, "lowerBound": None, "upperBound": 2, "entries": entries}
    entries = [{"shape": "rect", "coords": "0,0,9,9", "value": 1.5}]
    assert hotspot["areaMapping"] == {"default": 0, "lowerBound": 0, "upperBound": None, "entries": entries}
    assert (slider["kind"], slider["lowerBound"], slider["upperBound"], slider["step"]) == ("SLIDER", 0, 9.5, 0.5)
    assert (slider["mapping"], slider["areaMapping"]) == (None, None)


VIDEO = {
    **{f"old{n}": (f"imswl_xmlv1p{n}", "https://www.youtube.com/watch?v=x", "youtube") for n in range(5)},
    "short": (WEB_LINK, "https://youtu.be/x", "youtube"),
    "vimeo": (WEB_LINK, "https://player.vimeo.com/video/1", "vimeo"),
    "file": (WEB_LINK, "https://films.example.org/talk.MP4?t=1", "other"),
}
NO_VIDEO = {
    "plain": "https://example.org/",
    "lookalike": "https://youtube.com.example.org/x",
    "userinfo": "https://youtube.com@example.org/x",
}
WRONG = {"local": "file:///etc/passwd", "script": "javascript:alert(1)"}


async def test_web_links_are_videos_by_where_they_lead(lectern: World) -> None:
    """R-CC-3, P4, P5, P18: what is skipped changes no status."""
    author = await client(lectern)
    links = {**{name: url for name, (_, url, _) in VIDEO.items()}, **NO_VIDEO, **WRONG}
    listed = [resource(name, f"{name}.xml", VIDEO[name][0] if name in VIDEO else WEB_LINK) for name in links]
    data = package(cartridge(*listed), {f"{name}.xml": web_link(url) for name, url in links.items()}).read()
    job = await author.ingested(data, items=len(VIDEO) + len(WRONG))
    assert outcomes(job) == dict.fromkeys(VIDEO, "COMPLETED") | dict.fromkeys(WRONG, "FAILED")
    assert {(warning["code"], warning["subject"]) for warning in job["warnings"]} == {
        ("not_video", name) for name in NO_VIDEO
    }
    found = await author.items("sourceIdentifier ... on VideoItem { videoUrl provider }")
    assert {it["sourceIdentifier"]: (it["videoUrl"], it["provider"]) for it in found} == {
        name: (url, provider) for name, (_, url, provider) in VIDEO.items()
    }


DECLARES = 'xmlns:cc="http://www.imsglobal.org/xsd/imsccv1p1/x"'
DETECTED = {
    "QTI": (qti3(resource()), "QTI_3_0"),
    "namespace": (cartridge(resource()), "COMMON_CARTRIDGE"),
    "type": (qti3(resource(), resource("x", None, "imscc_xmlv1p1/thing")), "COMMON_CARTRIDGE"),
    "schema": (qti3(resource()).replace("QTI Package", "IMS Thin Common Cartridge"), "COMMON_CARTRIDGE"),
    "second schema": (
        qti3(resource()).replace("</schema>", "</schema><schema>IMS Common Cartridge</schema>"),
        "COMMON_CARTRIDGE",
    ),
    "comment": (f"<!-- IMS Common Cartridge imscc_ -->{qti3(resource())}", "QTI_3_0"),
    "declared": (qti3(resource(), attributes=DECLARES), "QTI_3_0"),
}


async def test_the_format_is_detected_from_the_manifest(lectern: World) -> None:
    """R-DET-1 to 4, P1."""
    author = await client(lectern)
    started = {name: await author.upload(package(manifest).read()) for name, (manifest, _) in DETECTED.items()}
    async with lectern.background():
        for name, id in started.items():
            job = await author.finished(id)
            assert (job["packageType"], job["status"]) == (DETECTED[name][1], "COMPLETED"), name


REFUSED = {
    "no manifest": (package("x").read().replace(b"imsmanifest", b"manifest123"), "MANIFEST_MISSING", "no imsmanifest"),
    "in a folder": (
        package("x").read().replace(b"imsmanifest.xml", b"f/manifest12345"[:15]),
        "MANIFEST_MISSING",
        "no imsmanifest",
    ),
    "not XML": (package("<manifest>").read(), "MANIFEST_INVALID", "not well-formed"),
    "a DTD": (package(f"<!DOCTYPE manifest>{qti3(resource())}").read(), "PACKAGE_UNSAFE", "DOCTYPE"),
    "no zip": (b"GIF89a" + bytes(100), "PACKAGE_INVALID", "not a zip file"),
    "truncated": (QTI[: len(QTI) // 2], "PACKAGE_INVALID", "truncated"),
    "nothing supported": (
        package(qti3(resource("t", "t.xml", "imsqti_test_xmlv3p0")), {"t.xml": "<x/>"}).read(),
        "NOTHING_SUPPORTED",
        "becomes a content item",
    ),
    "no standard anywhere": (
        package(qti3(resource(metadata=lom()))).read(),
        "CASE_ALIGNMENT_MISSING",
        "it failed with CASE_ALIGNMENT_MISSING",
    ),
}


async def test_a_package_that_cannot_be_used_says_why_and_leaves_nothing(lectern: World) -> None:
    """R-PKG-2, R-PKG-5, R-JOB-3, R-IMP-11."""
    author = await client(lectern)
    started = {name: await author.upload(data) for name, (data, _, _) in REFUSED.items()}
    async with lectern.background():
        for name, id in started.items():
            job = await author.finished(id)
            _, code, words = REFUSED[name]
            assert (job["status"], job["state"], job["error"]["code"]) == ("FAILED", "FAILED", code), name
            assert words in job["error"]["message"], name
            assert set(outcomes(job).values()) <= {"FAILED"}
    assert await author.items("id") == []


async def test_a_resource_without_title_or_standard_fails_with_a_message_for_its_author(lectern: World) -> None:
    """R-PKG-4, R-PKG-5, R-JOB-3, R-JOB-4, P7, P8."""
    author = await client(lectern)
    braces = f"{{{CASE_2.upper()}}}"
    listed = [
        resource("good"),
        resource("untitled", metadata=standards(CASE)),
        resource("unaligned", metadata=lom("Lonely")),
        resource("braces", metadata=lom() + standards(braces)),
        resource("urn", metadata=lom() + standards(f"urn:uuid:{CASE_2}")),
        resource("missing", "items/other.xml"),
    ]
    job = await author.ingested(package(qti3(*listed)).read(), items=7)
    found = {node["itemId"]: node for node in job["itemStatuses"]["nodes"]}
    assert job["status"] == "COMPLETED_WITH_ERRORS"
    assert [name for name, node in found.items() if node["status"] == "COMPLETED"] == ["good", "braces", "urn"]
    assert found["untitled"]["errorCode"] == "METADATA_MISSING"
    assert "'untitled' has no title" in found["untitled"]["message"]
    assert found["unaligned"]["errorCode"] == "CASE_ALIGNMENT_MISSING"
    assert "'unaligned' has no CASE standard" in found["unaligned"]["message"]
    assert found["missing"]["errorCode"] == "RESOURCE_INVALID"
    assert "items/other.xml" in found["missing"]["message"]
    assert found["braces"]["contentItem"]["curriculumItemIds"] == [CASE_2]
    assert found["urn"]["contentItem"]["curriculumItemIds"] == [CASE_2]
    assert all(node["contentItem"] is None for node in found.values() if node["status"] == "FAILED")
    assert [warning["code"] for warning in job["warnings"]] == ["item_count_mismatch"], "7 announced, 6 found"
    query = "query ($id: ID!) { ingestionJob(jobId: $id) { itemStatuses(status: FAILED, first: 2) { totalCount " + (
        "nodes { itemId } pageInfo { hasNextPage endCursor } } } }"
    )
    page = (await author.graph(query, id=job["id"]))["ingestionJob"]["itemStatuses"]
    assert (page["totalCount"], [node["itemId"] for node in page["nodes"]]) == (3, ["untitled", "unaligned"])
    assert page["pageInfo"]["hasNextPage"]


async def test_a_package_of_which_nothing_becomes_an_item_has_failed_and_was_counted(lectern: World) -> None:
    author = await client(lectern)
    listed = [resource("untitled", metadata=standards(CASE)), resource("missing", "items/other.xml")]
    job = await author.ingested(package(qti3(*listed)).read(), items=7)
    assert (job["status"], outcomes(job)) == ("FAILED", {"untitled": "FAILED", "missing": "FAILED"})
    assert "None of the 2 resources became a content item" in job["error"]["message"]
    assert [warning["message"] for warning in job["warnings"]] == ["The upload announced 7 items; the package has 2."]
    job = await author.ingested(package(qti3(listed[0])).read())
    assert job["error"]["message"].startswith("The only resource did not become a content item; it failed with ")


async def test_what_is_skipped_is_counted_when_it_is_too_much_to_be_told(lectern: World) -> None:
    author = await client(lectern)
    others = [resource(f"x{number}", None, "imscc_xmlv1p1/thing") for number in range(4_000)]
    job = await author.ingested(package(cartridge(resource("good"), *others)).read())
    assert (job["status"], job["warnings"][-1]["code"], len(job["warnings"])) == ("COMPLETED", "warnings_cut", 1_001)
    told = (await author.graph(EVENTS, id=job["id"]))["ingestionJob"]["events"]["nodes"]
    assert told[-1]["payload"]["skipped"] == 4_000


async def test_a_retry_of_what_failed_repairs_that_and_nothing_else(lectern: World) -> None:
    """R-IMP-7: retrying leaves what is done alone, and what is wrong in the package stays wrong."""
    author = await client(lectern)
    listed = [resource("good"), resource("bad", metadata=lom())]
    job = await author.ingested(package(qti3(*listed)).read(), items=2)
    before = await author.items("id createdAt")
    async with lectern.database.transaction() as session:  # as if the reader of that day had not known this file
        row = await session.get_one(IngestionItem, (job["id"], 0))
        item_row = await session.get_one(ContentItem, row.content_id)
        await session.delete(item_row)
        row.state, row.content_id = ItemState.FAILED, None
    again = (await author.graph(RETRY, id=job["id"]))["retryJob"]
    assert again == {"job": {"state": "QUEUED", "attempt": 2}, "errors": []}
    waiting = await author.job(job["id"])
    assert outcomes(waiting) == {"good": "PROCESSING", "bad": "PROCESSING"}
    async with lectern.background():
        job = await author.finished(job["id"])
    assert outcomes(job) == {"good": "COMPLETED", "bad": "FAILED"}
    assert job["progress"]["completedUnits"] == job["progress"]["failedUnits"] == 1
    ready = [node["contentItem"]["id"] for node in job["itemStatuses"]["nodes"] if node["contentItem"]]
    assert len(ready) == 1
    assert ready[0] != before[0]["id"]

    async with lectern.background():
        await author.graph(RETRY, id=job["id"])
        job = await author.finished(job["id"])
    assert [node["contentItem"]["id"] for node in job["itemStatuses"]["nodes"] if node["contentItem"]] == ready


async def test_the_events_of_an_ingestion_tell_how_far_it_is(lectern: World) -> None:
    """R-CARD-3, R-JOB-5, HTTP.md section 3."""
    author = await client(lectern)
    listed = [resource(f"q{number}") for number in range(20)] + [resource("bad", metadata=lom())]
    listed.append(resource("lti", None, "imsbasiclti_xmlv1p3"))
    job = await author.ingested(package(cartridge(*listed)).read(), items=21)
    told = (await author.graph(EVENTS, id=job["id"]))["ingestionJob"]
    events = told["events"]["nodes"]
    assert [event["sequence"] for event in events] == list(range(1, told["sequence"] + 1))
    states = [event["jobEvent"]["state"] for event in events]
    assert list(dict.fromkeys(states)) == ["AWAITING_UPLOAD", "QUEUED", "RUNNING", "COMPLETED_WITH_ERRORS"]
    percents = [event["jobEvent"]["progress"]["percent"] for event in events]
    assert percents == sorted(percents)
    assert percents[-1] == 100
    finished = [event["jobEvent"]["item"] for event in events if event["jobEvent"]["item"]]
    assert finished[0] == {"itemId": "q0", "status": "COMPLETED", "contentItem": {"title": "Question"}}
    assert len(finished) > 2
    assert [event["payload"]["itemId"] for event in events if event["jobEvent"]["item"]] == [
        it["itemId"] for it in finished
    ]
    assert [event["type"] for event in events[:-1]] == ["JOB_PROGRESS"] * (len(events) - 1)
    assert events[-1]["type"] == "INGESTION_COMPLETED"
    body = events[-1]["payload"]
    assert {name: body[name] for name in ("jobId", "status", "packageType", "completed", "failed", "skipped")} == {
        "jobId": job["id"],
        "status": "COMPLETED_WITH_ERRORS",
        "packageType": "COMMON_CARTRIDGE",
        "completed": 20,
        "failed": 1,
        "skipped": 1,
    }
    assert "completedAt" in body
    assert "error" not in body


async def test_nobody_else_sees_jobs_or_items(lectern: World) -> None:
    """R-IMP-1, R-SRCH-2."""
    author = await client(lectern)
    job = await author.ingested(QTI, items=3)
    id = (await author.items("id"))[0]["id"]
    query = """query ($job: ID!, $item: ID!) {
      ingestionJob(jobId: $job) { id } job(id: $job) { id } contentItem(id: $item) { id } node(id: $item) { id }
      searchContentItems(filter: {ingestionJobId: $job}) { totalCount nodes { id } }
    }"""
    own = await author.graph(query, job=job["id"], item=id)
    assert own["contentItem"] == own["node"] == {"id": id}
    assert own["searchContentItems"]["totalCount"] == 3
    for stranger in (await client(lectern, workspace="theirs"), await client(lectern, environment=Environment.TEST)):
        assert await stranger.graph(query, job=job["id"], item=id) == {
            "ingestionJob": None,
            "job": None,
            "contentItem": None,
            "node": None,
            "searchContentItems": {"totalCount": 0, "nodes": []},
        }


async def test_each_scope_opens_its_own_doors(lectern: World) -> None:
    """R-OAU-1, R-SES-2, D13."""
    reader, writer = await client(lectern, READ), await client(lectern, WRITE)
    query = "mutation { createIngestUpload(input: {itemCount: 1, zipFileSize: 1}) { uploadUrl } }"
    refused = await lectern.post(query, key=reader.key)
    assert refused.status_code == 403
    assert refused.json()["errors"][0]["extensions"]["requiredScopes"] == ["content.write"]
    for query in ("{ contentSession { url } }", "{ searchContentItems { totalCount } }"):
        refused = await lectern.post(query, key=writer.key)
        assert refused.json()["errors"][0]["extensions"]["requiredScopes"] == ["content.read"]
    id = await writer.upload(QTI)
    async with lectern.background():
        await Client(lectern, (await client(lectern)).key).finished(id)
    query = "query ($id: ID!) { ingestionJob(jobId: $id) { itemStatuses { nodes { itemId contentItem { id } } } } }"
    answer = (await lectern.post(query, key=writer.key, id=id)).json()
    nodes = answer["data"]["ingestionJob"]["itemStatuses"]["nodes"]
    assert [(node["itemId"], node["contentItem"]) for node in nodes] == [("q1", None), ("s1", None), ("a1", None)]
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"FORBIDDEN"}


EXPAND = """mutation ($input: CreateExpansionInput!) {
  createExpansion(input: $input) { job { id payload } errors { code rule path } }
}"""


async def expand(lectern: World, **input: Any) -> dict[str, Any]:
    asked = {"sourceType": "lectern_items", "requestedOutputs": ["interactive_module", "expanded_quiz"], **input}
    made: dict[str, Any] = (await lectern.graph(EXPAND, input=asked))["createExpansion"]
    return made


async def test_ingested_items_are_a_source_that_hands_on_its_standards(lectern: World) -> None:
    """R-CARD-1, D11: the credential needs no content.read for that, but to see the items."""
    author = await client(lectern)
    await author.ingested(QTI, items=3)
    named = {it["title"]: it["id"] for it in await author.items("id title")}
    wanted = [named["How to add"], named["Adding numbers"], named["A passage on sums"]]
    made = await expand(lectern, contentItemIds=[*wanted, wanted[0]])
    assert made["errors"] == []
    assert made["job"]["payload"] is None
    async with lectern.background():

        async def done() -> Any:
            query = "query ($id: ID!) { expansion(jobId: $id) { status error { message } outputs { resourceId } } }"
            job = (await lectern.graph(query, id=made["job"]["id"]))["expansion"]
            return job if job["status"] in ("completed", "failed") else None

        job = await eventually(done)
    assert job["status"] == "completed", job
    module, test = (output["resourceId"] for output in job["outputs"])
    query = """query ($m: ID!, $t: ID!, $standards: [String!]) {
      module(id: $m) { lecture curriculumItemIds }
      test(id: $t) { curriculumItemIds items { question type options correctAnswers } }
      resources(filter: {curriculumItemIds: $standards}) { totalCount }
    }"""
    shown = await lectern.graph(query, m=module, t=test, standards=[CASE])
    assert sorted(shown["module"]["curriculumItemIds"]) == sorted([CASE, CASE_2])
    assert "A passage." in shown["module"]["lecture"]
    assert sorted(shown["test"]["curriculumItemIds"]) == sorted([CASE, CASE_2])
    assert {"question": "2 + 2?", "type": "multiple_choice", "options": ["3", "4"], "correctAnswers": ["4"]} in shown[
        "test"
    ]["items"]
    assert shown["resources"]["totalCount"] == 2
    query = "query ($id: ID!) { expansion(jobId: $id) { sourceItems { id } } }"
    blind = (await lectern.post(query, id=made["job"]["id"])).json()
    assert blind["data"]["expansion"]["sourceItems"] is None
    assert blind["errors"][0]["extensions"]["requiredScopes"] == ["content.read"]
    async with lectern.database.snapshot() as session:
        row = await session.get_one(Job, made["job"]["id"])
    assert integrations.asked(row).content_item_ids == wanted, "each once"
    await behaves_like_any_test(lectern, test)


async def behaves_like_any_test(lectern: World, id: str) -> None:
    """R-TST-4 to 10, R-IMP-1: it is written back, edited, reordered, handed in and walled off as if typed by hand."""
    item = "id question type options correctAnswers explanation score"
    test = await show(lectern, "test", id, f"title version totalScore share {{ publicUrl }} items {{ {item} }}")
    right = [{"itemId": row["id"], "answers": row["correctAnswers"]} for row in test["items"]]
    url = test["share"]["publicUrl"]
    handed = await done(lectern, "submitTest", "score maxScore", publicUrl=url, answers=right)
    assert handed["score"] == handed["maxScore"] == test["totalScore"] > 0
    same = await done(lectern, "updateTest", f"test {{ items {{ {item} }} }}", id=id, items=test["items"])
    assert same["test"]["items"] == test["items"]
    added = (await done(lectern, "addTestItem", "item { id }", testId=id, sequence=1, **HAZARD))["item"]["id"]
    await done(lectern, "updateTestItem", "item { id }", id=added, score=2.5)
    wanted = [*(row["id"] for row in reversed(test["items"])), added]
    await done(lectern, "reorderTestItems", "test { id }", testId=id, itemIds=wanted)
    read = await show(lectern, "test", id, "totalScore items { id sequence } submissions { nodes { score } }")
    assert read["items"] == [{"id": it, "sequence": place} for place, it in enumerate(wanted, start=1)]
    assert (read["totalScore"], read["submissions"]["nodes"]) == (
        test["totalScore"] + 2.5,
        [{"score": handed["score"]}],
    )
    await done(lectern, "deleteTestItem", "deletedId", id=added)
    for key in (lectern.keys.test, lectern.keys.stranger):
        assert await show(lectern, "test", id, "id", key=key) is None
        refused = await call(lectern, "updateTest", "test { id }", key=key, id=id, title="Mine")
        assert problems(refused) == [("NOT_FOUND", None, [])]


@pytest.mark.parametrize(
    ("input", "problem"),
    [
        ({"payload": {"level": {"lessons": [{}]}}, "contentItemIds": ["x"]}, ("VALIDATION_FAILED", "source_ambiguous")),
        ({}, ("VALIDATION_FAILED", "payload_level_missing")),
        ({"contentItemIds": []}, ("VALIDATION_FAILED", "content_items_empty")),
        ({"contentItemIds": ["x"] * 201}, ("VALIDATION_FAILED", "too_many")),
        ({"contentItemIds": ["content_0000000000000000000000000a"]}, ("NOT_FOUND", None)),
    ],
)
async def test_an_expansion_has_exactly_one_source_that_exists(lectern: World, input: Any, problem: Any) -> None:
    made = await expand(lectern, **input)
    assert [(error["code"], error["rule"]) for error in made["errors"]] == [problem]
    if problem[0] == "NOT_FOUND":
        assert made["errors"][0]["path"] == ["input", "contentItemIds", "0"]


async def test_a_row_that_the_database_refuses_stays_alone(lectern: World) -> None:
    """Whatever no reader has thought of costs one item, not its batch."""
    author = await client(lectern)
    id = await author.upload(QTI, items=3)
    async with lectern.database.transaction() as session:
        job = await jobs.claim(session, id)
        assert job is not None
        intake = await Intake.of(session, job)
        told = [{"content": content(number, "title" if number != 5 else None)} for number in range(9)]
        see_also = {"type": "SEE_ALSO", "source": 4, "sort_order": None}
        related = [{"association": {**see_also, "target": target}} for target in (5, 6)]
        await intake.take(session, [*told, *related], None)
        assert (intake.completed, intake.failed) == (8, 1)
    async with lectern.database.snapshot() as session:
        standing = await ingestions.counts(session, id)
        rows = await ingestions.items(session, [(id, number) for number in range(9)])
    assert standing == {ItemState.COMPLETED: 8, ItemState.FAILED: 1, ItemState.PROCESSING: 0}
    [failed] = [row for row in rows if row.state is ItemState.FAILED]
    assert failed.item_id == "r5"
    assert failed.message
    assert failed.content_id is None
    found = await author.items("title associations { target { sourceIdentifier } }", ingestionJobId=id)
    assert sum(len(it["associations"]) for it in found) == 2, "one relation, seen from both sides"


def content(key: int, title: str | None) -> dict[str, Any]:
    """What the reader says of an item; a title of None no table takes."""
    absent = ("description", "language", "difficulty", "path", "sha256", "body", "question", "source", "video_url")
    return {
        "key": key,
        "type": "ARTICLE",
        "source_identifier": f"r{key}",
        "title": title,
        "alignments": "[]",
        "standards": [],
        "provider": None,
        "words": {"title": "a", "about": "a", "everything": "a b"},
        **dict.fromkeys(absent),
    }


# Large ones


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """3,000 questions on 300 stimuli."""
    path = tmp_path_factory.mktemp("packages") / "large.zip"
    bulk(str(path), 3_000)
    return path.read_bytes()


def environment_of(pid: int) -> set[str]:
    """The names that a process was told, none if it has ended."""
    with contextlib.suppress(OSError):
        told = Path(f"/proc/{pid}/environ").read_text().split("\0")
        return {each.partition("=")[0] for each in told if each}
    return set()


async def test_entries_appear_while_it_runs_and_a_cancelled_job_keeps_what_is_done(
    lectern: World, large: bytes
) -> None:
    """R-JOB-2, R-IMP-7, table 1."""
    author = await client(lectern)
    id = await author.upload(large, items=3_300)
    async with lectern.background():

        async def in_the_middle() -> Any:
            job = (await author.graph(STANDING, id=id))["ingestionJob"]
            assert job["status"] == "PROCESSING"
            return job if job["done"]["totalCount"] and job["read"]["totalCount"] else None

        job = await eventually(in_the_middle)
        for reader in running(Path.cwd(), "-m storage.packages"):
            assert environment_of(reader) <= HARMLESS, "no secret is there"
        assert job["read"]["totalCount"] == 1
        asked = now()
        assert (await author.graph(CANCEL, id=id))["cancelJob"]["job"]["state"] == "CANCELING"

        async def cancelled() -> Any:
            job = await author.job(id)
            return job if job["state"] == "CANCELED" else None

        job = await eventually(cancelled)
        assert (datetime.fromisoformat(job["lastUpdated"]) - asked).total_seconds() < 2
        assert job["status"] == "COMPLETED_WITH_ERRORS"
        done = job["progress"]["completedUnits"]
        assert 0 < done < 3_300
        assert (job["error"]["code"], job["retryable"]) == ("CANCELED", True)

        await author.graph(RETRY, id=id)
        job = await author.finished(id)
    assert (job["status"], job["attempt"]) == ("COMPLETED", 2)
    assert job["itemStatuses"]["totalCount"] == 3_300
    counted = await author.graph("{ searchContentItems { totalCount } }")
    assert counted["searchContentItems"]["totalCount"] == 3_300, "nothing twice"


# The packages of others


def expectations(folder: str) -> list[Any]:
    file = SHARED / folder / "expected.json"
    if not file.exists():
        return []
    loaded = json.loads(file.read_text())
    return list(loaded.values()) if isinstance(loaded, dict) else loaded


HALVES = pytest.mark.parametrize(
    ("database_url", "half"), [("sqlite", 0), ("postgresql", 1)], indirect=["database_url"]
)
"""Each package goes through the door once: reading them is the same whatever the database, and each has every sort."""

ENDED = """query ($id: ID!, $after: String) { ingestionJob(jobId: $id) {
  status error { code } itemStatuses(first: 100, after: $after) {
    nodes { itemId status message errorCode contentItem { id } } pageInfo { hasNextPage endCursor }
  }
} }"""


@dataclass
class Became:
    """What became of a package: its job, and of each resource everything that became of it."""

    status: str = ""
    error: str | None = None
    states: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


async def ingest_all(author: Client, packages: list[Any], folder: str) -> AsyncIterator[tuple[Any, Became]]:
    """What each package was expected to become, and what it became."""
    started = [await author.upload((SHARED / folder / each["file"]).read_bytes()) for each in packages]

    standing = " ".join(f'{id}: ingestionJob(jobId: "{id}") {{ status }}' for id in started)

    async def all_have_ended() -> bool:
        found = (await author.graph(f"{{ {standing} }}")).values()
        return all(job["status"] != "PROCESSING" for job in found)

    async with author.lectern.background():
        await eventually(all_have_ended, within=120, every=0.2)
    for expected, id in zip(packages, started, strict=True):
        yield expected, await became(author, id)


async def became(author: Client, id: str) -> Became:
    """How a job has ended; whatever failed says why, and whatever did not is there."""
    found, after = Became(), None
    while True:
        job = (await author.graph(ENDED, id=id, after=after))["ingestionJob"]
        found.status, found.error = job["status"], job["error"] and job["error"]["code"]
        for node in job["itemStatuses"]["nodes"]:
            found.states[node["itemId"].partition("#")[0]].add(node["status"])
            assert (node["status"] == "COMPLETED") == bool(node["contentItem"]), node
            assert (node["status"] == "FAILED") == bool(node["message"] and node["errorCode"]), node
        if not job["itemStatuses"]["pageInfo"]["hasNextPage"]:
            return found
        after = job["itemStatuses"]["pageInfo"]["endCursor"]


COMPLETED, FAILED = {"COMPLETED"}, {"FAILED"}
ALLOWED = {"C": COMPLETED, "F": FAILED, "C+F": COMPLETED | FAILED, "ASSET": set(), "SKIPPED": set()}


@HALVES
@pytest.mark.skipif(not SHARED.exists(), reason="the packages are not beside the project")
async def test_every_hostile_package_ends_as_expected(lectern: World, half: int) -> None:
    """R-IMP-11."""
    author = await client(lectern)
    async for expected, found in ingest_all(author, expectations("adversarial")[half::2], "adversarial"):
        assert found.status == expected["expect_job"], expected["file"]
        wanted = {} if (found.error or "").startswith("PACKAGE") else expected["expect_items"]
        for identifier, either in wanted.items():
            allowed = [ALLOWED.get(state, {state}) for state in either.split("|")]
            assert found.states[identifier] in allowed, (expected["file"], identifier)
    shown = await author.graph("{ searchContentItems(first: 100) { nodes { ...Shown } } } fragment Shown on " + SHOWN)
    assert "root:" not in json.dumps(shown)


SHOWN = "ContentItem { title description ... on QuestionItem { body } ... on ArticleItem { body } }"


@HALVES
@pytest.mark.skipif(not SHARED.exists(), reason="the packages are not beside the project")
async def test_every_real_package_becomes_what_it_should(lectern: World, half: int) -> None:
    """R-PKG-1, R-QTI-1, R-CC-1 to 5; what of the items is read right, the readers' own tests say."""
    author = await client(lectern)
    async for expected, found in ingest_all(author, expectations("real")[half::2], "real"):
        # The expectations call an assessment without questions COMPLETED; rule P3 says FAILED.
        empty = {it["id"] for it in expected["resources"] if it["questions"] == 0}
        for it in expected["resources"]:
            wanted = FAILED if it["id"] in empty else ALLOWED.get(it["status"], {it["status"]})
            assert found.states[it["id"]] == wanted, (expected["file"], it["id"])
        some = any(it["status"] == "COMPLETED" and it["id"] not in empty for it in expected["resources"])
        failing = "COMPLETED_WITH_ERRORS" if some else "FAILED"
        assert found.status == (failing if empty else expected["job"]), expected["file"]


async def test_a_cursor_behind_all_that_there_can_be_finds_nothing(lectern: World) -> None:
    """R-JOB-2, D34: on either database."""
    author = await client(lectern)
    id = await author.upload(QTI)
    query = """query ($id: ID!, $after: String) {
      ingestionJob(jobId: $id) { itemStatuses(after: $after) { nodes { itemId } } }
    }"""
    for place in (2**31 - 1, 2**31, 10**18 - 1):
        found = await author.graph(query, id=id, after=encode("ingestion_item", place))
        assert found["ingestionJob"]["itemStatuses"]["nodes"] == []


async def test_a_file_that_cannot_be_read_is_named_whoever_needs_it(lectern: World) -> None:
    author = await client(lectern)
    listed = [
        resource("good"),
        resource("torn", "items/torn.xml"),
        resource("described", metadata="", dependencies=["about"]),
        resource("about", "about.xml", "resourcemetadata/xml", metadata=""),
    ]
    files = {"items/q1.xml": item(), "items/torn.xml": item()[:-1], "about.xml": "<lom>"}
    job = await author.ingested(package(qti3(*listed), files).read(), items=3)
    found = {node["itemId"]: node["message"] for node in job["itemStatuses"]["nodes"]}
    assert found["torn"].startswith("The XML file 'items/torn.xml' is not well-formed: ")
    assert found["described"].startswith("The XML file 'about.xml' is not well-formed: ")


async def test_a_passage_that_is_lost_is_told(lectern: World) -> None:
    """PACKAGES.md, section 10: an import that loses something says so, always."""
    author = await client(lectern)
    refers = item(after='<qti-assessment-stimulus-ref identifier="s" href="../texts/s1.xml"/>')
    files = {"items/q1.xml": refers, "texts/s1.xml": stimulus()}
    job = await author.ingested(package(qti3(resource()), files).read())
    [warning] = job["warnings"]
    assert (job["status"], warning["code"], warning["subject"]) == ("COMPLETED", "stimulus_unknown", "r1")
    assert "'../texts/s1.xml'" in warning["message"]


async def test_what_is_skipped_says_what_to_change(lectern: World) -> None:
    author = await client(lectern)
    listed = [resource("good"), resource("typeless", type=""), resource("older", type="imsqti_item_xmlv2p1")]
    job = await author.ingested(package(qti3(*listed)).read(), items=3)
    told = {warning["subject"]: warning["message"] for warning in job["warnings"]}
    assert "has no type" in told["typeless"]
    assert "convert it from QTI 2 to QTI 3" in told["older"]
