"""A receiver of HL7 v3 messages in SOAP over mutual TLS: Python's server and TLS, lxml's parser.

Arguments: port, folder, certificate, key, authority, schema. Each message is a line of JSON in the
file `came`; one that is in the body itself is held against the schema. How a reference is answered
stands in the file of its name: a code of AcknowledgementType, `other` (AA, for another message),
`sender` or `receiver` (a fault of that side), `nothing` (200 without a body) or a status of HTTP;
without a file it is AA.
"""

import http.server
import json
import pathlib
import ssl
import sys
import threading

from lxml import etree

port, folder, certificate, key, authority, schema = sys.argv[1:]
folder = pathlib.Path(folder)
schema = etree.RelaxNG(etree.parse(schema))
writing = threading.Lock()
V3 = "{urn:hl7-org:v3}"
SOAP = {
    "http://schemas.xmlsoap.org/soap/envelope/": "text/xml; charset=utf-8",
    "http://www.w3.org/2003/05/soap-envelope": "application/soap+xml; charset=utf-8",
}


def answer_to(reference):
    own = folder / f"answer-{reference}"
    return own.read_text() if own.exists() else "AA"


def read(raw):
    """The namespace of the envelope, the call around the message (None if there is none), the message."""
    envelope = etree.fromstring(raw, etree.XMLParser(resolve_entities=False))
    soap = etree.QName(envelope).namespace
    (inner,) = envelope.find(f"{{{soap}}}Body")
    text = inner.find(V3 + "message")
    if text is None:
        return envelope, soap, None, inner
    # A parser says what the text is, whether it was escaped or in CDATA.
    return envelope, soap, inner, etree.fromstring(text.text.encode())


def acknowledgement(soap, call, message, answer):
    """As IHE writes one where the message was the body, as the platforms do where it was a text."""
    number = message.find(V3 + "id")
    extension = number.get("extension") + ("0" if answer == "other" else "")
    target = f'<targetMessage><id root="{number.get("root")}" extension="{extension}"/></targetMessage>'
    code = "AA" if answer == "other" else answer
    if call is None:
        told = f'<acknowledgement><typeCode code="{code}"/>{target}</acknowledgement>'
        body = f'<MCCI_IN000002UV01 xmlns="urn:hl7-org:v3">{told}</MCCI_IN000002UV01>'
    else:
        name = "PRPA_IN201315UV02" if code == "AA" else "PRPA_IN201316UV02"
        told = f'<acknowledgement typeCode="{code}">{target}</acknowledgement>'
        operation = etree.QName(call).localname
        text = f'<{name} xmlns="urn:hl7-org:v3">{told}</{name}>'
        body = (
            f'<{operation}Response xmlns="urn:hl7-org:v3"><{operation}Result>'
            f"<![CDATA[{text}]]></{operation}Result></{operation}Response>"
        )
    return f'<s:Envelope xmlns:s="{soap}"><s:Body>{body}</s:Body></s:Envelope>'


def fault(soap, side):
    if soap.endswith("/soap-envelope"):
        inner = (
            f"<s:Code><s:Value>s:{side.capitalize()}</s:Value></s:Code><s:Reason>"
            '<s:Text xml:lang="en">no</s:Text></s:Reason>'
        )
    else:
        code = {"sender": "Client", "receiver": "Server"}[side]
        inner = f"<faultcode>s:{code}</faultcode><faultstring>no</faultstring>"
    return f'<s:Envelope xmlns:s="{soap}"><s:Body><s:Fault>{inner}</s:Fault></s:Body></s:Envelope>'


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["content-length"]))
        envelope, soap, call, message = read(raw)
        patient = next(message.iter(V3 + "patient"))
        ids = [one for one in patient.find(V3 + "id").iter(V3 + "item")] or patient.findall(V3 + "id")
        reference = ids[0].get("extension")
        answer = answer_to(reference)
        line = {
            "id": message.find(V3 + "id").get("extension"),
            "event": etree.QName(message).localname,
            "call": None if call is None else etree.QName(call).localname,
            "action": None if call is None else call.findtext(V3 + "action"),
            "reference": reference,
            "references": [one.get("extension") for one in ids],
            "authority": ids[0].get("root"),
            "dead": [(one.get("value")) for one in message.iter(V3 + "deceasedInd", V3 + "deceasedTime")],
            "headers": {etree.QName(one).localname: one.findtext("*") or one.text
                        for one in envelope.findall(f"{{{soap}}}Header/*")},
            "media": self.headers["content-type"],
            "soap_action": self.headers["soapaction"],
            "media_fits": self.headers["content-type"].startswith(SOAP[soap].split(";")[0]),
            "faults": None if call is not None or schema.validate(message) else str(schema.error_log),
            "answer": answer,
            "raw": raw.decode(),
        }
        with writing, open(folder / "came", "a", encoding="utf-8") as came:
            came.write(json.dumps(line) + "\n")
        status, body = 200, ""
        if answer.isdigit():
            status = int(answer)
        elif answer in ("sender", "receiver"):
            status, body = 500, fault(soap, answer)
        elif answer != "nothing":
            body = acknowledgement(soap, call, message, answer)
        body = body.encode()
        self.send_response(status)
        self.send_header("content-type", SOAP[soap])
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        # Who only looks whether somebody listens is no error; a broken test says so itself.
        if not isinstance(sys.exc_info()[1], (OSError, ssl.SSLError)):
            super().handle_error(request, client_address)


tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority)
tls.verify_mode = ssl.CERT_REQUIRED
tls.load_cert_chain(certificate, key)
server = Server(("127.0.0.1", int(port)), Handler)
# The handshake belongs to the thread of its connection.
server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
