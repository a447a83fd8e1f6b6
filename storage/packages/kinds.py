"""What a resource is to us, by its type."""

from enum import Enum, auto

from storage.packages import cartridge
from storage.packages.manifest import ManifestResource, PackageType


class Kind(Enum):
    """How a resource is read; METADATA and ASSET are files that others use."""

    ITEM = auto()
    STIMULUS = auto()
    ARTICLE = auto()
    PAGE = auto()
    WEB_LINK = auto()
    ASSESSMENT = auto()
    METADATA = auto()
    ASSET = auto()
    UNSUPPORTED = auto()


_QTI3 = {
    "imsqti_item_xmlv3p0": Kind.ITEM,
    "imsqti_stimulus_xmlv3p0": Kind.STIMULUS,
    "imsqti_article_xmlv3p0": Kind.ARTICLE,
}


def kind_of(resource: ManifestResource, package: PackageType) -> Kind:
    """QTI 3 types count in both formats, those of cartridges in cartridges only."""
    stated = resource.type
    for prefix, kind in _QTI3.items():
        if stated.startswith(prefix):
            return kind
    if package is PackageType.COMMON_CARTRIDGE:
        if cartridge.is_page(stated, resource.href):
            return Kind.PAGE
        if cartridge.is_web_link(stated):
            return Kind.WEB_LINK
        if cartridge.is_assessment(stated):
            return Kind.ASSESSMENT
    if stated == "resourcemetadata/xml":
        return Kind.METADATA
    return Kind.ASSET if stated == "webcontent" or stated.startswith("associatedcontent/") else Kind.UNSUPPORTED
