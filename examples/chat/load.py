#!/usr/bin/env python3
"""Sends mixed requests to the gateway and checks every answer.

    ./load.py                                  # 200 requests over 20 connections to 127.0.0.1:8080
    ./load.py --port 8090 --requests 1000      # the same against nginx
    ./load.py --close                          # a connection per request, as `ab` does

Ends with status 1 if any answer was missing or wrong.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter


def expected(kind, text):
    """What the service must answer, without the port of the backend that answered."""
    if kind == "chat":
        return {"original": text, "reply": text.upper()}
    return {"completions": [{"index": 0, "text": text[:5] + "..."}, {"index": 1, "text": "..." + text[-5:]}]}


def work(count, seed):
    """Both services in turn, with texts of all lengths, some of them not ASCII."""
    draw = random.Random(seed)
    for number in range(count):
        text = "".join(draw.choices("abc xyz 你好 éß", k=draw.randint(0, 2000)))
        yield ("chat", "completions")[number % 2], f"{number} {text}"


def encode(kind, text, close):
    if kind == "chat":
        mime, body = "application/json", json.dumps({"message": text}).encode()
    else:
        mime, body = "text/plain; charset=utf-8", text.encode()
    head = [f"POST /{kind} HTTP/1.1", "Host: localhost", f"Content-Type: {mime}", f"Content-Length: {len(body)}"]
    return "\r\n".join(head + ["Connection: close"] * close + ["", ""]).encode() + body


async def receive(reader):
    """One HTTP/1.1 response with Content-Length, which is all that the service sends."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    body = await reader.readexactly(int(fields["content-length"]))
    return int(head[0].split()[1]), fields, body


class Load:
    def __init__(self, options):
        self.options = options
        self.work = work(options.requests, options.seed)
        self.backends = Counter()
        self.problems = []
        self.latencies = []

    async def client(self):
        """Takes requests from the common heap until it is empty; connects again when told to close."""
        connection = None
        for kind, text in self.work:
            try:
                if connection is None:
                    connection = await asyncio.open_connection(self.options.host, self.options.port)
                begun = time.perf_counter()
                connection[1].write(encode(kind, text, self.options.close))
                status, fields, body = await asyncio.wait_for(receive(connection[0]), self.options.timeout)
                self.latencies.append(time.perf_counter() - begun)
                self.check(kind, text, status, fields, body)
                keep = fields.get("connection", "").lower() != "close"
            except (OSError, EOFError, ValueError, KeyError, TimeoutError) as error:
                self.problems.append(f"{kind}: no answer: {error!r}")
                keep = False
            if not keep and connection is not None:
                connection[1].close()
                connection = None
        if connection is not None:
            connection[1].close()

    def check(self, kind, text, status, fields, body):
        if status != 200:
            self.problems.append(f"{kind}: status {status}: {body[:100]!r}")
            return
        answer = json.loads(body)
        server = answer.pop("server")
        self.backends[server] += 1
        if answer != expected(kind, text):
            self.problems.append(f"{kind}: wrong answer: {body[:100]!r}")
        elif not fields.get("x-upstream", f":{server}").endswith(f":{server}"):
            self.problems.append(f"{kind}: X-Upstream says {fields['x-upstream']}, the answer came from {server}")

    async def run(self):
        begun = time.perf_counter()
        await asyncio.gather(*(self.client() for _ in range(self.options.connections)))
        return time.perf_counter() - begun


def report(load, seconds):
    right = load.options.requests - len(load.problems)
    print(f"{load.options.requests} requests, {right} answered right, in {seconds:.2f} s")
    for server, count in sorted(load.backends.items()):
        print(f"  127.0.0.1:{server}  {count}")
    ordered = sorted(load.latencies)
    if ordered:
        p50, p99 = (ordered[int(share * (len(ordered) - 1))] * 1000 for share in (0.50, 0.99))
        print(f"latency: p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    for problem, count in Counter(load.problems).most_common(5):
        print(f"  {count} x {problem}", file=sys.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--connections", type=int, default=20)
    parser.add_argument("--close", action="store_true", help="a connection per request")
    parser.add_argument("--timeout", type=float, default=10, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=1)
    load = Load(parser.parse_args())
    report(load, asyncio.run(load.run()))
    sys.exit(bool(load.problems))


if __name__ == "__main__":
    main()
