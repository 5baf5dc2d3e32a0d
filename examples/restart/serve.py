#!/usr/bin/env python3
"""Two services: the backends of this example, on ports 9341 and 9342."""

import asyncio

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"


async def serve(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0)
            await reader.readexactly(length)
            await asyncio.sleep(0.005)
            writer.write(ANSWER)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main():
    for port in [9341, 9342]:
        await asyncio.start_server(serve, "127.0.0.1", port, backlog=1024)
    await asyncio.Event().wait()


asyncio.run(main())
