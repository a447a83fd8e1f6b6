import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.jobs.drafting.outline import Intent, read_intent


@pytest.mark.parametrize(
    ("prompt", "intent"),
    [
        ("Create an interactive lesson about workplace safety basics.", Intent("workplace safety basics")),
        (
            "Create a 5 lesson onboarding course for customer success teams.",
            Intent("onboarding", "customer success teams", lessons=5),
        ),
        ("Create a 60 second summary video for workplace safety.", Intent("workplace safety", seconds=60)),
        ("Create a 10 slide workplace safety training deck.", Intent("workplace safety training", slides=10)),
        ("Create a 10 question safety assessment.", Intent("safety", questions=10)),
        ("Create a course on AI for teachers in 8 lessons", Intent("AI", "teachers", lessons=8)),
        (
            "Please write ten multiple choice questions on the French Revolution",
            Intent("the French Revolution", questions=10),
        ),
        ("Make a two-minute video about rain with 4 scenes", Intent("rain", seconds=120, scenes=4)),
        ("Make a 3-5 scene, 1.5 minute clip about rain", Intent("rain", scenes=5, seconds=90)),
        (
            "Make a module about safety covering fire, falls and noise for new staff",
            Intent("safety", "new staff", ("fire", "falls", "noise")),
        ),
        ("Create a course about safety. Topics: fire, falls.", Intent("safety", topics=("fire", "falls"))),
        ("About safety:\n- fire\n- falls\n 3) noise", Intent("safety", topics=("fire", "falls", "noise"))),
        (
            "Erstelle einen Kurs mit 5 Lektionen über Brandschutz für neue Mitarbeiter",
            Intent("Brandschutz", "neue Mitarbeiter", lessons=5),
        ),
        (
            "Créez un cours de cinq leçons sur la sécurité au travail pour les débutants.",
            Intent("la sécurité au travail", "les débutants", lessons=5),
        ),
        (
            "Crea un curso de 5 lecciones sobre seguridad, higiene y orden",
            Intent("seguridad, higiene y orden", topics=("seguridad", "higiene", "orden"), lessons=5),
        ),
        ("Photosynthesis in plants", Intent("Photosynthesis in plants")),
        ("Create a quiz", Intent("The title")),
        ("職場の安全についてのレッスンを作成してください", Intent("The title")),
        ("We would like our staff to know what they should do when things go wrong at work", Intent("The title")),
        ("x" * 100_000, Intent("The title")),
        ("", Intent("The title")),
        (None, Intent("The title")),
    ],
)
def test_a_prompt_is_understood_as_far_as_it_goes(prompt: str | None, intent: Intent) -> None:
    assert read_intent(prompt, "The title") == intent


@settings(max_examples=300)
@given(st.text(max_size=200), st.text(max_size=50))
def test_every_prompt_has_a_subject(prompt: str, title: str) -> None:
    intent = read_intent(prompt, title)

    assert intent.subject.strip()
    assert len(intent.subject) <= 80
    assert len({topic.casefold() for topic in intent.topics}) == len(intent.topics)
