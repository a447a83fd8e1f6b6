"""Signing in and out; staff and groups."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from schema.context import Info
from schema.mutations import KEY, CreatedPayload, Payload, mutation, once
from schema.types.credentials import Viewer
from schema.types.people import Group, User
from storage import ids, people, tables
from storage.database import Transaction
from storage.errors import Checks, IdempotencyConflict, LoginFailed, NotFound, Problems
from storage.tables import Scope, UserRole

LONGEST_NAME = 255
MOST_MEMBERS = 500


@strawberry.input
class LoginInput:
    email: str = strawberry.field(description="At most 255 characters.")
    password: str = strawberry.field(description="8 to 1024 characters.")


@strawberry.type
class LoginPayload(Payload):
    viewer: Viewer | None = strawberry.field(default=None, description="The same response sets the session cookie.")


@strawberry.type
class LogoutPayload(Payload):
    pass


@strawberry.input
class CreateUserInput:
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    email: str = strawberry.field(description="Nobody else signs in with it; at most 255 characters.")
    name: str | None = strawberry.field(
        default=None, description="1 to 255 characters. Default: the part of the address before the at sign."
    )
    password: str = strawberry.field(description="8 to 1024 characters.")
    role: UserRole = UserRole.MEMBER


@strawberry.type
class CreateUserPayload(CreatedPayload):
    user: User | None = None

    @classmethod
    def about(cls, row: Any) -> "CreateUserPayload":
        return cls(user=User.from_row(row))


@strawberry.input
class CreateGroupInput:
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)
    name: str = strawberry.field(description="1 to 255 characters.")
    member_ids: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="Users of this workspace, at most 500; duplicates collapse."
    )


@strawberry.type
class CreateGroupPayload(CreatedPayload):
    group: Group | None = None

    @classmethod
    def about(cls, row: Any) -> "CreateGroupPayload":
        return cls(group=Group.from_row(row))


@strawberry.type
class PeopleMutations:
    @mutation()
    async def login(self, info: Info, input: LoginInput) -> LoginPayload:
        database = info.context.database
        async with database.snapshot() as session:
            known = await people.find_by_email(session, input.email)
        user = await people.check_password(known, input.password)
        async with database.transaction() as opening:
            token = await people.open_session(opening, user)
        info.context.sign_in(user, token)
        return LoginPayload(viewer=Viewer.of(info))

    @mutation(description="Ends the session of the request, if there is one.")
    async def logout(self, info: Info) -> LogoutPayload:
        if info.context.session_token is not None:
            async with info.context.database.transaction() as session:
                await people.close_session(session, info.context.session_token)
            info.context.sign_out()
        return LogoutPayload()

    @mutation(Scope.ADMIN)
    async def create_user(self, info: Info, input: CreateUserInput) -> CreateUserPayload:
        _check_user(input)
        workspace_id = info.context.realm.workspace_id
        password_hash = await people.hash_password(input.password)

        async def make(session: Transaction, user_id: str) -> tables.User:
            name = input.email.partition("@")[0] if input.name is None else input.name
            return await people.register(
                session, workspace_id, input.email, name, input.role, password_hash, id=user_id
            )

        async def find(session: AsyncSession, user_id: str) -> tables.User | None:
            return next(iter(await people.find_users(session, workspace_id, [user_id])), None)

        # a password is compared with its slow hash: in the fingerprint of the input it could be guessed fast
        unspoken = replace(input, password="")
        user, replayed = await once(info, "createUser", unspoken, ids.new(ids.Prefix.USER), make, find)
        if replayed:
            await _require_same_password(user, input.password)
        payload = CreateUserPayload.about(user)
        payload.replayed = replayed
        return payload

    @mutation(Scope.ADMIN)
    async def create_group(self, info: Info, input: CreateGroupInput) -> CreateGroupPayload:
        _check_group(input)
        workspace_id = info.context.realm.workspace_id

        async def make(session: Transaction, group_id: str) -> tables.Group:
            await _require_members(session, workspace_id, input.member_ids)
            members = list(dict.fromkeys(input.member_ids))
            return await people.create_group(session, workspace_id, input.name, members, id=group_id)

        async def find(session: AsyncSession, group_id: str) -> tables.Group | None:
            return next(iter(await people.find_groups(session, workspace_id, [group_id])), None)

        group, replayed = await once(info, "createGroup", input, ids.new(ids.Prefix.GROUP), make, find)
        payload = CreateGroupPayload.about(group)
        payload.replayed = replayed
        return payload


def _check_user(input: CreateUserInput) -> None:
    with Checks() as checks:
        checks.require(
            people.is_address(input.email),
            "email_format",
            "email has the form name@host and at most 255 characters.",
            "input",
            "email",
        )
        checks.require(
            input.name is None or _is_name(input.name),
            "name_length",
            f"name has 1 to {LONGEST_NAME} characters.",
            "input",
            "name",
        )
        checks.require(
            people.is_password(input.password),
            "password_length",
            "password has 8 to 1024 characters.",
            "input",
            "password",
        )


def _check_group(input: CreateGroupInput) -> None:
    with Checks() as checks:
        checks.require(
            _is_name(input.name), "name_length", f"name has 1 to {LONGEST_NAME} characters.", "input", "name"
        )
        checks.require(
            len(input.member_ids) <= MOST_MEMBERS,
            "too_many_members",
            f"A group has at most {MOST_MEMBERS} members.",
            "input",
            "memberIds",
        )


def _is_name(name: str) -> bool:
    return bool(name.strip()) and len(name) <= LONGEST_NAME


async def _require_members(session: Transaction, workspace_id: str, member_ids: Sequence[str]) -> None:
    """Every member exists, or each that does not is named."""
    known = {user.id for user in await people.find_users(session, workspace_id, member_ids)}
    missing = [index for index, id in enumerate(member_ids) if id not in known]
    if missing:
        raise Problems([NotFound(path=("input", "memberIds", index)) for index in missing])


async def _require_same_password(user: tables.User, password: str) -> None:
    """The part of the input that the fingerprint leaves out."""
    try:
        await people.check_password(user, password)
    except LoginFailed:
        raise IdempotencyConflict(user) from None
