#!/usr/bin/env python3
"""Three services that keep sessions in memory: the backends of this example.

    ./serve.py                     # ports 9311 to 9313

    GET /cart    counts the visits of whoever comes, by its cookie `visitor` (which this service sets)
    GET /login   the same by its cookie SESSION; says when it has never heard of it
"""

import secrets
import sys
import threading
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        name = "SESSION" if self.path.startswith("/login") else "visitor"
        cookies = SimpleCookie(self.headers.get("Cookie", ""))
        session = cookies[name].value if name in cookies else None
        known = self.server.visits
        lost = session is not None and session not in known
        fresh = session is None or lost
        if fresh:
            session = secrets.token_hex(8)
        known[session] = known.get(session, 0) + 1
        text = f"{self.server.server_port}: visit {known[session]}" + (" (session lost)" if lost else "")
        body = f"{text}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        if fresh:
            self.send_header("Set-Cookie", f"{name}={session}; Path=/")
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code="-", size="-"):
        """The gateway keeps the access log."""


def main():
    ports = [int(port) for port in sys.argv[1:]] or [9311, 9312, 9313]
    for port in ports:
        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        server.visits = {}
        threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
