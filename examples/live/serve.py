#!/usr/bin/env python3
"""Two services that push: the backends of this example.

    ./serve.py                                 # ports 9331 and 9332

`/events` counts a clock down as server-sent events, `/chat` is a WebSocket that says everything back, `/` is a page for
a browser with both.
"""

import argparse
import asyncio
import base64
import hashlib
import struct
from pathlib import Path

PAGE = (Path(__file__).parent / "page.html").read_bytes()
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 section 1.3
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


def fields(head):
    lines = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return {name.lower(): value.strip() for name, _, value in lines}


async def events(writer, name):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n")
    for left in range(5, -1, -1):
        writer.write(f"data: {left} s, says {name}\n\n".encode())
        await writer.drain()
        await asyncio.sleep(1)


async def frame(reader):
    """One frame of a client: its kind and its words, unmasked (RFC 6455 section 5.2)."""
    kind, length = await reader.readexactly(2)
    length &= 0x7F
    if length >= 126:
        length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8), "big")
    mask = await reader.readexactly(4)
    words = await reader.readexactly(length)
    return kind & 0x0F, bytes(byte ^ mask[at % 4] for at, byte in enumerate(words))


async def chat(reader, writer, key, name):
    accept = base64.b64encode(hashlib.sha1(key + MAGIC).digest()).decode()
    head = f"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    writer.write(head.encode())
    while True:
        kind, words = await frame(reader)
        if kind == TEXT:
            words = f"{name}: ".encode() + words
        answer = PONG if kind == PING else kind
        length = struct.pack("!B", len(words)) if len(words) < 126 else struct.pack("!BH", 126, len(words))
        writer.write(bytes([0x80 | answer]) + length + words[:65535])
        await writer.drain()
        if kind == CLOSE:
            return


async def serve(reader, writer, name):
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        path, known = head.split(b" ")[1], fields(head)
        if path == b"/events":
            await events(writer, name)
        elif path == b"/chat" and known.get(b"upgrade", b"").lower() == b"websocket":
            await chat(reader, writer, known[b"sec-websocket-key"], name)
        else:
            page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
            writer.write(page % len(PAGE) + PAGE)
        await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("ports", nargs="*", type=int, default=[9331, 9332])
    for port in parser.parse_args().ports:
        await asyncio.start_server(lambda reader, writer, port=port: serve(reader, writer, port), "127.0.0.1", port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
