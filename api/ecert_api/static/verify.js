// Verification of a seal in the browser: the same seven steps, codes and verdicts as on the server.

import { judgeCompetence, responsible } from "./competence.js";
import { nameOn, statusToken } from "./evidence.js";
import { keyOfSeal, parseSeal, parseTail } from "./seal.js";
import { partOf, readDetails, readList } from "./status.js";
import { thumbprint } from "./x509.js";
import { toHex } from "./bytes.js";

const STEPS = ["read", "signature", "type", "time", "log", "status", "agreement"];
const DECISIVE = ["read", "signature", "type", "time", "status"];
const SKEW = 300, DAY = 86400;
const VALUES = ["status_good", "status_ended", "status_suspended", "status_superseded"];

/**
 * Verify the text of a seal at a moment (Unix seconds; null: now) and give a report.
 * Throws Unsupported when this browser, or this page, cannot check such a signature.
 */
export async function verifySeal(text, ground, at = null) {
  const now = Date.now() / 1000;
  const run = { ground, now, moment: at ?? now, isPast: at !== null && at < now, codes: {}, status: null, successor: null, since: null, foundations: null };
  const seal = await read(run, text);
  if (seal !== null && (await signature(run, seal))) {
    type(run, seal);
    time(run, seal);
    await status(run, seal);
  }
  return report(run, seal);
}

const note = (run, step, code, evidence = null) => { run.codes[step] = [code, evidence]; };

async function read(run, text) {
  let seal;
  try {
    seal = parseSeal(text);
    run.parts = parseTail(seal.tail);
  } catch {
    note(run, "read", "unreadable");
    return null;
  }
  note(run, "read", "read_seal");
  note(run, "log", "no_receipt");
  run.registry = run.ground.registries.find((one) => seal.list.startsWith(one.base + "/"));
  if (run.registry === undefined) {
    note(run, "signature", "registry_unknown");
    delete run.codes.log;
    return null;
  }
  if (seal.origin !== null && seal.origin !== run.registry.base) note(run, "read", "seal_host_mismatch");
  return seal;
}

async function signature(run, seal) {
  const agency = (run.agency = run.registry.agencies.get(run.parts.issuer)), { asOf } = run.registry;
  if (agency === undefined) {
    const isLater = asOf !== null && seal.iat > asOf;
    if (asOf !== null) note(run, "type", isLater ? "trust_too_old" : "not_competent", asOf);
    return stop(run, isLater ? "trust_too_old" : "agency_unknown");
  }
  const signer = signerOf(run, seal) ?? agency;
  if (signer.certificates.length === 0) return stop(run, "no_certificates");
  const key = await keyOfSeal(seal, signer.code, signer);
  if (key === null) return stop(run, "signature_bad");
  const kid = (run.kid = await thumbprint(key)), retired = run.registry.retired.get(kid);
  if (retired !== undefined && seal.iat >= retired) return stop(run, "key_retired");
  const code = seal.iat > run.now + SKEW ? "signed_later"
    : run.registry.compromised.has(kid) ? "key_compromised" : "signature_good";
  note(run, "signature", code, seal.iat);
  run.isSigned = true;
  return true;
}

/** A copy is signed by whoever answers for the certificate by then. */
function signerOf(run, seal) {
  const slug = run.ground.types.find((one) => one.code === run.parts.type)?.slug;
  if (seal.recipient === null || slug === undefined) return run.agency;
  return run.registry.agencies.get(responsible(run.registry, run.parts.issuer, slug, seal.iat));
}

function stop(run, code) {
  note(run, "signature", code);
  return false;
}

function type(run, seal) {
  const known = run.ground.types.filter((one) => one.code === run.parts.type);
  run.type = known[known.length - 1] ?? null;
  if (run.type) note(run, "type", judgeCompetence(run, seal, run.type.slug), run.registry.asOf);
  else note(run, "type", "type_unknown");
}

function time(run, seal) {
  if (run.moment < seal.nbf) note(run, "time", "not_yet_valid");
  else if (seal.exp === null || run.moment < seal.exp) note(run, "time", "time_good");
  else if (seal.recipient !== null) note(run, "time", "copy_lapsed");
  else {
    note(run, "time", "expired");
    run.status = "expired";
  }
}

async function status(run, seal) {
  const [code, evidence, detail] = await judge(run, seal);
  note(run, "status", code, evidence);
  if (detail) {
    run.successor = detail.successor ?? null;
    run.since = code === "status_good" ? null : detail.since;
  }
  if (code === "status_good") run.status ??= "valid";
  else if (outcome(run, code) === "failed" && code !== "status_index") {
    const isHidden = code === "status_suspended" && run.status === "expired";
    if (!isHidden) run.status = code.slice("status_".length);
  }
}

async function judge(run, seal) {
  const token = await statusToken(seal.list);
  if (token === null) return [navigator.onLine ? "status_unreachable" : "offline", null, null];
  let list;
  try {
    list = await readList(token, seal.list, run.registry);
  } catch {
    return ["status_unusable", null, null];
  }
  const value = list.at(seal.index);
  const isWarned = list.warnedAt === null ? null : list.warnedAt(seal.index);
  if (value === undefined || isWarned === undefined) return ["status_index", list.issuedAt, null];
  if (run.isPast && run.moment < list.issuedAt) return past(run, seal, isWarned);
  if (run.moment - run.now > DAY) return ["status_future", list.issuedAt, null];
  if (run.now >= list.expiresAt) return ["status_stale", list.issuedAt, null];
  const found = value !== 0 || isWarned ? await details(run, seal) : null;
  judgeFoundations(run, isWarned, found?.warnedOf(seal.index));
  if (value === 0) return ["status_good", list.issuedAt, null];
  const detail = found?.of(seal.index);
  const named = detail && detail.status !== "valid" ? `status_${detail.status}` : null;
  return [named ?? VALUES[value] ?? "status_ended", list.issuedAt, detail ?? null];
}

/** What the list says of what it rests on (isWarned null: nothing), and the details of it, at a moment. */
function judgeFoundations(run, isWarned, told) {
  if (isWarned === null) run.foundations = { code: "foundations_not_checked" };
  else if (isWarned && !(run.moment < told?.since)) run.foundations = { code: "foundation_fallen", ...told };
}

async function details(run, seal) {
  const uri = `${seal.list}/details/${partOf(seal.index)}`;
  const token = await statusToken(uri);
  if (token === null) return null;
  try {
    return await readDetails(token, uri, run.registry);
  } catch {
    return null;
  }
}

/** A past moment: the details count the acts; none, or one alone, is an answer by itself. */
async function past(run, seal, isWarned) {
  const found = await details(run, seal);
  if (found === null) return ["status_history", null, null];
  const detail = found.of(seal.index);
  const isOpen = found.issuedAt < run.moment || (detail !== undefined && detail.changes !== 1);
  if (isOpen) return ["status_history", found.issuedAt, null];
  judgeFoundations(run, isWarned, found.warnedOf(seal.index));
  if (detail === undefined) return ["status_good", found.issuedAt, null];
  const isBefore = run.moment < detail.since;
  return [isBefore ? "status_good" : `status_${detail.status}`, found.issuedAt, detail];
}

const outcome = (run, code) => run.ground.reasons[code].outcome;
const instant = (seconds) => new Date(Math.floor(seconds) * 1000).toISOString().replace(".000Z", "Z");

function report(run, seal) {
  note(run, "agreement", "agreement_none");
  const steps = STEPS.map((step) => {
    const [code, evidence] = run.codes[step] ?? ["not_reached", null];
    const { outcome: result, zh, en } = run.ground.reasons[code];
    return { step, outcome: result, code, reason: { zh, en }, evidence_at: evidence === null ? null : instant(evidence) };
  });
  return {
    verdict: verdict(steps, run.registry?.requiresLog ?? false),
    certificate: run.isSigned ? certificate(run, seal) : null,
    status: run.status, at: instant(run.moment), checked_at: instant(run.now), steps, warnings: warnings(run),
  };
}

function warnings(run) {
  const said = [], words = run.ground.reasons, told = run.foundations;
  if (told?.code === "foundation_fallen") said.push(fallen(told, words));
  else if (told && run.type?.rests_on?.length) said.push({ code: told.code, reason: words[told.code] });
  if (run.isSigned && run.registry.asOf === null) said.push({ code: "competence_unlisted", reason: words.competence_unlisted });
  return said;
}

function fallen({ code, status, since }, words) {
  if (status === undefined) return { code, reason: words[code] };
  return { code, status, since: instant(since), reason: words[`${code}_${status}`] };
}

function verdict(steps, requiresLog) {
  if (steps.some((one) => one.outcome === "failed")) return "invalid";
  const decisive = requiresLog ? [...DECISIVE, "log"] : DECISIVE;
  const isOpen = steps.some((one) => decisive.includes(one.step) && one.outcome === "not_checked");
  return isOpen ? "undetermined" : "valid";
}

function certificate(run, seal) {
  const day = (seconds) => new Intl.DateTimeFormat("sv-SE", { timeZone: run.agency.zone }).format(seconds * 1000);
  const last = seal.exp === null ? null : day(seal.exp - DAY);
  return {
    id: seal.identifier, number: seal.number, type: { name: run.type?.name ?? null },
    issuer: { code: run.agency.code, name: nameOn(run.agency, day(seal.iat)) }, holder_name: seal.holder,
    project_name: seal.project, valid_from: day(seal.nbf), valid_to: seal.recipient === null ? last : null,
    created_at: instant(seal.iat),
    ...(seal.recipient === null ? { credential_digest: toHex(seal.digest) } : { copy: { recipient: seal.recipient, until: last } }),
    superseded_by: run.successor, status_since: run.since === null ? null : instant(run.since),
  };
}
