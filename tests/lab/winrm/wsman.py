# Copyright (c) 2026 appproxy.connector contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WSMan as far as a command shell needs it: envelopes read and written, and the faults with their numbers."""

from __future__ import annotations

import re
import time
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape

_DEFAULT_OPERATION_SECONDS = 60.0
_MAX_OPERATION_SECONDS = 600.0

_SOAP = "http://www.w3.org/2003/05/soap-envelope"
_ADDRESSING = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
_WSMAN = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
TRANSFER = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
SHELL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
RESOURCE = f"{SHELL}/cmd"
_FAULT = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
_FAULT_ACTION = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
ANONYMOUS = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous"
NAMES = {"s": _SOAP, "a": _ADDRESSING, "w": _WSMAN, "x": TRANSFER, "rsp": SHELL}
_NAMESPACES = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMES.items())

# wsmerror.h and winerror.h
ERROR_NO_DATA = 232
ERROR_BUSY = 170
ERROR_INVALID_PARAMETER = 87
ERROR_OPERATION_ABORTED = 995
ERROR_NO_SYSTEM_RESOURCES = 1450
ERROR_WSMAN_INVALID_ACTIONURI = 0x80338001
ERROR_WSMAN_OPERATION_TIMEDOUT = 0x80338029
ERROR_WSMAN_SCHEMA_VALIDATION_ERROR = 0x80338041
ERROR_WSMAN_UNEXPECTED_SELECTORS = 0x8033805B
ERROR_WSMAN_QUOTA_MAX_SHELLS = 0x803381A5


class Fault(Exception):
    """A WSMan fault: HTTP 500 with a SOAP body that says why."""

    def __init__(self, code: int, subcode: str, text: str, sender: bool = True) -> None:
        super().__init__(text)
        self.code = code
        self.subcode = subcode
        self.text = text
        self.sender = sender


def timed_out() -> Fault:
    return Fault(
        ERROR_WSMAN_OPERATION_TIMEDOUT,
        "w:TimedOut",
        "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.",
        sender=False,
    )


def invalid(text: str) -> Fault:
    return Fault(ERROR_WSMAN_SCHEMA_VALIDATION_ERROR, "w:SchemaValidationError", text)


def aborted() -> Fault:
    return Fault(
        ERROR_OPERATION_ABORTED,
        "w:InternalError",
        "The I/O operation has been aborted because of either a thread exit or an application request.",
        sender=False,
    )


@dataclass(frozen=True)
class Request:
    """What of an envelope every operation needs. deadline: monotonic seconds."""

    action: str
    message_id: str
    shell_id: str
    deadline: float
    options: Mapping[str, str]
    body: ET.Element


def text_of(parent: ET.Element, path: str, default: str = "") -> str:
    node = parent.find(path, NAMES)
    return default if node is None or node.text is None else node.text.strip()


def _seconds(duration: str) -> float:
    """An xs:duration of days and less, in seconds. Raises Fault."""
    match = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", duration)
    if match is None:
        raise invalid(f"OperationTimeout is no duration: {duration[:40]}")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return min(((days * 24 + hours) * 60 + minutes) * 60 + seconds, _MAX_OPERATION_SECONDS)


class _Envelopes(ET.TreeBuilder):
    """Builds the tree, and stops at a document type: SOAP has none, and what it could declare is not to be expanded."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise invalid("A document type is not allowed in a SOAP message.")


def parse_request(content: bytes) -> Request:
    """Read an envelope. Raises Fault for what is no XML, no SOAP, or lacks a needed part."""
    try:
        envelope = ET.fromstring(content, ET.XMLParser(target=_Envelopes()))
    except ET.ParseError as error:
        raise invalid(f"The SOAP message is no XML: {error}") from error
    header = envelope.find("s:Header", NAMES)
    body = envelope.find("s:Body", NAMES)
    if envelope.tag != f"{{{_SOAP}}}Envelope" or header is None or body is None:
        raise invalid("The message is no SOAP envelope with a header and a body.")
    duration = text_of(header, "w:OperationTimeout")
    seconds = _seconds(duration) if duration else _DEFAULT_OPERATION_SECONDS
    return Request(
        action=text_of(header, "a:Action"),
        message_id=text_of(header, "a:MessageID"),
        shell_id=text_of(header, "w:SelectorSet/w:Selector[@Name='ShellId']"),
        deadline=time.monotonic() + seconds,
        options={node.get("Name", ""): node.text or "" for node in header.iterfind("w:OptionSet/w:Option", NAMES)},
        body=body,
    )


def response(action: str, relates_to: str, body: str) -> bytes:
    related = f"<a:RelatesTo>{escape(relates_to)}</a:RelatesTo>" if relates_to else ""
    return (
        f'<s:Envelope xml:lang="en-US" {_NAMESPACES}><s:Header><a:Action>{action}</a:Action>'
        f"<a:MessageID>uuid:{str(uuid.uuid4()).upper()}</a:MessageID><a:To>{ANONYMOUS}</a:To>{related}</s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def fault_envelope(fault: Fault, relates_to: str) -> bytes:
    text = escape(fault.text)
    return response(
        _FAULT_ACTION,
        relates_to,
        f"<s:Fault><s:Code><s:Value>s:{'Sender' if fault.sender else 'Receiver'}</s:Value>"
        f"<s:Subcode><s:Value>{fault.subcode}</s:Value></s:Subcode></s:Code>"
        f'<s:Reason><s:Text xml:lang="en-US">{text}</s:Text></s:Reason>'
        f'<s:Detail><f:WSManFault xmlns:f="{_FAULT}" Code="{fault.code}" Machine="127.0.0.1">'
        f"<f:Message>{text}</f:Message></f:WSManFault></s:Detail></s:Fault>",
    )
