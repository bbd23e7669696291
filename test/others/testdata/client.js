// A client of gRPC-Web: the protocol as a page speaks it, and nothing else.
"use strict";

const trailer = 0x80;

// frame is a message with its head.
function frame(message) {
  const out = new Uint8Array(5 + message.length);
  new DataView(out.buffer).setUint32(1, message.length);
  out.set(message, 5);
  return out;
}

// bytesOf and base64Of take text for bytes and back, in parts that a function's arguments have room for.
function bytesOf(text) { return Uint8Array.from(atob(text), (c) => c.charCodeAt(0)); }
function base64Of(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x1000) text += String.fromCharCode(...bytes.subarray(at, at + 0x1000));
  return btoa(text);
}

// join appends bytes.
function join(a, b) {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}

// unpadded decodes what is whole of a text, each part of which may be padded by itself, and returns what is left of it.
function unpadded(text) {
  const whole = text.length - text.length % 4;
  let out = new Uint8Array(0);
  for (let at = 0; at < whole;) {
    const pad = text.indexOf("=", at);
    const end = pad < 0 || pad >= whole ? whole : pad - pad % 4 + 4;
    out = join(out, bytesOf(text.slice(at, end)));
    at = end;
  }
  return [out, text.slice(whole)];
}

// read takes the body of a response apart as it comes. It stops behind a number of messages, when there is one.
async function read(body, text, saw, take) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "", bytes = new Uint8Array(0);
  for (;;) {
    while (bytes.length >= 5) {
      const end = 5 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
      if (bytes.length < end) break;
      const message = decoder.decode(bytes.slice(5, end));
      if (bytes[0] & trailer) {
        saw.where = "body";
        for (const line of message.split("\r\n").filter((l) => l !== "")) {
          const colon = line.indexOf(":");
          saw.trailers[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim();
        }
      } else {
        saw.messages.push(message);
      }
      bytes = bytes.slice(end);
      if (take && saw.messages.length === take) return true;
    }
    const { done, value } = await reader.read();
    if (done) break;
    if (text) {
      let some;
      [some, rest] = unpadded(rest + decoder.decode(value));
      bytes = join(bytes, some);
    } else {
      bytes = join(bytes, value);
    }
  }
  if (bytes.length + rest.length > 0) throw new Error("the body ends within a message");
  return false;
}

// call makes one call, and returns what the page saw of it.
async function call(c) {
  const saw = { name: c.name, messages: [], headers: {}, trailers: {} };
  const giveUp = new AbortController();
  try {
    const body = frame(new TextEncoder().encode(c.message.repeat(c.times || 1)));
    const response = await fetch(c.url, {
      method: "POST",
      headers: {
        "content-type": c.text ? "application/grpc-web-text" : "application/grpc-web+proto",
        "x-grpc-web": "1", "x-user-agent": "plain", ...c.headers,
      },
      body: c.text ? base64Of(body) : body,
      signal: giveUp.signal,
    });
    saw.status = response.status;
    saw.type = response.headers.get("content-type");
    for (const [name, value] of response.headers) {
      if (name.startsWith("grpc-")) {
        saw.where = "headers";
        saw.trailers[name] = value;
      } else if (name.startsWith("x-")) {
        saw.headers[name] = value;
      }
    }
    if (await read(response.body, c.text, saw, c.take)) {
      giveUp.abort();
      saw.aborted = true;
    }
    if (saw.trailers["grpc-message"]) saw.trailers["grpc-message"] = decodeURIComponent(saw.trailers["grpc-message"]);
  } catch (e) {
    saw.error = e.name;
  }
  return saw;
}

// report makes all calls of a page, and says what it saw.
async function report(name, cases) {
  const all = [];
  for (const c of cases) all.push(await call(c));
  await fetch("/saw/" + name, { method: "POST", mode: "no-cors", body: JSON.stringify(all) });
}
