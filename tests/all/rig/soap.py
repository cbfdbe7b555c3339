"""A SOAP client written by others (zeep) against the served description, over mutual TLS.

Arguments: address, folder of the certificates, citizen id, local number, a unique mark.
Prints one line for each step; exits with 1 at the first that is not as it should be.
"""
import base64
import sys

import requests
import zeep
from lxml import etree

BASE, CERTS, CITIZEN, LOCAL, MARK = sys.argv[1:6]
V3 = "{urn:hl7-org:v3}"


def client(name, dialect, port):
    session = requests.Session()
    # What the machine trusts or sends through is not what is tested here.
    session.trust_env = False
    session.verify = f"{CERTS}/ca.pem"
    session.cert = (f"{CERTS}/{name}.pem", f"{CERTS}/{name}.key")
    transport = zeep.Transport(session=session)
    found = zeep.Client(f"{BASE}/soap/{dialect}?wsdl", port_name=port, transport=transport)
    return found.service


def message(name, act):
    return (
        f'<{name} xmlns="urn:hl7-org:v3" ITSVersion="XML_1.0"><id root="2.16.156.10011.0" '
        f'extension="{name}-{MARK}"/><processingCode code="P"/><controlActProcess '
        f'classCode="CACT" moodCode="EVN">{act}</controlActProcess></{name}>'
    )


def patient(local, citizen, name):
    identity = f'<id root="2.16.156.10011.1.3" extension="{citizen}"/>' if citizen else ""
    return (
        f'<id root="2.16.156.10011.0.2.2" extension="{local}"/><patientPerson>{identity}'
        f'<name use="L">{name}</name></patientPerson>'
    )


def step(what, reply, *wanted):
    tree = etree.fromstring(reply.encode())
    code = tree.get("status") or next(
        (found.get("typeCode") or found.get("status")
         for found in tree.iter(V3 + "acknowledgement", V3 + "Response")), None)
    missing = [part for part in wanted if part not in reply]
    if code != "AA" or missing:
        sys.exit(f"{what}: {code}, without {missing} in {reply}")
    print(what, etree.QName(tree).localname, code)
    return tree


registered = "<subject><registrationRequest><subject1><patient>{}</patient></subject1></registrationRequest></subject>"
merged = (
    "<subject><registrationEvent><subject1><patient>{}</patient></subject1><replacementOf>"
    '<priorRegistration><subject1><priorRegisteredRole><id root="2.16.156.10011.0.2.2" '
    'extension="{}"/></priorRegisteredRole></subject1></priorRegistration></replacementOf>'
    "</registrationEvent></subject>"
)
asked = (
    '<queryByParameter><parameterList><livingSubjectId><value root="2.16.156.10011.1.3" '
    'extension="{}"/></livingSubjectId></parameterList></queryByParameter>'
)

hospital = client("hospital-b", "regional", "EHRServiceSoap")
doctor = client("clinic-doctor", "regional", "EHRServiceSoap12")
single = client("clinic-doctor", "hospital", "HIPServiceSoap12")

name = "PRPA_IN201311UV02"
person = message(name, registered.format(patient(LOCAL, CITIZEN, "测试甲")))
step("register", hospital[name](message=person))
double = message(name, registered.format(patient(LOCAL + "X", "", "测试甲")))
step("register again", hospital[name](message=double.replace(name + "-", "double-")))
name = "PRPA_IN201304UV02"
merge = message(name, merged.format(patient(LOCAL, CITIZEN, "测试甲"), LOCAL + "X"))
step("merge", hospital[name](message=merge))
name = "PRPA_IN201305UV02"
query = message(name, asked.format(CITIZEN))
step("query", doctor[name](message=query), CITIZEN, "测试甲", 'code="OK"')
step("query by the one operation", single.HIPMessageServer(action="S0004", message=query), CITIZEN)

content = f"<root>{MARK}</root>".encode()
stored = (
    '<ProvideAndRegisterDocumentSetRequest xmlns="urn:hl7-org:v3">'
    f'<ID root="2.16.156.10011.0" extension="store-{MARK}"/><IdentityId>{CITIZEN}</IdentityId>'
    "<RegistryPackage><SubmissionSet><Title>门诊摘要</Title></SubmissionSet></RegistryPackage>"
    f'<Document id="D{MARK}" mimeType="text/xml"><Content>{base64.b64encode(content).decode()}'
    "</Content></Document></ProvideAndRegisterDocumentSetRequest>"
)
reply = hospital["ProvideAndRegisterDocumentSetRequest"](message=stored)
step("store", reply, f'documentUniqueId="D{MARK}"')
search = (
    f'<GetDocumentStroedInfoRequest xmlns="urn:hl7-org:v3"><Id extension="search-{MARK}"/>'
    f"<IdentityId>{CITIZEN}</IdentityId></GetDocumentStroedInfoRequest>"
)
step("search", doctor["GetDocumentStroedInfoRequest"](message=search), f"D{MARK}")
fetch = (
    f'<RetrieveDocumentSetRequest xmlns="urn:hl7-org:v3"><ID extension="fetch-{MARK}"/>'
    f"<DocumentRequest><DocumentUniqueId>D{MARK}</DocumentUniqueId></DocumentRequest>"
    "</RetrieveDocumentSetRequest>"
)
tree = step("retrieve", doctor["RetrieveDocumentSetRequest"](message=fetch))
document = next(tree.iter(V3 + "Document"))
if base64.b64decode(document.text) != content:
    sys.exit("retrieve: other content came back")
