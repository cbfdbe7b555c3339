"""A FHIR client nobody here wrote (fhirpy): brings a bundle, then asks as three departments.

Usage: fhir.py BASE CERTS CITIZEN_ID NUMBER; prints one line a step.
"""

import sys

from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import ForbiddenError, ResourceNotFound

BASE, CERTS, CITIZEN, NUMBER = sys.argv[1:5]
SYSTEM = "urn:oid:2.16.156.10011.1.3"


def client(name, purpose=None):
    headers = {"Kangqiao-Call": "CALL-20261121-9"}
    if purpose:
        headers["Kangqiao-Purpose"] = purpose
    return SyncFHIRClient(
        BASE + "/fhir",
        extra_headers=headers,
        requests_config={
            "verify": f"{CERTS}/ca.pem",
            "cert": (f"{CERTS}/{name}.pem", f"{CERTS}/{name}.key"),
        },
    )


bundle = {
    "resourceType": "Bundle",
    "type": "collection",
    "identifier": {"system": "urn:x", "value": NUMBER},
    "entry": [
        {
            "fullUrl": "urn:uuid:0c6d9a54-93a1-4a44-8d0e-5d2f6f9e0001",
            "resource": {
                "resourceType": "Patient",
                "identifier": [{"system": SYSTEM, "value": CITIZEN}],
            },
        },
        {
            "fullUrl": "urn:uuid:0c6d9a54-93a1-4a44-8d0e-5d2f6f9e0002",
            "resource": {
                "resourceType": "AllergyIntolerance",
                "patient": {"reference": "urn:uuid:0c6d9a54-93a1-4a44-8d0e-5d2f6f9e0001"},
                "code": {"text": "青霉素"},
            },
        },
    ],
}
brought = client("hospital-b").execute("", method="post", data=bundle)
print("brought", brought["resourceType"], brought["issue"][0]["details"]["text"])

agent = client("hotline-12349-agent", "emergency-card")
asked = {"patient.identifier": f"{SYSTEM}|{CITIZEN}"}
found = agent.resources("AllergyIntolerance").search(**asked).fetch()
print("found", len(found), found[0]["code"]["text"])

again = agent.reference("AllergyIntolerance", found[0]["id"]).to_resource()
print("read", again["id"] == found[0]["id"])

other = client("care-home-doctor", "institution-admission")
try:
    other.reference("AllergyIntolerance", found[0]["id"]).to_resource()
    print("another department opened the address")
except ResourceNotFound:
    print("address of another department: not found")

try:
    client("civil-affairs-clerk", "emergency-card").resources("Patient").search(
        identifier=f"{SYSTEM}|{CITIZEN}"
    ).fetch()
    print("a clerk got an emergency card")
except ForbiddenError as refused:
    print("refused", "purpose-not-granted" in str(refused))

capability = agent.execute("metadata", method="get")
print("capability", capability["fhirVersion"])
