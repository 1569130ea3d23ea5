// Signed status lists and their details (Token Status List; ecert's details token).

import { fromBase64, fromBase64url, fromUtf8, inflate, utf8 } from "./bytes.js";
import { thumbprint, trustedKey, verify } from "./x509.js";

export const STATUS_SIGNING = "6983d6848ee981fdaaa0cd84a58ae2b493fa9173";
const MAX_LIST_BYTES = 1 << 22;

async function claimsOf(token, typ, uri, registry) {
  const [head, body, signature, ...rest] = token.trim().split(".");
  const header = JSON.parse(fromUtf8(fromBase64url(head)));
  const claims = JSON.parse(fromUtf8(fromBase64url(body)));
  if (rest.length || header.typ !== typ || header.alg !== "ES256" || header.x5c.length !== 1) throw new Error("another kind of token");
  if (!Number.isInteger(claims.iat) || !Number.isInteger(claims.exp) || claims.sub !== uri) throw new Error("another list");
  const leaf = fromBase64(header.x5c[0]);
  const key = await trustedKey(leaf, registry.statusAnchors, { usage: STATUS_SIGNING, code: null, at: claims.iat });
  if (!(await verify(key, fromBase64url(signature), utf8(`${head}.${body}`)))) throw new Error("the signature does not hold");
  const kid = await thumbprint(key), retired = registry.retired.get(kid);
  if (header.kid !== undefined && header.kid !== kid) throw new Error("the kid is of another key");
  if (registry.compromised.has(kid) || (retired !== undefined && claims.iat >= retired)) throw new Error("the key is retired or compromised");
  return claims;
}

/** Unpack a list of small values; at(index) is one, or undefined outside the list. */
async function unpack({ bits, lst }) {
  if (![1, 2, 4, 8].includes(bits)) throw new Error("a list has 1, 2, 4 or 8 bits an entry");
  const data = await inflate(fromBase64url(lst), MAX_LIST_BYTES);
  const perByte = 8 / bits;
  return (index) => {
    const byte = data[Math.floor(index / perByte)];
    return byte === undefined ? undefined : (byte >> ((index % perByte) * bits)) & ((1 << bits) - 1);
  };
}

/** Check a status list; give {at, warnedAt, issuedAt, expiresAt}: warnedAt is null where it does not say. */
export async function readList(token, uri, registry) {
  const claims = await claimsOf(token, "statuslist+jwt", uri, registry);
  const warnedAt = claims.warned === undefined ? null : await unpack(claims.warned);
  return { at: await unpack(claims.status_list), warnedAt, issuedAt: claims.iat, expiresAt: claims.exp };
}

/** Each part of a list's details has 4,096 places. */
export const partOf = (index) => index >> 12;

/** Check a details token; give {of, warnedOf, issuedAt}, the first two by index, or undefined. */
export async function readDetails(token, uri, registry) {
  const claims = await claimsOf(token, "ecert-status-details+jwt", uri, registry);
  const warned = claims.warned ?? {};
  return { of: (index) => claims.details[String(index)], warnedOf: (index) => warned[String(index)], issuedAt: claims.iat };
}
