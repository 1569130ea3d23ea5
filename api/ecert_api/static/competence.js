// Whether the agency had the right to issue the type when it signed: the same rules as on the server.

const DAY = 86400;

/** Judge a seal's competence by the trust file; gives a code of step "type". */
export function judgeCompetence(run, seal, slug) {
  const { agency, registry } = run;
  if (registry.asOf === null || agency.mayIssue === null) return "type_good"; // version 1: a warning says so
  const otherwise = seal.iat > registry.asOf ? "trust_too_old" : "not_competent";
  const day = civilDay(seal.iat, agency.zone);
  const own = agency.mayIssue.filter((one) => one.type === slug && one.only === undefined);
  if (seal.recipient !== null) return own.some((one) => one.from <= day) ? "type_good" : otherwise;
  const held = own.find((one) => one.from <= day && (one.to === undefined || day <= one.to));
  if (held === undefined || (agency.closedOn !== null && agency.closedOn <= day)) return otherwise;
  return hasEnded(run, held) && !isProven(run, held) ? "competence_unproven" : "type_good";
}

/** Who answers at a moment for what an agency issued: itself, or whoever the type was transferred to. */
export function responsible(registry, issuer, slug, at) {
  const found = [issuer];
  for (;;) {
    const agency = registry.agencies.get(found.at(-1)), day = agency && civilDay(at, agency.zone);
    const after = agency?.mayIssue?.find((one) => one.type === slug && one.successor && one.to < day)?.successor;
    if (after === undefined || found.includes(after)) return found.at(-1);
    found.push(after);
  }
}

/** A period is over when its last day is past, and no other begins the day after. */
function hasEnded(run, held) {
  if (held.to === undefined || held.to >= civilDay(run.now, run.agency.zone)) return false;
  const next = addDays(held.to, 1);
  return !run.agency.mayIssue.some((one) => one.type === held.type && one.from === next);
}

/** A seal has no receipt: only a key that was destroyed since the end proves when it signed. */
function isProven(run, held) {
  const retired = run.registry.retired.get(run.kid);
  if (retired === undefined || run.registry.kept.has(run.kid)) return false;
  return retired <= midnight(addDays(held.to, 3), run.agency.zone);
}

const civilDay = (seconds, zone) => new Intl.DateTimeFormat("sv-SE", { timeZone: zone }).format(seconds * 1000);

const addDays = (day, count) => new Date(Date.parse(day) + count * DAY * 1000).toISOString().slice(0, 10);

/** 00:00 of a civil day in a time zone, in Unix seconds. */
function midnight(day, zone) {
  const utc = Date.parse(day) / 1000;
  const shown = new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short", timeStyle: "medium" }).format(utc * 1000);
  return utc - (Date.parse(shown.replace(" ", "T") + "Z") / 1000 - utc);
}
