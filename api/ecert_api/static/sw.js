// Keeps the page, the keys and the last status lists, so that verification works without a network.

const CACHE = "ecert-4";
const SHELL = [
  "/", "/static/page.css", "/static/main.js", "/static/bytes.js", "/static/cbor.js", "/static/competence.js", "/static/evidence.js",
  "/static/scanner.js", "/static/seal.js", "/static/status.js", "/static/verify.js", "/static/view.js",
  "/static/words.js", "/static/x509.js", "/static/icon.svg", "/static/manifest.webmanifest",
];
const PARTS = Array.from({ length: 16 }, (_, part) => `/status/0/details/${part}`);
const GROUND = ["/trust.json", "/types", "/static/reasons.json", "/status/0", ...PARTS];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then(async (cache) => {
    await cache.addAll(SHELL);
    await Promise.all(GROUND.map((path) => cache.add(path).catch(() => {})));
    await self.skipWaiting();
  }));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(caches.keys().then(async (names) => {
    await Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name)));
    await self.clients.claim();
  }));
});

self.addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  const { origin, pathname } = new URL(url);
  if (method !== "GET" || origin !== location.origin) return;
  if (mode === "navigate") {
    if (["/", "/v", "/V"].includes(pathname)) event.respondWith(fresh(event.request, "/"));
  }
  else if (pathname.startsWith("/static/") || pathname.startsWith("/status/") || ["/trust.json", "/types"].includes(pathname)) {
    event.respondWith(fresh(event.request, pathname));
  }
});

/** The network first; what it gave last when there is none. */
async function fresh(request, key) {
  const cache = await caches.open(CACHE);
  let answer;
  try {
    answer = await fetch(request, { signal: AbortSignal.timeout?.(8000) }); // a hanging network is none
  } catch {
    return (await cache.match(key)) ?? Response.error();
  }
  // A full disk must not cost the fresh answer.
  if (answer.ok && !answer.redirected) await cache.put(key, answer.clone()).catch(() => {});
  return answer;
}
