// Certificates (RFC 5280), as much as a leaf under its anchor needs: P-256 and SHA-256 only.

import { equal, fromUtf8, join, toHex as hex } from "./bytes.js";

const ECDSA_SHA256 = "2a8648ce3d040302", P256_KEY = "2a8648ce3d020106082a8648ce3d030107";
const ORGANISATION_ID = "550461", EXTENDED_USAGE = "551d25", USAGE = "551d0f", BASIC = "551d13";
/** What a leaf may be used for: the object identifiers of its one extended key usage, in hex. */
export const DOCUMENT_SIGNING = "2b06010505070324";

/** A key or signature of a kind that this page cannot check: the site has to be asked. */
export class Unsupported extends Error {}

/** Cut DER into elements: {tag, body, whole}. */
function elements(bytes) {
  const found = [];
  let place = 0;
  while (place < bytes.length) {
    let size = bytes[place + 1], start = place + 2;
    if (size & 0x80) {
      const count = size & 0x7f;
      if (count < 1 || count > 3) throw new Error("not DER");
      size = 0;
      for (let step = 0; step < count; step++) size = size * 256 + bytes[start + step];
      start += count;
    }
    if (start + size > bytes.length) throw new Error("not DER");
    found.push({ tag: bytes[place], body: bytes.subarray(start, start + size), whole: bytes.subarray(place, start + size) });
    place = start + size;
  }
  return found;
}

/** Take a certificate apart; nothing in it has been checked. */
export function parseCertificate(der) {
  const [top] = elements(der);
  const [signed, algorithm, signature] = elements(top.body);
  const parts = elements(signed.body);
  if (parts[0].tag === 0xa0) parts.shift();
  const [, , issuer, validity, subject, key, ...rest] = parts;
  const [notBefore, notAfter] = elements(validity.body).map(time);
  return {
    der, signed: signed.whole, algorithm: hex(elements(algorithm.body)[0].body),
    signature: signature.body.subarray(1), issuer: issuer.whole, subject: subject.whole,
    notBefore, notAfter, key: key.whole, code: organisation(subject), extensions: extensions(rest),
  };
}

function time({ tag, body }) {
  const text = fromUtf8(body);
  const full = tag === 0x17 ? (text < "50" ? "20" : "19") + text : text;
  const [, ...parts] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full).map(Number);
  return Date.UTC(parts[0], parts[1] - 1, ...parts.slice(2)) / 1000;
}

function organisation(subject) {
  const found = elements(subject.body).flatMap((set) => elements(set.body)).map((one) => elements(one.body))
    .filter(([kind]) => hex(kind.body) === ORGANISATION_ID);
  return found.length === 1 ? fromUtf8(found[0][1].body) : null;
}

function extensions(rest) {
  const list = rest.find((one) => one.tag === 0xa3);
  const found = new Map();
  for (const one of list ? elements(elements(list.body)[0].body) : []) {
    const parts = elements(one.body);
    found.set(hex(parts[0].body), parts[parts.length - 1].body);
  }
  return found;
}

/** Give the key of a leaf that speaks in one role under one of some anchors at a signing time. */
export async function trustedKey(leafDer, anchorDers, { usage, code, at }) {
  const leaf = parseCertificate(leafDer);
  if (code !== null && leaf.code !== code) throw new Error("another agency's certificate");
  if (at < leaf.notBefore || at > leaf.notAfter) throw new Error("not valid at the signing time");
  checkRole(leaf, usage);
  let isForeign = false;
  for (const der of anchorDers) {
    const anchor = parseCertificate(der);
    if (equal(anchor.der, leaf.der)) throw new Error("an anchor must not sign itself");
    const fits = equal(anchor.subject, leaf.issuer) && at >= anchor.notBefore && at <= anchor.notAfter;
    if (!fits || !isAuthority(anchor)) continue;
    if (leaf.algorithm !== ECDSA_SHA256 || !isP256(anchor.key)) isForeign = true;
    else if (await signedBy(leaf, anchor)) return importKey(leaf.key);
  }
  const hasIssuer = anchorDers.some((der) => equal(parseCertificate(der).subject, leaf.issuer));
  if (isForeign || !hasIssuer) throw new Unsupported("a chain that this page cannot follow");
  throw new Error("no anchor certifies this");
}

function checkRole(leaf, usage) {
  const usages = elements(elements(leaf.extensions.get(EXTENDED_USAGE))[0].body).map((one) => hex(one.body));
  if (usages.length !== 1 || usages[0] !== usage) throw new Error("a certificate for another use");
  const bits = elements(leaf.extensions.get(USAGE))[0].body[1];
  const wanted = usage === DOCUMENT_SIGNING ? 0xc0 : 0x80; // digitalSignature, contentCommitment
  if ((bits & wanted) !== wanted || bits & 0x04) throw new Error("the key usage does not allow this");
}

function isAuthority(anchor) {
  const basic = anchor.extensions.get(BASIC);
  const [flag] = basic ? elements(elements(basic)[0].body) : [];
  const usage = anchor.extensions.get(USAGE);
  const mayCertify = usage === undefined || elements(usage)[0].body[1] & 0x04;
  return flag !== undefined && flag.tag === 0x01 && flag.body[0] === 0xff && Boolean(mayCertify);
}

async function signedBy(leaf, anchor) {
  return verify(await importKey(anchor.key), rawSignature(leaf.signature), leaf.signed);
}

/** Turn the DER of r and s into 64 bytes. */
function rawSignature(der) {
  return join(...elements(elements(der)[0].body).map(({ body }) => {
    const digits = body[0] === 0 ? body.subarray(1) : body;
    if (digits.length > 32) throw new Error("a number is too long");
    return join(new Uint8Array(32 - digits.length), digits);
  }));
}

const isP256 = (info) => hex(info).includes(P256_KEY);

function importKey(info) {
  if (!isP256(info)) throw new Unsupported("not a P-256 key");
  return crypto.subtle.importKey("spki", info, { name: "ECDSA", namedCurve: "P-256" }, true, ["verify"]);
}

/** Check an ES256 signature of 64 bytes. */
export function verify(key, signature, data) {
  return crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, signature, data);
}

/** Name a key: its RFC 7638 thumbprint. */
export async function thumbprint(key) {
  const { crv, kty, x, y } = await crypto.subtle.exportKey("jwk", key);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify({ crv, kty, x, y })));
  return btoa(String.fromCharCode(...new Uint8Array(digest))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");
}
