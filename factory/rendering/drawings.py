"""Pictures in Word's own language, exactly as large as their box."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from factory.rendering.tagging import printable

_EMU = 36_000  # in a millimetre
_NAMES = (
    'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
)


def inline_picture(relation: str, width: float, height: float, label: str = "") -> str:
    """The drawing of a picture that stands in a line of text.

    Args:
        relation: the id under which the part refers to the picture.
        width: in millimetres, as `height`.
        height: in millimetres.
        label: read out to whoever cannot see it.
    """
    across, down = round(width * _EMU), round(height * _EMU)
    name = quoteattr(printable(label) or "Picture")
    return (
        f'<w:drawing><wp:inline {_NAMES} distT="0" distB="0" distL="0" distR="0">'
        f'<wp:extent cx="{across}" cy="{down}"/><wp:docPr id="1" name={name} descr={name}/>'
        '<wp:cNvGraphicFramePr><a:graphicFrameLocks noChangeAspect="1"/></wp:cNvGraphicFramePr>'
        '<a:graphic><a:graphicData uri="http://schemas.openxmlformats.org/drawingml/2006/picture">'
        f'<pic:pic><pic:nvPicPr><pic:cNvPr id="0" name={name}/><pic:cNvPicPr/></pic:nvPicPr>'
        f'<pic:blipFill><a:blip r:embed="{relation}"/><a:stretch><a:fillRect/></a:stretch>'
        f'</pic:blipFill><pic:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="{across}" cy="{down}"/>'
        '</a:xfrm><a:prstGeom prst="rect"><a:avLst/></a:prstGeom></pic:spPr></pic:pic>'
        "</a:graphicData></a:graphic></wp:inline></w:drawing>"
    )
