#!/usr/bin/env python3
"""Calls the service through the gateway: single calls, a stream in both directions, a method that is not there."""

import collections
import queue
import sys

import grpc

with grpc.insecure_channel(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8080") as channel:
    say = channel.unary_unary("/example.Chat/Say")
    split = collections.Counter(say(b"hello").split(b":")[0].decode() for _ in range(100))
    print("100 calls:", dict(sorted(split.items())))

    said = queue.Queue()
    talk = channel.stream_stream("/example.Chat/Talk")(iter(said.get, None))
    for word in (b"one", b"two", b"three"):
        said.put(word)  # the answer comes while the request goes on
        print("stream:", next(talk).decode())
    said.put(None)
    print("stream ended:", talk.code().name, dict(talk.trailing_metadata()))

    try:
        channel.unary_unary("/example.Chat/Missing")(b"")
    except grpc.RpcError as error:
        print("missing method:", error.code().name)
