// CBOR (RFC 8949), as much as a seal needs: no tags, no floats, no indefinite lengths.

import { fromUtf8, join, utf8 } from "./bytes.js";

const MAX_DEPTH = 8;
const SIMPLE = new Map([[20, false], [21, true], [22, null]]);

/** Decode exactly one item; maps become Map. Throws on anything else. */
export function decode(bytes) {
  const reader = { bytes, place: 0 };
  const value = item(reader, 0);
  if (reader.place !== bytes.length) throw new Error("more than one item");
  return value;
}

function item(reader, depth) {
  const first = reader.bytes[reader.place++];
  if (first === undefined || depth > MAX_DEPTH) throw new Error("cut off, or nested too deep");
  const major = first >> 5, low = first & 31;
  if (major === 7) {
    if (!SIMPLE.has(low)) throw new Error("not a plain value");
    return SIMPLE.get(low);
  }
  const size = argument(reader, low);
  if (major === 0) return size;
  if (major === 1) return -1 - size;
  if (major === 2) return take(reader, size).slice();
  if (major === 3) return fromUtf8(take(reader, size));
  if (major === 4) return Array.from({ length: bounded(reader, size) }, () => item(reader, depth + 1));
  if (major === 5) return map(reader, bounded(reader, size), depth);
  throw new Error("tags are not allowed here");
}

function argument(reader, low) {
  if (low < 24) return low;
  if (low > 27) throw new Error("an indefinite length");
  let value = 0;
  for (const byte of take(reader, 1 << (low - 24))) value = value * 256 + byte;
  const least = [24, 0x100, 0x10000, 0x100000000][low - 24];
  if (value < least || !Number.isSafeInteger(value)) throw new Error("not the shortest form");
  return value;
}

function bounded(reader, count) {
  if (count > reader.bytes.length) throw new Error("cut off");
  return count;
}

function take(reader, size) {
  const part = reader.bytes.subarray(reader.place, reader.place + size);
  if (part.length !== size) throw new Error("cut off");
  reader.place += size;
  return part;
}

function map(reader, count, depth) {
  const found = new Map();
  for (let place = 0; place < count; place++) {
    const key = item(reader, depth + 1);
    if (found.has(key)) throw new Error("a key stands twice");
    found.set(key, item(reader, depth + 1));
  }
  return found;
}

/** Write what COSE signs over: ["Signature1", protected, h'', payload] (RFC 9052 §4.4). */
export function signatureInput(protectedHeader, payload) {
  const name = utf8("Signature1");
  return join(Uint8Array.of(0x84, 0x60 | name.length), name, bytes(protectedHeader), bytes(new Uint8Array()), bytes(payload));
}

function bytes(value) {
  const size = value.length;
  if (size < 24) return join(Uint8Array.of(0x40 | size), value);
  if (size < 256) return join(Uint8Array.of(0x58, size), value);
  return join(Uint8Array.of(0x59, size >> 8, size & 0xff), value);
}
