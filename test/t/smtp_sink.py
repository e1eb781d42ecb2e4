"""smtp_sink.py: a mail sink of aiosmtpd on a free port of loopback, with a password and TLS; and a reader of mails that owes
nothing to ours. Prints its port; each line of standard input gets the mails so far as one line of JSON, and its end ends it."""
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

mails = []


def part(message):
    content = message.get_content() if message.get_content_maintype() == "text" else None
    return {"type": message.get_content_type(), "filename": message.get_filename(),
            "text": content, "bytes": message.get_payload(decode=True).hex(),
            "defects": [type(d).__name__ for d in message.defects]}


class Sink:
    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        mails.append({
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "tls": session.ssl is not None,
            "user": session.auth_data if session.authenticated else None,
            "headers": {name: str(value) for name, value in message.items()},
            "display": [address.display_name for address in message["to"].addresses],
            "type": message.get_content_type(), "defects": [type(d).__name__ for d in message.defects],
            "longest": max(len(line) for line in envelope.content.split(b"\r\n")),
            "parts": [part(p) for p in message.walk() if not p.is_multipart()]})
        return "250 2.0.0 taken"


def check(server, session, envelope, mechanism, data):
    known = (data.login, data.password) == (b"me", b"p@ss:w/d")
    return AuthResult(success=known, auth_data=data.login.decode() if known else None)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{sys.argv[1]}/good.crt", f"{sys.argv[1]}/good.key")
controller = Controller(Sink(), hostname="127.0.0.1", port=int(sys.argv[2]), tls_context=context, authenticator=check,
                        auth_required=True)
controller.start()
print(json.dumps({"port": int(sys.argv[2])}), flush=True)
for _ in sys.stdin:
    print(json.dumps(mails), flush=True)
controller.stop()
