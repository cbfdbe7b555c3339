"""A receiver of HL7 v2 messages over mutual TLS: the server and the parser of the package hl7.

Arguments: port, folder, certificate, key, authority. Each message is a line of JSON in the file
`came`. How a reference is answered stands in the file of its name: a code of table 0008, `other`
(the code AA, for another message) or `silent`; without a file it is AA.
"""

import asyncio
import json
import pathlib
import ssl
import sys

import hl7
import hl7.mllp

port, folder, certificate, key, authority = sys.argv[1:]
folder = pathlib.Path(folder)
connections = 0


def answer_to(reference):
    own = folder / f"answer-{reference}"
    return own.read_text() if own.exists() else "AA"


async def serve(reader, writer):
    global connections
    connections += 1
    connection = connections
    try:
        while True:
            raw = (await reader.readblock()).decode("utf-8")
            message = hl7.parse(raw)
            number = message.extract_field("MSH", 1, 10)
            reference = message.extract_field("PID", 1, 3, 1, 1)
            answer = answer_to(reference)
            line = {
                "id": number,
                "event": f"{message.extract_field('MSH', 1, 9, 1, 1)}^{message.extract_field('MSH', 1, 9, 1, 2)}",
                "reference": reference,
                "authority": message.extract_field("PID", 1, 3, 1, 4),
                "connection": connection,
                "answer": answer,
                "raw": raw,
            }
            with open(folder / "came", "a", encoding="utf-8") as came:
                came.write(json.dumps(line) + "\n")
            if answer == "silent":
                continue
            ack = str(message.create_ack("AA" if answer == "other" else answer))
            if answer == "other":
                ack = ack.replace(number, f"{number}0")
            writer.writeblock(ack.encode("utf-8"))
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main():
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority)
    tls.verify_mode = ssl.CERT_REQUIRED
    tls.load_cert_chain(certificate, key)
    server = await hl7.mllp.start_hl7_server(serve, "127.0.0.1", int(port), ssl=tls)
    async with server:
        await server.serve_forever()


asyncio.run(main())
