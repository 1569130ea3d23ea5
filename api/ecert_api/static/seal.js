// The seal 签章码: reading it, and checking its signature (COSE_Sign1, RFC 9052).

import { equal, fromBase32 } from "./bytes.js";
import { decode, signatureInput } from "./cbor.js";
import { DOCUMENT_SIGNING, trustedKey, Unsupported, verify } from "./x509.js";

const TAG = 0xd2, ES256 = Uint8Array.of(0xa1, 0x01, 0x26), EDDSA = Uint8Array.of(0xa1, 0x01, 0x27);
const SUB = 2, EXP = 4, NBF = 5, IAT = 6, STATUS = 65535;
const MAX_TEXT = 4096, LAST_SECOND = 253402128000, ROOT = "1.2.156.3005.2.";
const MOD = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** Read the text of a code: its address, or only what follows the #. Throws on anything else. */
export function parseSeal(text) {
  const trimmed = text.replace(/^[^\S\uFEFF]+|[^\S\uFEFF]+$/g, "");
  const [, origin, code] = /^(?:(.*)\/[Vv]#)?([A-Z2-7]+)$/s.exec(trimmed) ?? [];
  if (!code || trimmed.length > MAX_TEXT) throw new Error("not the text of a seal");
  const message = fromBase32(code);
  if (message[0] !== TAG || message.length > 2048) throw new Error("not a COSE_Sign1 message");
  const parts = decode(message.subarray(1));
  const [header, unprotected, payload, signature] = parts;
  const isWhole = parts.length === 4 && [header, payload, signature].every((one) => one instanceof Uint8Array);
  if (!isWhole || unprotected.size !== 0) throw new Error("four parts, and nothing unprotected");
  if (!equal(header, ES256) && !equal(header, EDDSA)) throw new Error("another header");
  const claims = decode(payload);
  check(claims);
  return {
    origin: origin === undefined ? null : origin.toLowerCase(), header, payload, signature,
    isES256: equal(header, ES256), tail: claims.get(SUB), identifier: ROOT + claims.get(SUB),
    iat: claims.get(IAT), nbf: claims.get(NBF), exp: claims.get(EXP) ?? null,
    list: claims.get(STATUS).get("status_list").get("uri"),
    index: claims.get(STATUS).get("status_list").get("idx"),
    number: claims.get("n"), holder: claims.get("h"), project: claims.get("p") ?? null,
    recipient: claims.get("r") ?? null, digest: claims.get("c"),
  };
}

function check(claims) {
  const list = claims.get(STATUS).get("status_list");
  const whole = (value) => Number.isInteger(value) && value >= 0 && value <= LAST_SECOND;
  const texts = [claims.get(SUB), claims.get("n"), claims.get("h"), list.get("uri")];
  const optional = [claims.get("p"), claims.get("r")].filter((one) => one !== undefined);
  const good = [...texts, ...optional].every((one) => typeof one === "string")
    && whole(claims.get(IAT)) && whole(claims.get(NBF)) && whole(claims.has(EXP) ? claims.get(EXP) : 0)
    && whole(list.get("idx")) && list.get("idx") < 2 ** 31
    && claims.get("c") instanceof Uint8Array && claims.get("c").length === 16
    && !(claims.has("r") && !claims.has(EXP));
  if (!good) throw new Error("a claim is missing or malformed");
}

/** Take the identifier after its root apart: {type, issuer}. Throws when its check character is wrong. */
export function parseTail(tail) {
  const parts = /^([0-9A-Z]{18}[0-9]{3})\.([0-9A-Z]{6}|[0-9A-Z]{18})\.([0-9A-Z]{1,32})\.((?!000)[0-9]{3})\.([0-9A-Z])$/.exec(tail);
  if (parts === null) throw new Error("not an identifier");
  let product = 36; // ISO 7064 MOD 37,36
  for (const character of parts.slice(1, 5).join("")) {
    const sum = (product + MOD.indexOf(character)) % 36 || 36;
    product = (sum * 2) % 37;
  }
  if ((product + MOD.indexOf(parts[5])) % 36 !== 1) throw new Error("the check character is wrong");
  return { type: parts[1], issuer: parts[2] };
}

/**
 * Find the agency's key that a seal was signed with: a seal names none, so each is tried.
 * Null when none fits; throws Unsupported when one could not be tried here.
 */
export async function keyOfSeal(seal, issuer, agency) {
  if (!seal.isES256) throw new Unsupported("only ES256 is checked here");
  let foreign = null;
  const input = signatureInput(seal.header, seal.payload);
  for (const der of agency.certificates) {
    try {
      const key = await trustedKey(der, agency.anchors, { usage: DOCUMENT_SIGNING, code: issuer, at: seal.iat });
      if (await verify(key, seal.signature, input)) return key;
    } catch (error) {
      if (error instanceof Unsupported) foreign = error;
    }
  }
  if (foreign) throw foreign;
  return null;
}
