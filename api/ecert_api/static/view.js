// Showing a report: the verdict in one glance, the signed values, then each step.

import { age, moment, pick, say } from "./words.js";

const MARKS = { good: "✓", warn: "!", bad: "✗", grey: "?", passed: "✓", failed: "✗", not_checked: "?" };
const AMBER = ["suspended", "superseded", "expired"];
const FORGED_PAGE = { document_rewritten: "notOriginal", document_truncated: "notOriginal", document_unsigned: "notOriginal", document_encrypted: "notOriginal", document_updated: "changed", document_signature_bad: "changed", page_differs: "differs", page_changed: "differs", seal_differs: "differs" };

const element = (name, className, ...content) => {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...content);
  return made;
};

/** Judge a report: {tone, headline}, tone being good, warn, bad or grey. */
export function judge(report, isPast) {
  const code = (step) => report.steps.find((one) => one.step === step).code;
  const failures = report.steps.filter((one) => one.outcome === "failed");
  const failed = failures[0];
  if (report.verdict === "valid") {
    const good = isPast ? say("goodAt", report.at.slice(0, 10)) : say(report.certificate.copy ? "goodCopy" : "good");
    const fallen = report.warnings.find((one) => one.code === "foundation_fallen"); // the clerk sees it first
    return fallen ? { tone: "warn", headline: say("mind", good, pick(fallen.reason)) } : { tone: "good", headline: good };
  }
  if (report.verdict === "undetermined") {
    const isStatusAlone = report.steps.every((one) => one.step === "status" || one.outcome === "passed" || ["no_receipt", "agreement_none"].includes(one.code));
    return { tone: "grey", headline: say(isStatusAlone ? "openStatus" : "open") };
  }
  // What is not genuine comes before what is no longer in force, wherever it stands.
  const altered = failures.find((one) => FORGED_PAGE[one.code]);
  if (altered) return { tone: "bad", headline: say(FORGED_PAGE[altered.code]) };
  if (failed.step !== "signature" && code("type") === "not_competent") return { tone: "bad", headline: say("notCompetent") };
  if (failed.code === "unreadable") return { tone: "bad", headline: say("strange") };
  if (failures.some((one) => !["time", "status"].includes(one.step))) return { tone: "bad", headline: say("forged") };
  const later = failures.find((one) => one.step === "status");
  if (later && report.status && report.status !== "valid") {
    return { tone: AMBER.includes(report.status) ? "warn" : "bad", headline: say(report.status) };
  }
  if (["copy_lapsed", "not_yet_valid", "expired"].includes(failed.code)) return { tone: "warn", headline: say(failed.code) };
  return { tone: "bad", headline: say("forged") };
}

/**
 * Draw a report into the page; `day` is the one asked about, `note` a sentence of its own, and `ask`
 * asks this site whether it issued what is shown: the device alone knows only whose key signed it.
 */
export function show(report, { day = "", note = null, ask = null } = {}) {
  const { tone, headline } = judge(report, day !== "" && Date.parse(report.at) < Date.now());
  const shown = report.certificate;
  const name = shown ? [shown.type.name && pick(shown.type.name), shown.number] : [];
  const asked = day && report.verdict !== "valid" ? say("asked", day) : null;
  const warned = report.warnings.map(told); // beside the verdict, never the verdict
  const lines = [...name, ...reasons(report, shown), ...warned, asked, note].filter(Boolean).map((text) => element("p", "", text));
  const mark = element("span", "mark", MARKS[tone]);
  mark.setAttribute("aria-hidden", "true");
  announce([headline, ...lines.map((one) => one.textContent)].join(say("pause")));
  fill("verdict", tone, mark, element("h2", "", headline), ...lines, ...(ask ? [button("askHere", ask)] : []));
  fill("report", "", ...(shown ? [element("h2", "", say("compare")), values(shown, report)] : []), element("h2", "", say("steps")), steps(report));
}

const told = (warning) => pick(warning.reason) + (warning.since ? ` (${say("since", moment(warning.since))})` : "");

function button(word, act) {
  const made = element("button", "", say(word));
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}

/** Show one sentence instead of a report. */
export function tell(text, tone = "grey") {
  announce(text);
  fill("verdict", tone, element("h2", "", text));
  document.getElementById("report").hidden = true;
}

/** Say the headline aloud: a region that was there before is what screen readers listen to. */
function announce(text) {
  document.getElementById("said").textContent = text;
}

function fill(id, className, ...content) {
  const place = document.getElementById(id);
  place.className = className;
  place.replaceChildren(...content);
  place.hidden = false;
}

/** Say under the headline why it is so: what failed, or what could not be checked. */
function reasons(report, shown) {
  const found = [];
  if (shown?.status_since && report.verdict === "invalid") found.push(say("since", moment(shown.status_since)));
  const end = { expired: shown?.valid_to, copy_lapsed: shown?.copy?.until, not_yet_valid: shown?.valid_from };
  const dated = report.steps.find((one) => one.step === "time" && end[one.code]);
  if (dated) found.push(say(`date_${dated.code}`, end[dated.code]));
  if (shown?.superseded_by) found.push(say("successor", shown.superseded_by));
  const wanted = report.verdict === "invalid" ? "failed" : "not_checked";
  if (report.verdict === "valid") return found;
  const said = ["not_reached", "no_receipt", "agreement_none", `status_${report.status}`, dated?.code]; // elsewhere, or in the headline
  const telling = report.steps.filter((one) => one.outcome === wanted && !said.includes(one.code));
  return [...found, ...telling.map((one) => pick(one.reason))];
}

function values(shown, report) {
  const holders = shown.holder_name ?? (shown.holders ?? []).map((one) => one.name).join("、");
  const project = shown.project_name ?? shown.fields?.project_name;
  const rows = [
    ["type", shown.type.name && pick(shown.type.name)], ["number", shown.number], ["holder", holders], ["project", project],
    ["issuer", shown.issuer.name], ["from", shown.valid_from],
    ["to", shown.copy && !shown.holders ? null : shown.valid_to ?? say("forever")],
    ["recipient", shown.copy?.recipient], ["purpose", shown.copy?.purpose], ["until", shown.copy?.until],
    ["identifier", shown.id], ["checked", moment(report.checked_at)],
  ];
  const cells = rows.filter(([, value]) => value).flatMap(([name, value]) => [element("dt", "", say(name)), element("dd", "", value)]);
  return element("dl", "", ...cells);
}

function steps(report) {
  return element("ol", "steps", ...report.steps.map((one) => {
    const mark = element("span", "mark", MARKS[one.outcome]);
    mark.setAttribute("role", "img");
    mark.setAttribute("aria-label", say(`outcome_${one.outcome}`));
    const text = element("span", "", element("strong", "", say(`step_${one.step}`)), " ", pick(one.reason));
    if (one.evidence_at) text.append(element("small", "", say("evidence", moment(one.evidence_at), age(one.evidence_at))));
    return element("li", one.outcome, mark, text);
  }));
}
