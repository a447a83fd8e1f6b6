"""Ordered parts that clients address by id, as scenes and items are: add, change, move, remove, reorder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from schema.context import Info
from schema.mutations import camel, once
from schema.mutations.reading import checked, read
from schema.mutations.resources import AddedPayload, DeletedPayload, ResourcePayload, check_version, editable, held
from schema.mutations.rules import Values, at_most, permutation
from storage import children, ids, resources, tables
from storage.database import Transaction
from storage.errors import Checks
from storage.tables import Child, ResourceKind

C = TypeVar("C", bound=Child)
A = TypeVar("A", bound=AddedPayload)
D = TypeVar("D", bound=DeletedPayload)
P = TypeVar("P", bound=ResourcePayload)


def nothing(checks: Checks, values: Mapping[str, Any], *path: str | int) -> None:
    """The values of a part need not fit together."""


@dataclass(frozen=True, slots=True)
class Parts(Generic[C]):
    """
    One kind of parts: where they are, what their ids look like, what they are parts of, and how many there can be.

    `place` is the field that holds the position, `check` says whether the values of one part fit together. Inputs are
    read by name: what they say goes to the columns of the same name, test_id names a test and item_ids its items.
    """

    table: type[C]
    prefix: ids.Prefix
    kind: ResourceKind
    name: str
    place: str = "sequence"
    check: Callable[..., None] = nothing

    async def add(self, info: Info, mutation: str, input: Any, payload: type[A]) -> A:
        """A new part at its position; the later ones move down."""
        with checked(info, input) as (checks, values):
            self.check(checks, values, "input")

        async def make(session: Transaction, id: str) -> C:
            resource = await held(session, info, self._owner(input), self.kind)
            siblings = await children.of(session, self.table, resource.id)
            with Checks() as checks:
                at_most(checks, self.name, len(siblings) + 1, "input")
            row = self.table(id=id, resource_id=resource.id, **self._columns(values))
            session.add(row)
            children.place(siblings, row, values[self.place])
            await resources.edited(session, resource)
            return row

        find = children.finder(self.table, info.context.realm)
        row, replayed = await once(info, mutation, input, ids.new(self.prefix), make, find)
        made = payload.showing(row)
        setattr(made, self.kind.value, await info.context.loaders.resources.load(row.resource_id))
        made.replayed = replayed
        return made

    async def change(self, info: Info, input: Any, payload: type[P]) -> P:
        """What the input names of one part, all of it or nothing; a new position moves it."""
        with Checks() as checks:
            values = read(checks, input, "input")
        async with info.context.database.transaction() as session:
            resource, siblings, row = await self._holding(session, info, input.id)
            check_version(resource, input.base_version)
            for name, value in self._columns(values).items():
                setattr(row, name, value)
            with Checks() as checks:
                self.check(checks, dict(row), "input")
            if self.place in values:
                children.place(siblings, row, values[self.place])
            if values.keys() - {"id", "base_version"}:
                await resources.edited(session, resource)
        return payload.showing(row, resource)

    async def remove(self, info: Info, input: Any, payload: type[D]) -> D:
        """Without this part; the others close up."""
        async with info.context.database.transaction() as session:
            resource, siblings, row = await self._holding(session, info, input.id)
            await children.remove(session, siblings, row)
            await resources.edited(session, resource)
        made = payload.showing(resource)
        made.deleted_id = input.id
        return made

    async def reorder(self, info: Info, input: Any, payload: type[P]) -> P:
        """All parts in the wanted order, or, when that is no permutation, nothing at all."""
        name = f"{self.prefix}_ids"
        wanted: Sequence[str] = getattr(input, name)
        async with info.context.database.transaction() as session:
            resource = await held(session, info, self._owner(input), self.kind)
            check_version(resource, input.base_version)
            rows = {row.id: row for row in await children.of(session, self.table, resource.id)}
            permutation(wanted, list(rows), "input", camel(name))
            children.number([rows[id] for id in wanted])
            await resources.edited(session, resource)
        return payload.showing(resource)

    def _owner(self, input: Any) -> str:
        id: str = getattr(input, f"{self.kind}_id")
        return id

    async def _holding(self, session: Transaction, info: Info, id: str) -> tuple[tables.Resource, list[C], C]:
        resource, siblings, row = await children.holding(session, info.context.realm, self.table, id)
        editable(resource)
        return resource, siblings, row

    def _columns(self, values: Values) -> Values:
        return {name: values[name] for name in values.keys() & self.table.model_fields.keys() - {"id", "sequence"}}
