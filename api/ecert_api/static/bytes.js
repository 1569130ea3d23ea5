// Bytes and their spellings: base32, base64, hex, and unpacking. Everything throws on bad input.

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** Decode RFC 4648 base32: capitals, no padding, no left-over bits. */
export function fromBase32(text) {
  const out = new Uint8Array(Math.floor((text.length * 5) / 8));
  let bits = 0, value = 0, place = 0;
  for (const character of text) {
    const digit = ALPHABET.indexOf(character);
    if (digit < 0) throw new Error("not base32");
    value = ((value << 5) | digit) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      out[place++] = (value >> bits) & 0xff;
    }
  }
  if (bits >= 5 || (value & ((1 << bits) - 1))) throw new Error("left-over bits");
  return out;
}

/** Decode base64. */
export function fromBase64(text) {
  return Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
}

/** Decode base64url without padding. */
export function fromBase64url(text) {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new Error("not base64url");
  const plain = text.replace(/-/g, "+").replace(/_/g, "/");
  return fromBase64(plain + "=".repeat((4 - (plain.length % 4)) % 4));
}

/** Write bytes as hexadecimal digits. */
export const toHex = (bytes) =>
  Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");

/** Encode and decode UTF-8; the decoder refuses what is not. */
export const utf8 = (text) => new TextEncoder().encode(text);
export const fromUtf8 = (bytes) => new TextDecoder("utf-8", { fatal: true }).decode(bytes);

/** Join byte arrays. */
export function join(...parts) {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let place = 0;
  for (const part of parts) {
    out.set(part, place);
    place += part.length;
  }
  return out;
}

/** Tell whether two byte arrays are the same. */
export const equal = (a, b) => a.length === b.length && a.every((one, place) => one === b[place]);

/** Unpack zlib data, never beyond `most` bytes. */
export async function inflate(data, most) {
  const reader = new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  const parts = [];
  let total = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return join(...parts);
    total += value.length;
    if (total > most) {
      await reader.cancel();
      throw new Error("too large when unpacked");
    }
    parts.push(value);
  }
}
