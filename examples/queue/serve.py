#!/usr/bin/env python3
"""Two services that break under too much load: the backends of this example.

    ./serve.py                                 # ports 9321 and 9322, 150 requests at a time each
    ./serve.py --most 300 --seconds 0.5

Like a development server without a limit of its own, each works on everything that comes, and resets connections when
it has more than it can bear.
"""

import argparse
import asyncio
import socket
import struct

RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close with RST


class Service:
    def __init__(self, options):
        self.options, self.busy = options, 0

    async def serve(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0)
                if self.busy >= self.options.most:
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    return writer.transport.abort()
                self.busy += 1
                try:
                    await reader.readexactly(length)
                    await asyncio.sleep(self.options.seconds)
                finally:
                    self.busy -= 1
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ndone\n")
                await writer.drain()
                if b"connection: close" in head:
                    return
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()


async def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("ports", nargs="*", type=int, default=[9321, 9322])
    parser.add_argument("--most", type=int, default=150, help="requests that a service bears at a time")
    parser.add_argument("--seconds", type=float, default=0.3, help="what a request takes")
    options = parser.parse_args()
    for port in options.ports:
        await asyncio.start_server(Service(options).serve, "127.0.0.1", port, backlog=1024)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
