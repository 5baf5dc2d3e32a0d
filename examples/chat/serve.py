#!/usr/bin/env python3
"""Copies of one small chat service, one a port: the backends of this example.

    ./serve.py              # ports 8001 and 8002
    ./serve.py 8001 8002 8003

    GET  /              -> {"server": PORT}
    POST /chat          {"message": "hello"} -> {"original": "hello", "reply": "HELLO", "server": PORT}
    POST /completions   any UTF-8 text       -> {"completions": [...], "server": PORT}

What it does not understand gets a JSON error; after a body that it did not read, the connection closes.
"""

import json
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MAX_BODY = 1 << 20  # bytes; a chat message is small


class Refused(Exception):
    """A request that is answered with an error: the status, and what to tell the client."""

    def __init__(self, status, reason):
        super().__init__(reason)
        self.status = status


def chat(body):
    try:
        message = json.loads(body)["message"]
    except (ValueError, KeyError, TypeError):
        raise Refused(400, 'expected a JSON object with "message"') from None
    if not isinstance(message, str):
        raise Refused(400, '"message" must be a string')
    return {"original": message, "reply": message.upper()}


def completions(body):
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Refused(400, "expected text in UTF-8") from None
    ends = (text[:5] + "...", "..." + text[-5:])
    return {"completions": [{"index": index, "text": end} for index, end in enumerate(ends)]}


SERVICES = {"/chat": chat, "/completions": completions}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keep-alive
    disable_nagle_algorithm = True
    timeout = 75  # seconds a kept-alive connection may stay silent

    def do_GET(self):
        if self.path.partition("?")[0] == "/":
            self.answer(200, {})
        else:
            self.answer(404, {"error": "no such page"})

    def do_POST(self):
        try:
            body = self.body()
            service = SERVICES.get(self.path.partition("?")[0])
            if service is None:
                raise Refused(404, "no such service: there are " + " and ".join(SERVICES))
            self.answer(200, service(body))
        except Refused as refused:
            self.answer(refused.status, {"error": str(refused)})

    def body(self):
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            self.close_connection = True
            raise Refused(400 if length else 411, "a number is needed as Content-Length")
        if int(length) > MAX_BODY:
            self.close_connection = True
            raise Refused(413, f"a message may have {MAX_BODY} bytes")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            raise Refused(400, f"the body ended after {len(body)} of {length} bytes")
        return body

    def answer(self, status, fields):
        body = json.dumps(fields | {"server": self.server.server_port}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def send_error(self, code, message=None, explain=None):
        """What the standard library refuses by itself (a bad request line, an unknown method): as JSON, too."""
        self.close_connection = True
        self.answer(code, {"error": message or self.responses[code][0]})

    def log_request(self, code="-", size="-"):
        """The gateway keeps the access log; a line here for each request would only cost time."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512  # the standard library's 5 would drop connections under `ab -c 100`


def main():
    ports = [int(port) for port in sys.argv[1:]] or [8001, 8002]
    for port in ports:
        server = Server(("127.0.0.1", port), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"chat service on http://127.0.0.1:{port}", flush=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        signal.pause()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
