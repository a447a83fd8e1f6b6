"""What public pages show of a resource, and how: readable without script, and without answers."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from sqlalchemy.ext.asyncio import AsyncSession

from storage import resources, tables
from storage.tables import QuestionType, Resource, ResourceKind
from storage.tables.columns import wire
from storage.tables.resources import CourseDetails, ModuleDetails, SlideDetails, TestDetails, VideoDetails

Content = dict[str, Any]

RIGHT_TO_LEFT = frozenset({"ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"})

HEADING = re.compile(r"(</?h)([1-6])(?=[\s>])")

PAGES = Environment(
    loader=PackageLoader("gateway"),
    autoescape=select_autoescape(["html"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


async def content(session: AsyncSession, resource: Resource) -> Content:
    """What a page shows of a resource: no answers, no explanations, nothing internal."""
    shown = {
        "type": resource.kind.value,
        "title": resource.title,
        "description": resource.description,
        "language": resource.language,
    }
    match resource.details:
        case ModuleDetails() as module:
            quizzes = await resources.children_of(tables.Quiz)(session, [resource.id])
            return shown | {"lecture": module.lecture, "quizzes": [question(quiz) for quiz in quizzes]}
        case CourseDetails():
            return shown | {"chapters": await _chapters(session, resource.id)}
        case VideoDetails():
            scenes = await resources.children_of(tables.Scene)(session, [resource.id])
            return shown | {"scenes": [_scene(scene) for scene in scenes]}
        case SlideDetails() as deck:
            pages = [{"index": index, **page.model_dump()} for index, page in enumerate(deck.pages, start=1)]
            return shown | {"theme": deck.theme, "pages": pages}
        case TestDetails() as test:
            items = await resources.children_of(tables.Item)(session, [resource.id])
            return shown | {
                "timeLimit": test.time_limit,
                "items": [{"id": item.id, **question(item)} for item in items],
            }


def question(row: tables.Quiz | tables.Item) -> Content:
    """A question without what would give it away; a short answer's options would."""
    options = [] if row.type is QuestionType.short_answer else row.options
    return {"sequence": row.sequence, "question": row.question, "type": row.type, "options": options}


async def _chapters(session: AsyncSession, course_id: str) -> list[Content]:
    """Chapters with their lessons, and lessons with their questions, in three statements."""
    chapters = await resources.children_of(tables.Chapter)(session, [course_id])
    lessons = await resources.children_of(tables.Lesson)(session, [course_id])
    quizzes = await resources.children_of(tables.Quiz)(session, [course_id])
    asked: Mapping[str, list[tables.Quiz]] = _grouped(quizzes, "owner_id")
    taught: Mapping[str, list[tables.Lesson]] = _grouped(lessons, "chapter_id")
    return [
        {
            "sequence": chapter.sequence,
            "title": chapter.title,
            "description": chapter.description,
            "lessons": [_lesson(lesson, asked[lesson.id]) for lesson in taught[chapter.id]],
        }
        for chapter in chapters
    ]


def _grouped(rows: Sequence[Any], key: str) -> Mapping[str, list[Any]]:
    groups: Mapping[str, list[Any]] = defaultdict(list)
    for row in rows:
        groups[getattr(row, key)].append(row)
    return groups


def _lesson(row: tables.Lesson, quizzes: Sequence[tables.Quiz]) -> Content:
    return {
        "sequence": row.sequence,
        "title": row.title,
        "description": row.description,
        "lecture": row.lecture,
        "quizzes": [question(quiz) for quiz in quizzes if not quiz.practice],
        "practice": [question(quiz) for quiz in quizzes if quiz.practice],
    }


def _scene(row: tables.Scene) -> Content:
    return {
        "order": row.sequence,
        "script": row.script,
        "displayText": row.display_text,
        "duration": row.duration,
        "visualType": row.visual_type,
    }


def render(template: str, shown: Content, **more: Any) -> str:
    """A page about something with a title, a description and a language."""
    return PAGES.get_template(f"{template}.html").render(shown, **more)


def direction(language: str) -> str:
    """How the script of a language runs, by the language's subtag."""
    return "rtl" if language.lower().split("-")[0] in RIGHT_TO_LEFT else "ltr"


def english(language: str) -> Markup:
    """What our own words carry on a page in another language."""
    return Markup("") if language.lower().split("-")[0] == "en" else Markup(' lang="en" dir="ltr"')


def headings_from(html: str | None, level: int) -> Markup:
    """Sanitized HTML with its headings below those of the page around it: the highest becomes this level."""
    levels = [int(found[2]) for found in HEADING.finditer(html or "")]
    down = level - min(levels, default=level)
    return Markup(HEADING.sub(lambda found: f"{found[1]}{min(int(found[2]) + down, 6)}", html or ""))  # noqa: S704


def number(value: float) -> str:
    """Points and seconds, without needless digits."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


PAGES.filters |= {
    "direction": direction,
    "english": english,
    "headings_from": headings_from,
    "number": number,
    "wire": wire,
}
PAGES.globals["Kind"] = ResourceKind
