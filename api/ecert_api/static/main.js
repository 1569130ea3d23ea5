// The page: what a phone opens when it scans a code, and where files are dropped.

import { loadGround } from "./evidence.js";
import { scan, canScan, readPicture } from "./scanner.js";
import { verifySeal } from "./verify.js";
import { show, tell } from "./view.js";
import { Unsupported } from "./x509.js";
import { choose, moment, say } from "./words.js";

const MAX_BYTES = 32 << 20;
const MEDIA = { pdf: "application/pdf", png: "image/png", jpg: "image/jpeg", jpeg: "image/jpeg", zip: "application/zip", "sd-jwt": "application/dc+sd-jwt" };
const byId = (id) => document.getElementById(id);
const canCheck = () => Boolean(globalThis.crypto?.subtle && globalThis.DecompressionStream);
let again = null; // asks about the same thing once more, for another day
let newest = 0; // the number of the check that was asked for last: an older one's result is dropped
let last = null; // what is shown, to show it again in the other language
let language = choose(remembered());

/** The language chosen before; some browsers keep nothing in private windows. */
function remembered() {
  try {
    return localStorage.getItem("language");
  } catch {
    return null;
  }
}

function translate() {
  for (const one of document.querySelectorAll("[data-word]")) one.textContent = say(one.dataset.word);
  byId("language").textContent = say("other");
  byId("language").lang = language === "zh" ? "en" : "zh-CN";
  document.title = say("title");
  if (last) last();
}

function present(check, draw) {
  if (check !== newest) return;
  last = draw;
  draw();
  byId("main").focus({ preventScroll: true });
  window.scrollTo({ top: 0 });
}

/** Ask about the moment in the date field: the end of that day in China, or now. */
function asked() {
  const day = byId("at").value;
  return { day, at: day ? Date.parse(`${day}T23:59:59+08:00`) / 1000 : null };
}

async function checkSeal(text, check = ++newest) {
  again = () => checkSeal(text);
  const { day, at } = asked();
  if (!canCheck()) return askServer(text, "text/plain", "server", check);
  tell(say("working"));
  let report, ground;
  try {
    ground = await loadGround();
    report = await verifySeal(text, ground, at);
  } catch (error) {
    if (error instanceof Unsupported) return askServer(text, "text/plain", "server", check);
    return present(check, () => tell(say("failed")));
  }
  const ask = navigator.onLine && report.certificate ? () => askServer(text, "text/plain", "lookedUp") : null;
  return present(check, () => show(report, { day, note: navigator.onLine ? null : offline(report, ground), ask }));
}

/** Say how old the kept evidence is: the status decides, the keys carry it. */
function offline(report, ground) {
  const { evidence_at: status } = report.steps.find((one) => one.step === "status");
  return say("offline", status ? moment(status) : "—", moment(ground.keysAt));
}

/** Let this site check; `word` names a sentence that is shown beside the report. */
async function askServer(body, media, word = null, check = ++newest) {
  again = () => askServer(body, media, word);
  const { day } = asked();
  tell(say("working"));
  try {
    const answer = await fetch(day ? `/verify?at=${day}` : "/verify", { method: "POST", body, headers: { "Content-Type": media }, credentials: "omit" });
    if (answer.status === 429) return present(check, () => tell(say("limited", answer.headers.get("Retry-After"))));
    const refusal = { 413: "large", 415: "strangeFile", 503: "busy" }[answer.status];
    if (refusal) return present(check, () => tell(say(refusal)));
    if (!answer.ok) throw new Error(String(answer.status));
    const report = await answer.json();
    return present(check, () => show(report, { day, note: word && say(word) }));
  } catch {
    return present(check, () => tell(say(navigator.onLine ? "failed" : "needsNetwork")));
  }
}

async function checkFile(file) {
  const check = ++newest;
  if (file.size > MAX_BYTES) return present(check, () => tell(say("large")));
  const ending = file.name.toLowerCase().split(".").pop();
  const media = MEDIA[ending] ?? (file.type || "text/plain");
  if (media.startsWith("image/")) {
    const found = await readPicture(file);
    if (found !== null) return checkSeal(found, check);
  }
  if (media === "text/plain") return checkText(await file.text());
  return askServer(file, media, null, check);
}

function checkText(text) {
  return text.includes("~") ? askServer(text, "application/dc+sd-jwt") : checkSeal(text);
}

function checkFragment() {
  if (location.hash.length < 2) return;
  byId("at").value = ""; // a scan asks about now
  checkSeal(`${location.origin.toUpperCase()}/V${location.hash}`);
}

async function toggleCamera() {
  const video = byId("camera");
  try {
    await scan(video, checkSeal, () => {
      byId("scan").dataset.word = video.hidden ? "scan" : "stop";
      byId("scan").textContent = say(byId("scan").dataset.word);
    });
  } catch {
    present(++newest, () => tell(say("noCamera")));
  }
}

function wire() {
  byId("language").addEventListener("click", () => {
    language = choose(language === "zh" ? "en" : "zh");
    try {
      localStorage.setItem("language", language);
    } catch { /* then only for this visit */ }
    translate();
  });
  byId("file").addEventListener("change", ({ target }) => {
    const [file] = target.files;
    target.value = ""; // so that the same file may be chosen again
    if (file) checkFile(file);
  });
  byId("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = byId("text").value.trim();
    if (text) checkText(text);
    else if (again) again();
  });
  const drop = document.querySelector(".drop");
  document.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  document.addEventListener("dragleave", () => drop.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    const [file] = event.dataTransfer.files;
    if (file) checkFile(file);
  });
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault(); // the fragment is the seal's
    byId("main").focus();
  });
  window.addEventListener("hashchange", checkFragment);
  canScan().then((can) => {
    byId("scan").hidden = !can;
    byId("scan").addEventListener("click", toggleCamera);
  });
}

window.ecertStarted = true; // old.js looks for it
translate();
wire();
checkFragment();
navigator.serviceWorker?.register("/sw.js").catch(() => {}); // without it the page only works online
