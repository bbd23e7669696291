"""A gRPC client on the C core: it does what lines of JSON on stdin say, and answers each with one on stdout.

    client.py ADDRESS
"""
import hashlib
import json
import queue
import sys
import threading
import time

import grpc

raw = {"request_serializer": None, "response_deserializer": None}
channels, calls, loops = {}, {}, []


def channel(host):
    if host not in channels:
        channels[host] = grpc.insecure_channel(sys.argv[1], options=[
            ("grpc.default_authority", host), ("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1),
            ("grpc.enable_retries", 0)])
    return channels[host]


def options(r):
    metadata = [(k, bytes.fromhex(v) if k.endswith("-bin") else v) for k, v in r.get("metadata", [])]
    compression = grpc.Compression.Gzip if r.get("gzip") else None
    return {"metadata": metadata, "timeout": r.get("timeout"), "compression": compression}


def content(r):
    return (r["text"] * r.get("times", 1)).encode()


def fields(metadata):
    return [[k, v.hex() if isinstance(v, bytes) else v] for k, v in metadata or ()]


def message(body):
    return {"size": len(body), "sum": hashlib.sha256(body).hexdigest(), "text": body.decode() if len(body) < 10000 else ""}


def status(call):
    return {"code": call.code().value[0], "details": call.details(), "trailers": fields(call.trailing_metadata())}


def requests(q):
    while True:
        body = q.get()
        if body is None:
            return
        yield body


def do(r):
    """A whole unary call."""
    begun = time.monotonic()
    try:
        body, call = channel(r["host"]).unary_unary(r["path"], **raw).with_call(content(r), **options(r))
        out = message(body)
    except grpc.RpcError as e:
        out, call = {}, e
    out.update(status(call), headers=fields(call.initial_metadata()), took=time.monotonic() - begun)
    return out


def open_(r):
    q = queue.Queue()
    calls[r["name"]] = (channel(r["host"]).stream_stream(r["path"], **raw)(requests(q), **options(r)), q)
    return {}


def send(r):
    calls[r["name"]][1].put(content(r))
    return {}


def close(r):
    calls[r["name"]][1].put(None)
    return {}


def headers(r):
    """Waits for the headers."""
    return {"headers": fields(calls[r["name"]][0].initial_metadata())}


def receive(r):
    """The next message, or how the call has ended."""
    call, q = calls[r["name"]]
    try:
        return message(next(call))
    except StopIteration:
        pass
    except grpc.RpcError:
        pass
    q.put(None)
    return status(call)


def cancel(r):
    calls[r["name"]][0].cancel()
    return {}


def begin(r):
    """Calls again and again until it is told to stop."""
    stop, out = threading.Event(), {"good": 0, "failed": []}

    def loop():
        while not stop.is_set():
            got = do(r)
            if got["code"] == 0:
                out["good"] += 1
            else:
                out["failed"].append(got["details"])
            stop.wait(0.02)

    threads = [threading.Thread(target=loop, daemon=True) for _ in range(r["callers"])]
    for t in threads:
        t.start()
    loops.append((stop, threads, out))
    return {}


def count(_):
    return loops[-1][2]


def stop(_):
    signal, threads, out = loops.pop()
    signal.set()
    for t in threads:
        t.join()
    return out


OPERATIONS = {"do": do, "open": open_, "send": send, "close": close, "headers": headers, "receive": receive, "cancel": cancel, "begin": begin,
              "count": count, "stop": stop}
for line in sys.stdin:
    request = json.loads(line)
    print(json.dumps(OPERATIONS[request["op"]](request)), flush=True)
