// The page: what a phone opens when it scans a code, and where files are dropped.

import { loadGround } from "./evidence.js";
import { scan, canScan, readPicture } from "./scanner.js";
import { verifySeal } from "./verify.js";
import { show, tell } from "./view.js";
import { choose, say } from "./words.js";

const MAX_BYTES = 32 << 20;
const MEDIA = { pdf: "application/pdf", png: "image/png", jpg: "image/jpeg", jpeg: "image/jpeg", zip: "application/zip", "sd-jwt": "application/dc+sd-jwt" };
const byId = (id) => document.getElementById(id);
const canCheck = () => Boolean(globalThis.crypto?.subtle && globalThis.DecompressionStream);
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

function present(draw) {
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

async function checkSeal(text) {
  const { day, at } = asked();
  if (!canCheck()) return askServer(text, "text/plain", say("server"));
  tell(say("working"));
  let report;
  try {
    report = await verifySeal(text, await loadGround(), at);
  } catch {
    return present(() => tell(say("failed")));
  }
  const note = () => (navigator.onLine ? null : say("offline"));
  return present(() => show(report, { isPast: day !== "" && at * 1000 < Date.now(), note: note() }));
}

async function askServer(body, media, note = null) {
  const { day } = asked();
  tell(say("working"));
  try {
    const answer = await fetch(day ? `/verify?at=${day}` : "/verify", { method: "POST", body, headers: { "Content-Type": media }, credentials: "omit" });
    if (answer.status === 429) return present(() => tell(say("limited", answer.headers.get("Retry-After"))));
    if (answer.status === 413) return present(() => tell(say("large"), "bad"));
    if (!answer.ok) throw new Error(String(answer.status));
    const report = await answer.json();
    return present(() => show(report, { isPast: day !== "" && Date.parse(report.at) < Date.now(), note }));
  } catch {
    return present(() => tell(say("failed")));
  }
}

async function checkFile(file) {
  if (file.size > MAX_BYTES) return present(() => tell(say("large"), "bad"));
  const ending = file.name.toLowerCase().split(".").pop();
  const media = MEDIA[ending] ?? (file.type || "text/plain");
  if (media.startsWith("image/")) {
    const found = await readPicture(file);
    if (found !== null) return checkSeal(found);
  }
  if (media === "text/plain") return checkText(await file.text());
  return askServer(file, media);
}

function checkText(text) {
  return text.includes("~") ? askServer(text, "application/dc+sd-jwt") : checkSeal(text);
}

function checkFragment() {
  if (location.hash.length < 2 || location.hash === "#main") return;
  checkSeal(`${location.origin.toUpperCase()}/V${location.hash}`);
}

function wire() {
  byId("language").addEventListener("click", () => {
    language = choose(language === "zh" ? "en" : "zh");
    try {
      localStorage.setItem("language", language);
    } catch { /* then only for this visit */ }
    translate();
  });
  byId("file").addEventListener("change", ({ target }) => target.files[0] && checkFile(target.files[0]));
  byId("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = byId("text").value.trim();
    if (text) checkText(text);
    else checkFragment();
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
  window.addEventListener("hashchange", checkFragment);
  canScan().then((can) => {
    byId("scan").hidden = !can;
    byId("scan").addEventListener("click", () => scan(byId("camera"), checkSeal));
  });
}

translate();
wire();
checkFragment();
navigator.serviceWorker?.register("/sw.js").catch(() => {}); // without it the page only works online
