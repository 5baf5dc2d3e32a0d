#!/usr/bin/env python3
"""Four slow, uneven image services: the backends of this example.

    ./serve.py                                  # ports 9111 to 9114, three slots each, one of them slow
    ./serve.py --slots 2 --pace 1,1,1,1 --median 0.3

    POST /api/matting_base64
        {"id": 7, "image": "BASE64", "bytes": 3145728, "sha256": "HEX", "bg": [33, 150, 242]}
     -> {"id": 7, "server": 9111, "bytes": 3145728, "sha256": "HEX", "result": "BASE64"}

`bytes` and `sha256` are those of the image before base64, so that a body which lost its end on the way is seen:
it gets 422 and the reason. The "matting" flips every bit (easily checked, as large as its input) and takes a
time drawn from a lognormal law seeded with the port. A backend works on few images at a time (its slots); whoever
comes later waits with his body unread, so memory stays at a few images a slot whatever the number of clients.
"""

import argparse
import base64
import hashlib
import json
import multiprocessing
import random
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FLIP = bytes(255 - byte for byte in range(256))
MAX_BODY = 64 << 20  # bytes; more than the 50 MiB that the gateway lets through


class Refused(Exception):
    """A request that is answered with an error: the status, and what to tell the client."""

    def __init__(self, status, reason):
        super().__init__(reason)
        self.status = status


def open_image(body):
    """The image and its id, if the body is whole and says what it carries."""
    try:
        request = json.loads(body)
        image = base64.b64decode(request["image"], validate=True)
        length, digest, number = request["bytes"], request["sha256"], request["id"]
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(400, f"not a matting request: {error!r}") from None
    if len(image) != length:
        raise Refused(422, f"truncated: {len(image)} of {length} bytes arrived")
    if hashlib.sha256(image).hexdigest() != digest:
        raise Refused(422, "wrong: the image is not the one that was sent")
    return number, image


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keep-alive
    disable_nagle_algorithm = True

    def do_GET(self):
        self.answer(200 if self.path == "/" else 404, {})

    def do_POST(self):
        try:
            if self.path != "/api/matting_base64":
                self.close_connection = True
                raise Refused(404, "no such service")
            with self.server.slots:
                self.answer(200, self.matting(self.body()))
        except Refused as refused:
            self.answer(refused.status, {"error": str(refused)})

    def matting(self, body):
        number, image = open_image(body)
        time.sleep(self.server.service_time())
        result = image.translate(FLIP)
        return {
            "id": number,
            "bytes": len(result),
            "sha256": hashlib.sha256(result).hexdigest(),
            "result": base64.b64encode(result).decode(),
        }

    def body(self):
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            self.close_connection = True
            raise Refused(400 if length else 411, "a number is needed as Content-Length")
        if int(length) > MAX_BODY:
            self.close_connection = True
            raise Refused(413, f"a request may have {MAX_BODY} bytes")
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            self.close_connection = True
            raise Refused(400, f"truncated: the body ended after {len(body)} of {length} bytes")
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

    def log_request(self, code="-", size="-"):
        """The gateway keeps the access log."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, port, slots, median, seed):
        super().__init__(("127.0.0.1", port), Handler)
        self.slots = threading.BoundedSemaphore(slots)
        self.median = median
        self.random = random.Random(f"{seed}:{port}")

    def service_time(self):
        """Seconds; half of them below the median, one in a hundred above three times the median."""
        return self.median * self.random.lognormvariate(0, 0.5)


def serve(port, slots, median, seed):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    server = Server(port, slots, median, seed)
    print(f"matting service on http://127.0.0.1:{port}: {slots} slots, {median * 1000:.0f} ms", flush=True)
    server.serve_forever()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("ports", nargs="*", type=int, default=[9111, 9112, 9113, 9114])
    parser.add_argument("--slots", type=int, default=3, help="images a backend works on at a time")
    parser.add_argument("--median", type=float, default=0.15, metavar="SECONDS", help="service time at pace 1")
    parser.add_argument("--pace", default="1,1,1.5,3", help="how slow each backend is; the last value holds for the rest")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    paces = [float(pace) for pace in options.pace.split(",")]
    paces += paces[-1:] * len(options.ports)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # an orderly exit takes the children along
    for port, pace in zip(options.ports, paces):
        arguments = (port, options.slots, options.median * pace, options.seed)
        multiprocessing.Process(target=serve, args=arguments, daemon=True).start()
    try:
        signal.pause()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
