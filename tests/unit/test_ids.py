"""Ids tell what they name and when they were made."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from storage import ids

MILLISECOND = timedelta(milliseconds=1)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_an_id_tells_when_it_was_made(moment: datetime) -> None:
    told = ids.made_at(ids.first_at(ids.Prefix.DELIVERY, moment))
    assert abs(told - moment) <= MILLISECOND


def test_an_id_is_as_old_as_it_is() -> None:
    before = datetime.now(UTC)
    assert before - MILLISECOND <= ids.made_at(ids.new(ids.Prefix.DELIVERY)) <= datetime.now(UTC) + MILLISECOND
