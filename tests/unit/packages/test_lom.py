"""LOM in its bindings."""

import pytest

from storage.packages import lom
from storage.packages.lom import Lom
from storage.packages.xml import parse

GENERAL = "<lom><general><title>{}</title></general></lom>"


def test_what_one_description_lacks_another_may_have() -> None:
    titled = GENERAL.format("<string>One</string>")
    difficult = "<lom><educational><difficulty><value>easy</value></difficulty></educational></lom>"
    read = lom.read(parse(f"<metadata>{titled}{difficult}{titled.replace('One', 'Two')}</metadata>".encode()))
    assert (read.title, read.difficulty) == ("One", "easy")


@pytest.mark.parametrize(
    ("strings", "title"),
    [
        ("<string>One</string>", "One"),
        ("<langstring xml:lang='de'>Eins</langstring>", "Eins"),
        ("<string language='de'>Eins</string><string language='en'>One</string>", "One"),
        ("<string xml:lang='de'>Eins</string><langstring xml:lang='en-GB'>One</langstring>", "One"),
        ("<string language='de_DE'>Eins</string><string language='en_US'>One</string>", "One"),
        ("<string language='de'>Eins</string><string language='fr'>Un</string>", "Eins"),
        ("<string language='en'> </string><string language='fr'>Un</string>", "Un"),
        ("<string> One\n   and  <b>two</b> </string>", "One and two"),
        ("<string>&lt;b&gt; \u202e😀</string>", "<b> \u202e😀"),
        ("<string> </string>", None),
        ("", None),
        ("Bare", None),
    ],
)
def test_the_title_is_english_or_the_first(strings: str, title: str | None) -> None:
    assert lom.read(parse(GENERAL.format(strings).encode())).title == title


def test_every_field_is_read_whatever_the_namespace() -> None:
    document = """
        <metadata xmlns:m="http://ltsc.ieee.org/xsd/LOM"><m:lom>
          <m:general><m:title><m:string>T</m:string></m:title><m:language>en</m:language>
            <m:description><m:string>D</m:string></m:description></m:general>
          <m:metaMetadata><m:language>fr</m:language></m:metaMetadata>
          <m:technical><m:format>video/mp4</m:format><m:format>text/html</m:format><m:location>https://e.org/</m:location>
            <m:requirement><m:orComposite><m:name><m:value>x</m:value></m:name></m:orComposite></m:requirement>
          </m:technical>
          <m:educational><m:learningResourceType><m:value>video</m:value></m:learningResourceType>
            <m:difficulty><m:source>LOMv1.0</m:source><m:value>difficult</m:value></m:difficulty></m:educational>
          <m:rights><m:description><m:string>R</m:string></m:description></m:rights>
        </m:lom></metadata>"""
    assert lom.read(parse(document.encode())) == Lom(
        "T", "D", "en", "difficult", ("video/mp4", "text/html"), ("https://e.org/",), ("video",)
    )


def test_many_formats_take_no_longer_than_their_number() -> None:
    formats = "<format>text/html</format>" * 100_000
    assert len(lom.read(parse(f"<lom><technical>{formats}</technical></lom>".encode())).formats) == 100_000


def test_the_older_binding_is_read() -> None:
    document = (
        "<lom><educational><learningresourcetype><value><langstring>Video</langstring></value></learningresourcetype>"
        "<difficulty><value><langstring>easy</langstring></value></difficulty></educational></lom>"
    )
    read = lom.read(parse(document.encode()))
    assert (read.difficulty, read.resource_types) == ("easy", ("Video",))


def test_no_metadata_is_nothing() -> None:
    assert lom.read(parse(b"<metadata><schema>x</schema></metadata>")) is lom.NOTHING
