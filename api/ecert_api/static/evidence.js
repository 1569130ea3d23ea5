// What the page believes and fetches: the trust file, the types, the reasons, the status lists.
// Every address fetched is one of this site's own, and none names a certificate.

import { fromBase64 } from "./bytes.js";

async function get(path) {
  const answer = await fetch(path, { credentials: "omit", redirect: "error", cache: "no-cache" });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer;
}

const json = async (path) => (await get(path)).json();

/** Load what never depends on the certificate: whom to believe, the types' names, the reasons. */
export async function loadGround() {
  const [answer, types, reasons] = await Promise.all([get("/trust.json"), json("/types"), json("/static/reasons.json")]);
  const trust = await answer.json();
  const keysAt = new Date(answer.headers.get("Date") ?? Date.now()).toISOString(); // kept ones keep their date
  return { registries: trust.registries.map(registry), types: types.items, reasons, keysAt };
}

function registry(one) {
  const agencies = Object.entries(one.agencies).map(([code, agency]) => [code, {
    code, names: inOrder(agency.names ?? [{ name: agency.name, from: "" }]), zone: agency.time_zone ?? "Asia/Shanghai",
    mayIssue: agency.may_issue ?? null, closedOn: agency.closed_on ?? null,
    anchors: agency.anchors.map(fromBase64), certificates: agency.certificates.map(fromBase64),
  }]);
  const moments = (list, name) => new Map((list ?? []).map((item) => [item.kid, Date.parse(item[name]) / 1000]));
  return {
    base: one.base_url, agencies: new Map(agencies), statusAnchors: one.status_anchors.map(fromBase64),
    retired: moments(one.retired, "at"), compromised: moments(one.compromised, "since"),
    requiresLog: one.require_log ?? false, asOf: one.as_of ? Date.parse(one.as_of.at) / 1000 : null,
    kept: new Set((one.retired ?? []).filter((item) => item.destroyed === false).map((item) => item.kid)),
  };
}

const inOrder = (names) => [...names].sort((one, other) => (one.from < other.from ? -1 : 1));

/** Give an agency's name on a day (YYYY-MM-DD): what was issued keeps the name of its day. */
export const nameOn = (agency, day) => (agency.names.findLast((one) => one.from <= day) ?? agency.names.at(-1)).name;

/** Fetch a status token of this site, a list or a part of its details; null when it cannot be had. */
export async function statusToken(uri) {
  if (!uri.startsWith(location.origin + "/status/")) return null;
  try {
    return await (await get(new URL(uri).pathname)).text();
  } catch {
    return null;
  }
}
