"""A gRPC server on the C core that answers every method as the harness's own backends do: what a call asks for is in its metadata.

    server.py NAME ADDRESS [NAME ADDRESS]...

Told to end by SIGTERM, it takes no more calls and lets those end that it has. It prints a line when a call begins, and one when it ends: what it was, its x-key, and how many messages had come.
"""
import json
import signal
import sys
import threading
from concurrent import futures

import grpc

CODES = {code.value[0]: code for code in grpc.StatusCode}
UNITS = {"ms": 0.001, "s": 1, "m": 60}


def seconds(text):
    unit = text.lstrip("0123456789")
    return float(text[:len(text) - len(unit)]) * UNITS[unit]


def pairs(asked, name):
    for text in asked.get(name, []):
        key, _, value = text.partition("=")
        yield (key, value.encode() if key.endswith("-bin") else value)


class Handler(grpc.GenericRpcHandler):
    def __init__(self, name):
        self.name = name

    def service(self, details):
        return grpc.stream_stream_rpc_method_handler(lambda requests, context: self.answer(details.method, requests, context))

    def say(self, what, path, asked, messages):
        # One string: others say something at the same time.
        sys.stdout.write(f"{what} {self.name} {path} {asked.get('x-key', ['-'])[0]} {messages}\n")
        sys.stdout.flush()

    def answer(self, path, requests, context):
        asked = {}
        for key, value in context.invocation_metadata():
            asked.setdefault(key, []).append(value.decode() if isinstance(value, bytes) else value)
        seen = {"backend": self.name, "path": path, "metadata": asked, "messages": 0, "bytes": 0}
        self.say("begin", path, asked, 0)
        ended = threading.Event()

        def done():
            ended.set()
            self.say("end", path, asked, seen["messages"])

        if not context.add_callback(done):
            done()
        yield from self.messages(asked, seen, requests, context, ended)

    def messages(self, asked, seen, requests, context, ended):
        first = lambda name: asked.get(name, [""])[0]

        def count(message):
            seen["messages"] += 1
            seen["bytes"] += len(message)
            return message

        def echo():
            if first("ask-status"):
                number, _, text = first("ask-status").partition(":")
                if number != "0":
                    context.abort(CODES[int(number)], text)
            left = context.time_remaining()
            seen["left"] = left if left is not None and left < 1e6 else -1
            return json.dumps(seen).encode()

        mode = first("ask-mode")
        context.set_trailing_metadata(tuple(pairs(asked, "ask-trailer")))
        if mode == "quiet" or "ask-header" in asked:
            context.send_initial_metadata(tuple(pairs(asked, "ask-header")))
        if first("ask-delay") and ended.wait(seconds(first("ask-delay"))):
            return
        if mode in ("", "same"):
            for message in requests:
                count(message)
                yield echo() if mode == "" and seen["messages"] == 1 else message
        elif mode in ("end", "quiet"):
            for message in requests:
                count(message)
            yield echo()
        else:
            count(next(requests))
            for _ in range(int(first("ask-count"))):
                yield echo()


# Threads that come later have it blocked too, so that only sigwait gets it.
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
servers = []
for at in range(1, len(sys.argv), 2):
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=100), compression=grpc.Compression.Gzip, options=[
        ("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1), ("grpc.so_reuseport", 0),
        ("grpc.max_concurrent_streams", 20)])
    server.add_generic_rpc_handlers((Handler(sys.argv[at]),))
    server.add_insecure_port(sys.argv[at + 1])
    server.start()
    servers.append(server)
signal.sigwait({signal.SIGTERM})
for ended in [server.stop(60) for server in servers]:
    ended.wait()
