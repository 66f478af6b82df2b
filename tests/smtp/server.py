"""A mail server for tests: takes mails, refuses and delays by the recipient's name.

`refused@...` is refused for good, `later@...` for now, the first time; of `lost@...` the first mail
is taken and the connection cut before the answer. Each mail that is taken is one line of JSON on
standard output, after a first line with the ports and the certificate authority. The fourth port asks
for the user "headshot" with the password "right".
"""
import asyncio
import email.header
import json
import ssl
import sys

import trustme
from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    def __init__(self):
        self.delayed = set()
        self.cut = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        name = address.split("@")[0]
        if name == "refused":
            return "550 5.1.1 no such user here"
        if name == "later" and address not in self.delayed:
            self.delayed.add(address)
            return "451 4.3.0 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content)
        parts = {
            part.get_content_type(): part.get_payload(decode=True).decode()
            for part in message.walk()
            if not part.is_multipart()
        }
        taken = {
            "to": envelope.rcpt_tos,
            "subject": str(email.header.make_header(email.header.decode_header(message["Subject"]))),
            "id": message["Message-ID"],
            "encrypted": server.transport.get_extra_info("sslcontext") is not None,
            "parts": parts,
        }
        print(json.dumps(taken), flush=True)
        to = envelope.rcpt_tos[0]
        if to.startswith("lost@") and to not in self.cut:
            self.cut.add(to)
            server.transport.abort()
        return "250 OK"


def known(server, session, envelope, mechanism, data):
    right = mechanism in ("LOGIN", "PLAIN") and data.login == b"headshot" and data.password == b"right"
    return AuthResult(success=right, handled=False)


async def main():
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
    handler = Handler()
    loop = asyncio.get_running_loop()

    async def listen(tls=None, **options):
        server = await loop.create_server(lambda: SMTP(handler, **options), "127.0.0.1", 0, ssl=tls)
        return server.sockets[0].getsockname()[1]

    plain = await listen()
    starttls = await listen(tls_context=context, require_starttls=True)
    implicit = await listen(tls=context)
    password = await listen(authenticator=known, auth_required=True, auth_require_tls=False)
    pem = authority.cert_pem.bytes().decode()
    print(json.dumps({"ports": [plain, starttls, implicit, password], "authority": pem}), flush=True)
    # Ends with whoever started it.
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
