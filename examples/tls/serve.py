#!/usr/bin/env python3
"""A backend that speaks TLS, answers only clients whose certificate its authority signed, and says what it was told."""

import http.server
import ssl


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        shown = dict(part[0] for part in self.connection.getpeercert()["subject"])
        told = {name: value for name, value in self.headers.items() if name.lower().startswith(("x-client", "x-forwarded"))}
        text = f"{self.connection.version()} with {shown['commonName']}\n"
        text += "".join(f"{name}: {value}\n" for name, value in sorted(told.items()))
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile="certificates/ca.pem")
context.load_cert_chain("certificates/backend.pem", "certificates/backend.key")
context.verify_mode = ssl.CERT_REQUIRED
server = http.server.ThreadingHTTPServer(("127.0.0.1", 9443), Answer)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
