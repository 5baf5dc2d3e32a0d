#!/usr/bin/env python3
"""Two copies of a gRPC service without generated code: messages are plain bytes. Needs `pip install grpcio`."""

from concurrent import futures

import grpc


class Chat(grpc.GenericRpcHandler):
    """/example.Chat/Say answers one message, /example.Chat/Talk each message of a stream as it comes."""

    def __init__(self, name):
        self.name = name.encode()

    def say(self, message, context):
        context.set_trailing_metadata([("x-served-by", self.name.decode())])
        return self.name + b": " + message.upper()

    def talk(self, messages, context):
        for message in messages:
            yield self.name + b": " + message.upper()
        context.set_trailing_metadata([("x-served-by", self.name.decode())])

    def service(self, call):
        if call.method == "/example.Chat/Say":
            return grpc.unary_unary_rpc_method_handler(self.say)
        if call.method == "/example.Chat/Talk":
            return grpc.stream_stream_rpc_method_handler(self.talk)
        return None


servers = []
for port in (50051, 50052):
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=32))
    server.add_generic_rpc_handlers([Chat(str(port))])
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    servers.append(server)
servers[0].wait_for_termination()
