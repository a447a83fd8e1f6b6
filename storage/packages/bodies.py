"""HTML of XML content: the text as it is, each interaction as an inert mark, nothing that only graders may see."""

from collections.abc import Iterable, Set
from html import escape

from lxml import etree

from storage.packages import html
from storage.packages.questions import InteractionKind
from storage.packages.xml import local, text

_SUFFIX = "-interaction"
_KINDS = {f"qti-{kind.lower().replace('_', '-')}{_SUFFIX}": kind for kind in InteractionKind}
# What these hold is all choices and markup of their own; of the others the mark keeps the text, image or film.
_OPAQUE = frozenset({"CHOICE", "ORDER", "INLINE_CHOICE", "MATCH", "ASSOCIATE", "CUSTOM", "PORTABLE_CUSTOM"})
_INNER_MARKS = {"qti-hottext": "choice", "qti-gap": "gap", "qti-printed-variable": "variable"}
_READ_ELSEWHERE = ("{*}qti-prompt", "{*}qti-gap-text", "{*}qti-gap-img")
_NOT_FOR_LEARNERS = ("{*}qti-rubric-block", "{*}qti-feedback-block", "{*}qti-feedback-inline", "{*}qti-catalog-info")
_MATH = "{http://www.w3.org/1998/Math/MathML}*"


def find_interactions(root: etree._Element) -> list[etree._Element]:
    """The interactions below an element in document order, known to QTI or not."""
    return [element for element in root.iter("*") if str(element.tag).endswith(_SUFFIX)]


def kind_of(interaction: etree._Element) -> InteractionKind:
    """CUSTOM for an interaction that QTI does not know."""
    return _KINDS.get(local(interaction), InteractionKind.CUSTOM)


def find_holders(interactions: Iterable[etree._Element]) -> set[etree._Element]:
    """Every element that holds an interaction: feedback among them is a part of the question."""
    holders: set[etree._Element] = set()
    for interaction in interactions:
        for ancestor in interaction.iterancestors():
            if ancestor in holders:
                break
            holders.add(ancestor)
    return holders


def hide(body: etree._Element, holders: Set[etree._Element]) -> bool:
    """Empties what is not for learners, feedback and notes to anybody else; answers whether there was any."""
    hidden: set[etree._Element] = set()
    outermost: list[etree._Element] = []
    for element in body.iter(*_NOT_FOR_LEARNERS):
        is_inside = next(element.iterancestors(*_NOT_FOR_LEARNERS), None) in hidden
        if is_inside or _is_hidden(element, holders):
            hidden.add(element)
            if not is_inside:
                outermost.append(element)
    # Emptied afterwards and once: to empty takes as long as what is in it, for every level of nesting.
    for element in outermost:
        element.clear(keep_tail=True)
    return bool(outermost)


def _is_hidden(element: etree._Element, holders: Set[etree._Element]) -> bool:
    match local(element):
        case "qti-rubric-block":
            return "candidate" not in element.get("view", "")
        case "qti-feedback-block":
            return element not in holders
        case _:
            return True


def mark_all(body: etree._Element, interactions: Iterable[etree._Element]) -> None:
    """Puts a mark in the place of each of these interactions, once they have been read."""
    for element in interactions:
        kind = kind_of(element)
        if kind in _OPAQUE:
            element[:] = []
            element.text = None
        else:
            _mark_inside(element)
        _become(
            element, "div" if len(element) else "span", "interaction", element.get("response-identifier", "").strip()
        )
        element.set("data-kind", kind)
    for element in body.iter("{*}qti-printed-variable"):
        _become(element, "span", "variable", element.get("identifier", "").strip())


def render(element: etree._Element) -> str:
    """The content of an element as sanitised HTML."""
    if not len(element):
        return html.escape((element.text or "").strip())
    for math in element.iter(_MATH):
        math.tag = local(math)
        if math.tag == "mtext" and not len(math):
            math.tag = "mi"  # the sanitizer takes no mtext, in which HTML may hide; words alone are safe in another
    for media in _shown(element):
        _show(media)
    written = etree.tostring(element, method="html", encoding="unicode", with_tail=False)
    content = written[written.index(">") + 1 : written.rindex("<")]
    # The serializer knows no void elements in a namespace, and to a browser </br> is one more line break.
    return html.clean(content.replace("</br>", "").replace(" xml:lang=", " lang="), balanced=True)


def mark(kind: InteractionKind, response: str) -> str:
    """The mark of an interaction, for formats whose text is not written in XML."""
    return f'<span class="interaction" data-kind="{kind}" data-response="{escape(response)}"></span>'


def _mark_inside(interaction: etree._Element) -> None:
    read = interaction.iter(*_READ_ELSEWHERE)
    for element in [found for found in read if next(found.iterancestors(*_READ_ELSEWHERE), None) is None]:
        element.clear(keep_tail=True)
    for element in interaction.iter(*(f"{{*}}{name}" for name in _INNER_MARKS)):
        _become(element, "span", _INNER_MARKS[local(element)], element.get("identifier", "").strip())


def _become(element: etree._Element, tag: str, role: str, identifier: str) -> None:
    element.attrib.clear()
    element.tag = tag
    element.set("class", role)
    element.set("data-response" if role == "interaction" else "data-choice", identifier)


def _shown(element: etree._Element) -> list[etree._Element]:
    """The objects that can be shown, without those that are in one; of others what they hold instead is shown."""
    found: list[etree._Element] = []
    walk = etree.iterwalk(element, events=("start",), tag="{*}object")
    for _, media in walk:
        if _media_kind(media) in ("image", "audio", "video"):
            found.append(media)
            walk.skip_subtree()
    return found


def _media_kind(media: etree._Element) -> str:
    return media.get("type", "").partition("/")[0]


def _show(media: etree._Element) -> None:
    """An object becomes the image, sound or film that it is."""
    source, kind = media.get("data", ""), _media_kind(media)
    alternative = " ".join(text(media).split())
    media.clear(keep_tail=True)
    media.tag = "img" if kind == "image" else kind
    media.set("src", source)
    if kind == "image":
        media.set("alt", alternative)
    else:
        media.set("controls", "")
