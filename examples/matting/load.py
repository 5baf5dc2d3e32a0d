#!/usr/bin/env python3
"""Uploads images to the matting service, 450 at once, and proves that nothing got lost on the way.

    ./load.py                                   # 450 uploads of 3 MiB (4 MiB as base64) to 127.0.0.1:9110
    ./load.py --port 9120 --clients 100         # the same against nginx
    ./load.py --rounds 3                        # each client uploads three times over its connection

An upload is *lost* when no answer comes or the answer is an error, *truncated* when the image or the result
came shorter than it was sent, and *wrong* when the content is not the expected one. Ends with status 1 if there is any.
"""

import argparse
import base64
import hashlib
import http.client
import json
import random
import sys
import threading
import time
from collections import Counter

FLIP = bytes(255 - byte for byte in range(256))
SLICE = 256 << 10  # bytes handed to the socket at a time
TAIL = 48  # bytes at the end of each image that no other image has; divides by 3, so base64 can be joined


class Image:
    """All images share one picture in memory and differ in their last bytes, so 450 cost little more than one."""

    def __init__(self, size, seed):
        size -= size % 3
        picture = random.Random(seed).randbytes(size)
        self.size = size + TAIL
        self.encoded = memoryview(base64.b64encode(picture))
        self.sent = hashlib.sha256(picture)
        self.flipped = hashlib.sha256(picture.translate(FLIP))

    def request(self, number):
        """The body as slices, its length, and the digest that the result must have."""
        tail = number.to_bytes(TAIL, "big")
        sent, flipped = self.sent.copy(), self.flipped.copy()
        sent.update(tail)
        flipped.update(tail.translate(FLIP))
        fields = {"id": number, "bytes": self.size, "sha256": sent.hexdigest(), "bg": [33, 150, 242]}
        head = (json.dumps(fields)[:-1] + ', "image": "').encode()
        end = base64.b64encode(tail) + b'"}'

        def slices():
            yield head
            for begin in range(0, len(self.encoded), SLICE):
                yield self.encoded[begin : begin + SLICE]
            yield end

        return slices(), len(head) + len(self.encoded) + len(end), flipped.hexdigest()


class Failed(Exception):
    """An upload that did not end well: lost, truncated or wrong, and why."""

    def __init__(self, kind, reason):
        super().__init__(reason)
        self.kind = kind


def receive(connection):
    """The answer's fields."""
    try:
        response = connection.getresponse()
        body = response.read()
    except http.client.IncompleteRead as error:
        raise Failed("truncated", f"the answer ended after {len(error.partial)} bytes") from None
    if response.status == 200:
        return json.loads(body)
    kind = "truncated" if b"truncated" in body else "wrong" if b"wrong" in body else "lost"
    raise Failed(kind, f"status {response.status}: {body[:100]!r}")


def check(answer, number, image, digest):
    result = base64.b64decode(answer["result"])
    if len(result) != image.size:
        raise Failed("truncated", f"{len(result)} of {image.size} bytes came back")
    if answer["id"] != number or not answer["sha256"] == hashlib.sha256(result).hexdigest() == digest:
        raise Failed("wrong", f"image {number} got the result of image {answer['id']}, or a damaged one")


class Load:
    def __init__(self, options):
        self.options = options
        self.image = Image(int(options.megabytes * (1 << 20)), options.seed)
        self.together = threading.Barrier(options.clients + 1)
        self.latencies = []
        self.backends = Counter()
        self.failures = []  # of (kind, reason)

    def client(self, first):
        connection = http.client.HTTPConnection(self.options.host, self.options.port, timeout=self.options.timeout)
        self.together.wait()
        for number in range(first, first + self.options.rounds):
            try:
                self.upload(connection, number)
            except Failed as failed:
                self.failures.append((failed.kind, str(failed)))
                connection.close()
            except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
                self.failures.append(("lost", repr(error)))
                connection.close()
        connection.close()

    def upload(self, connection, number):
        body, length, digest = self.image.request(number)
        begun = time.perf_counter()
        headers = {"Content-Type": "application/json", "Content-Length": str(length)}
        try:
            connection.request("POST", "/api/matting_base64", body, headers)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the other side has answered before it read everything: read what it says
        answer = receive(connection)
        self.latencies.append(time.perf_counter() - begun)
        check(answer, number, self.image, digest)
        self.backends[answer["server"]] += 1

    def run(self):
        threads = [
            threading.Thread(target=self.client, args=(client * self.options.rounds,), daemon=True)
            for client in range(self.options.clients)
        ]
        for thread in threads:
            thread.start()
        self.together.wait()
        begun = time.perf_counter()
        for thread in threads:
            thread.join()
        return time.perf_counter() - begun


def report(load, seconds):
    uploads = load.options.clients * load.options.rounds
    kinds = Counter(kind for kind, _ in load.failures)
    megabytes = uploads * len(load.image.encoded) / (1 << 20)
    print(f"{uploads} uploads, {load.options.clients} at once, {megabytes:.0f} MiB each way, in {seconds:.1f} s")
    print(f"lost {kinds['lost']}, truncated {kinds['truncated']}, wrong {kinds['wrong']}")
    for server, count in sorted(load.backends.items()):
        print(f"  127.0.0.1:{server}  {count}")
    ordered = sorted(load.latencies)
    if ordered:
        p50, p99 = (ordered[int(share * (len(ordered) - 1))] for share in (0.50, 0.99))
        print(f"latency: p50 {p50:.2f} s, p99 {p99:.2f} s")
    for (kind, reason), count in Counter(load.failures).most_common(5):
        print(f"  {count} x {kind}: {reason}", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9110)
    parser.add_argument("--clients", type=int, default=450)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--megabytes", type=float, default=3, help="size of an image before base64, in MiB")
    parser.add_argument("--timeout", type=float, default=600, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=1)
    load = Load(parser.parse_args())
    report(load, load.run())
    sys.exit(bool(load.failures))


if __name__ == "__main__":
    main()
