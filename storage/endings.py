"""How a job ends, in the words of its kind."""

from dataclasses import dataclass

from storage.bodies import Body
from storage.tables import EventType, JobState


@dataclass(frozen=True, slots=True)
class Ending:
    """The state a job ends in, the type of its last event, and what that event says besides the envelope."""

    state: JobState
    event: EventType
    body: Body
