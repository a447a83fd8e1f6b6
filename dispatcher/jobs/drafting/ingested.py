"""What ingested items are a source of: their texts, and those of their questions that can be asked here."""

from collections.abc import Iterator, Sequence

from pydantic import TypeAdapter

from dispatcher.jobs.drafting.bounds import excess
from dispatcher.jobs.drafting.drafts import QuestionDraft
from dispatcher.jobs.drafting.markup import paragraphs
from dispatcher.jobs.drafting.source import ItemKind, Source, SourceItem, source_from_items
from dispatcher.jobs.drafting.wording import shortened
from storage.packages.questions import InteractionKind, Question, QuestionInteraction, ResponseCardinality
from storage.tables import ContentItem, QuestionType

CHOOSING = frozenset({InteractionKind.CHOICE, InteractionKind.INLINE_CHOICE})
WRITING = frozenset({InteractionKind.TEXT_ENTRY, InteractionKind.EXTENDED_TEXT})
LONGEST_QUESTION = 1_000

QUESTION = TypeAdapter(Question)


def read_items(rows: Sequence[ContentItem]) -> Source:
    """A lesson per item, in their order; raises JobFailed SOURCE_INVALID for an item without content."""
    language = next((row.language for row in rows if row.language), "en")
    return source_from_items([_item(row) for row in rows], language=language)


def _item(row: ContentItem) -> SourceItem:
    question = QUESTION.validate_json(row.question) if row.question else None
    questions = tuple(_questions(row, question.interactions)) if question else ()
    body = row.body or row.description or ""
    return SourceItem(row.title, ItemKind(row.type), body, questions)


def _questions(row: ContentItem, interactions: Sequence[QuestionInteraction]) -> Iterator[QuestionDraft]:
    """Of several interactions those with a prompt of their own: the others are gaps in one text."""
    told = paragraphs(row.body or "")
    for interaction in interactions:
        prompt = paragraphs(interaction.prompt or "")
        asked = shortened(" ".join((*told, *prompt)), LONGEST_QUESTION)
        draft = _draft(row.title, asked, interaction) if asked and (prompt or len(interactions) == 1) else None
        if draft is not None:
            yield draft


def _draft(title: str, asked: str, interaction: QuestionInteraction) -> QuestionDraft | None:
    """The question, if it is one of choosing or writing that says which answer is right, and not too much."""
    draft = _of_choosing_or_writing(title, asked, interaction)
    return draft if draft is not None and excess(draft) is None else None


def _of_choosing_or_writing(title: str, asked: str, interaction: QuestionInteraction) -> QuestionDraft | None:
    right = tuple(filter(str.strip, interaction.correct_responses))
    if interaction.kind in WRITING and right:
        return QuestionDraft(title, asked, QuestionType.short_answer, (), right, None)
    texts = {choice.id: choice.text.strip() for choice in interaction.choices}
    distinct = len(set(texts.values())) == len(texts) > 1 and all(texts.values())
    if interaction.kind not in CHOOSING or not distinct or not right or not set(right) <= texts.keys():
        return None
    several = interaction.cardinality is not ResponseCardinality.SINGLE or len(right) > 1
    type = QuestionType.multiple_response if several else QuestionType.multiple_choice
    return QuestionDraft(title, asked, type, tuple(texts.values()), tuple(texts[id] for id in right), None)
