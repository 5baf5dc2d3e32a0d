#!/usr/bin/env python3
"""Three services behind the gateway, one of which is reset and restarted all the time, under load.

    ./churn.py                       # 10 s against 127.0.0.1:9300
    ./churn.py --seconds 60 --every 0.6 --port 9300

The services listen on 9301 to 9303 and live in this process. GETs must all be answered; a POST that dies with its
service may be a 502, but no service may see a POST twice. Ends with status 1 if one of these is not so.
"""

import argparse
import asyncio
import socket
import struct
import sys
import time
from collections import Counter

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST


class Service:
    """Answers everything with its port; notes each POST."""

    def __init__(self, port, posts):
        self.port, self.posts, self.writers, self.hits = port, posts, set(), 0

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, reuse_address=True)

    async def die(self):
        """Like a process that is killed: all connections are reset, new ones refused."""
        self.server.close()
        for writer in list(self.writers):
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()

    async def serve(self, reader, writer):
        self.writers.add(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                method, target = head.split(" ", 2)[:2]
                if method == "POST":
                    await reader.readexactly(5)
                    self.posts[target] += 1
                self.hits += target != "/health"
                await asyncio.sleep(0.002)
                body = b"well %d\n" % self.port
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass  # gone, like this service, or with the end of the run
        finally:
            self.writers.discard(writer)
            writer.close()


class Clients:
    def __init__(self, port, until):
        self.port, self.until, self.number = port, until, 0
        self.gets, self.post_statuses = Counter(), Counter()

    async def ask(self, reader, writer, request):
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = next(int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length:"))
        await reader.readexactly(length)
        return int(head.split(" ", 2)[1])

    async def run(self, method):
        statuses = self.gets if method == "GET" else self.post_statuses
        reader = writer = None
        while time.monotonic() < self.until:
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            self.number += 1
            body = "" if method == "GET" else "hello"
            request = f"{method} /{self.number} HTTP/1.1\r\nHost: churn\r\nContent-Length: {len(body)}\r\n\r\n{body}"
            try:
                statuses[await self.ask(reader, writer, request.encode())] += 1
            except (asyncio.IncompleteReadError, ConnectionError):
                statuses["closed"] += 1
                writer = None
        if writer is not None:
            writer.close()


async def churn(options):
    posts = Counter()
    services = [Service(port, posts) for port in (9301, 9302, 9303)]
    for service in services:
        await service.start()
    until = time.monotonic() + options.seconds
    clients = Clients(options.port, until)
    load = [clients.run("GET") for _ in range(12)] + [clients.run("POST") for _ in range(4)]
    load = asyncio.gather(*load)
    deaths = 0
    while time.monotonic() + options.every < until:
        victim = services[deaths % options.victims]
        await asyncio.sleep(options.every / 2)
        await victim.die()
        await asyncio.sleep(options.every / 2)
        await victim.start()
        deaths += 1
    await load
    return clients, posts, services, deaths


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, default=9300)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--every", type=float, default=0.6, metavar="SECONDS")
    parser.add_argument("--victims", type=int, default=1, help="how many of the three die, in turn")
    clients, posts, services, deaths = asyncio.run(churn(parser.parse_args()))
    twice = sum(count > 1 for count in posts.values())
    print(f"{deaths} deaths; answered by " + ", ".join(f"{service.port}: {service.hits}" for service in services))
    print(f"GETs   {dict(clients.gets)}")
    print(f"POSTs  {dict(clients.post_statuses)}, seen twice: {twice}")
    sys.exit(bool(twice or set(clients.gets) != {200}))


if __name__ == "__main__":
    main()
