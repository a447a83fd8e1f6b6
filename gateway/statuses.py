"""Which HTTP status an answer has: the one place where the contract, the specification and the audits are weighed."""

from collections.abc import Mapping

from gateway.negotiation import JSON, RESPONSE, Accepted
from gateway.persisted import DocumentUnknown
from gateway.refusals import UNPROCESSABLE, Refused, Unsuitable
from gateway.settings import Profile

PARTIAL_SUCCESS = 294


def of_refusal(refused: Refused, accepted: Accepted, profile: Profile) -> int:
    """
    The status of an answer without data.

    Who names application/json and nothing else gets 200 for a wrong document or wrong variables: the audits 572B, FDE2
    and 7B9B ask for it. So does who sends the hash of a document that is not known, since older clients send the whole
    document only then. The draft wants neither.
    """
    if profile is Profile.DRAFT:
        return refused.status
    old = accepted.legacy and isinstance(refused, Unsuitable)
    if old or (isinstance(refused, DocumentUnknown) and accepted.media == JSON):
        return 200
    return 400 if refused.status == UNPROCESSABLE else refused.status


def of_answer(answer: Mapping[str, object], media: str, profile: Profile) -> int:
    """The status of an answer with data: 294 tells a client of the draft that some fields failed."""
    partial = profile is Profile.DRAFT and media == RESPONSE and "errors" in answer
    return PARTIAL_SUCCESS if partial else 200
