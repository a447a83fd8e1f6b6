"""How much a resource may hold. Editing refuses what is more, so nothing that we write ourselves may be more."""

LONGEST = {
    "title": 500,
    "description": 5_000,
    "prompt": 20_000,
    "lecture": 500_000,
    "content": 1_000_000,
    "question": 5_000,
    "option": 1_000,
    "explanation": 5_000,
    "script": 10_000,
    "display_text": 2_000,
    "name": 255,
    "text": 200,
}
"""Characters of a text."""

MOST = {
    "quizzes": 100,
    "practice": 100,
    "items": 500,
    "scenes": 300,
    "pages": 300,
    "chapters": 100,
    "lessons": 200,
    "options": 50,
    "curriculum_item_ids": 100,
}
"""Entries of a list. A request may send lists of 500 entries (listLength), so each can be written back whole."""
