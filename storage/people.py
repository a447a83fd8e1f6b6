"""Staff, their groups and their sessions: argon2 passwords, cookies of which only the hash is kept."""

import asyncio
import functools
import re
from collections.abc import Collection, Sequence
from datetime import timedelta

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from sqlalchemy import Row, Select, delete, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from storage import ids
from storage.database import Transaction
from storage.errors import LoginFailed, ValidationFailed
from storage.notify import Bell
from storage.sealing import hashed, random_letters
from storage.tables import Group, Membership, User, UserRole, UserSession
from storage.tables.columns import now

ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")

SESSION_TIME = timedelta(hours=12)

_hasher = PasswordHasher()


def is_address(email: str) -> bool:
    """Whether this has the form of an e-mail address, of at most 255 characters."""
    return len(email) <= 255 and ADDRESS.fullmatch(email) is not None


def is_password(password: str) -> bool:
    """Whether this is long enough to be a password, and short enough to be hashed."""
    return 8 <= len(password) <= 1024


def weakness(email: str, password: str) -> str | None:
    """Why these cannot sign anybody in; None when they can."""
    if not is_address(email):
        return f"{email} is no e-mail address."
    if not is_password(password):
        return "A password has 8 to 1024 characters."
    return None


@functools.cache
def _nobody() -> str:
    """What an unknown address is checked against, so that it takes as long as a wrong password."""
    return _hasher.hash("nobody's password")


async def hash_password(password: str) -> str:
    """Argon2id, on a thread: it takes a tenth of a second on purpose."""
    return await asyncio.to_thread(_hasher.hash, password)


def create_user(
    session: Transaction,
    workspace_id: str,
    email: str,
    name: str,
    role: UserRole,
    password_hash: str,
    *,
    id: str | None = None,
) -> User:
    """A new member of staff; the address identifies it, whatever its case."""
    user = User(
        id=id or ids.new(ids.Prefix.USER),
        workspace_id=workspace_id,
        email=email.lower(),
        name=name,
        role=role,
        password_hash=password_hash,
    )
    session.add(user)
    return user


async def register(
    session: Transaction, workspace_id: str, email: str, name: str, role: UserRole, password_hash: str, *, id: str
) -> User:
    """A new member of staff; ValidationFailed (rule email_taken) when somebody signs in with the address already."""
    try:
        async with session.begin_nested():
            return create_user(session, workspace_id, email, name, role, password_hash, id=id)
    except IntegrityError:
        message = "Somebody signs in with this address already."
        raise ValidationFailed("email_taken", message, "input", "email") from None


async def find_by_email(session: AsyncSession, email: str) -> User | None:
    """The user of an address, whatever its case."""
    return (await session.scalars(select(User).where(col(User.email) == email.lower()))).one_or_none()


async def check_password(user: User | None, password: str) -> User:
    """The user again, or LoginFailed after the same time whatever was wrong."""
    try:
        await asyncio.to_thread(_hasher.verify, user.password_hash if user else _nobody(), password)
    except VerifyMismatchError:
        raise LoginFailed from None
    if user is None:
        raise LoginFailed
    return user


async def open_session(session: Transaction, user: User) -> str:
    """A new session; answers what the cookie holds. The user's ended sessions are forgotten on the way."""
    await session.execute(
        delete(UserSession).where(col(UserSession.user_id) == user.id, col(UserSession.expires_at) <= now())
    )
    token = random_letters(43)
    session.add(UserSession(id=hashed(token), user_id=user.id, expires_at=now() + SESSION_TIME))
    return token


async def find_session(session: AsyncSession, token: str) -> User | None:
    """Whose session the cookie is, while it lasts."""
    query = select(User).join(UserSession, col(UserSession.user_id) == col(User.id))
    query = query.where(col(UserSession.id) == hashed(token), col(UserSession.expires_at) > now())
    return (await session.scalars(query)).one_or_none()


async def close_session(session: Transaction, token: str) -> None:
    """End a session, if there is one, and what it has open."""
    await session.execute(delete(UserSession).where(col(UserSession.id) == hashed(token)))
    session.bells.add(Bell.CREDENTIALS)


def users(workspace_id: str, member_id: str | None = None) -> Select[User]:
    """The users of a workspace; for a member, itself and those who share a group with it."""
    query = select(User).where(col(User.workspace_id) == workspace_id)
    if member_id is None:
        return query
    companions = select(col(Membership.user_id)).where(col(Membership.group_id).in_(_groups_with(member_id)))
    return query.where(or_(col(User.id) == member_id, col(User.id).in_(companions)))


def groups(workspace_id: str, member_id: str | None = None) -> Select[Group]:
    """The groups of a workspace; for a member, those it is in."""
    query = select(Group).where(col(Group.workspace_id) == workspace_id)
    return query if member_id is None else query.where(col(Group.id).in_(_groups_with(member_id)))


async def find_users(
    session: AsyncSession, workspace_id: str, found_ids: Sequence[str], member_id: str | None = None
) -> Sequence[User]:
    """Those users among some ids that a workspace, or a member of it, may see."""
    return (await session.scalars(users(workspace_id, member_id).where(col(User.id).in_(found_ids)))).all()


async def find_groups(
    session: AsyncSession, workspace_id: str, found_ids: Sequence[str], member_id: str | None = None
) -> Sequence[Group]:
    """Those groups among some ids that a workspace, or a member of it, may see."""
    return (await session.scalars(groups(workspace_id, member_id).where(col(Group.id).in_(found_ids)))).all()


def _groups_with(user_id: str) -> Select[str]:
    return select(col(Membership.group_id)).where(col(Membership.user_id) == user_id)


async def create_group(
    session: Transaction, workspace_id: str, name: str, member_ids: Collection[str], *, id: str
) -> Group:
    """A new group of users, who must exist."""
    group = Group(id=id, workspace_id=workspace_id, name=name)
    session.add(group)
    await session.flush()
    session.add_all(Membership(group_id=group.id, user_id=user_id) for user_id in member_ids)
    return group


async def members_of(session: AsyncSession, group_ids: Sequence[str]) -> Sequence[Row[str, User]]:
    """(group_id, User) for the members of some groups, by name."""
    query = select(col(Membership.group_id), User).join(User, col(User.id) == col(Membership.user_id))
    query = query.where(col(Membership.group_id).in_(group_ids)).order_by(col(User.name), col(User.id))
    return (await session.execute(query)).all()


async def groups_of(
    session: AsyncSession, user_ids: Sequence[str], member_id: str | None = None
) -> Sequence[Row[str, Group]]:
    """(user_id, Group) for the groups of some users, by name; for a member, as far as it is in them too."""
    query = select(col(Membership.user_id), Group).join(Group, col(Group.id) == col(Membership.group_id))
    query = query.where(col(Membership.user_id).in_(user_ids)).order_by(col(Group.name), col(Group.id))
    if member_id is not None:
        query = query.where(col(Group.id).in_(_groups_with(member_id)))
    return (await session.execute(query)).all()
