"""Modules: create and change."""

import strawberry

from schema.context import Info
from schema.mutations import mutation
from schema.mutations.questions import QuizInput, write_quizzes
from schema.mutations.resources import (
    CreateInput,
    CreateResourcePayload,
    ResourcePayload,
    UpdateInput,
    create,
    update,
)
from schema.mutations.rules import Values
from schema.types.modules import Module
from schema.types.scalars import HTML
from storage import tables
from storage.database import Transaction
from storage.tables import ResourceKind, Scope
from storage.tables.resources import ModuleType


@strawberry.input
class CreateModuleInput(CreateInput):
    type: ModuleType = ModuleType.markdown
    has_quiz: bool = False


@strawberry.type
class CreateModulePayload(CreateResourcePayload):
    module: Module | None = None


@strawberry.input
class UpdateModuleInput(UpdateInput):
    lecture: HTML | None = strawberry.field(default=strawberry.UNSET, description="At most 500000 characters.")
    quizzes: list[QuizInput] | None = strawberry.field(default=strawberry.UNSET, description="At most 100.")


@strawberry.type
class UpdateModulePayload(ResourcePayload):
    module: Module | None = None


@strawberry.type
class ModuleMutations:
    @mutation(Scope.RESOURCES_WRITE)
    async def create_module(self, info: Info, input: CreateModuleInput) -> CreateModulePayload:
        return await create(info, ResourceKind.module, input, CreateModulePayload)

    @mutation(Scope.RESOURCES_WRITE)
    async def update_module(self, info: Info, input: UpdateModuleInput) -> UpdateModulePayload:
        return await update(info, ResourceKind.module, input, UpdateModulePayload, write)


async def write(session: Transaction, resource: tables.Resource, values: Values) -> None:
    """What only modules have as rows."""
    await write_quizzes(session, resource.id, resource.id, values)
