// What the page says in both languages, beside the reasons that come from the registry.

export const LANGUAGES = { zh: "zh-CN", en: "en" };

const WORDS = {
  title: ["电子证照核验", "Certificate verification"],
  skip: ["跳到结果", "Skip to the result"],
  other: ["English", "中文"],
  ask: ["核验证照", "Verify a certificate"],
  again: ["核验另一件", "Verify another"],
  hint: [
    "用手机相机扫描证照上的二维码，就会打开本页。也可以在这里选择证照PDF、二维码照片或证据包。",
    "Scan the code on a certificate with your phone's camera and this page opens. Or choose a certificate's PDF, a photo of the code, or an evidence bundle here.",
  ],
  choose: ["选择文件，或拖到这里", "Choose a file, or drop it here"],
  kinds: ["PDF · 照片（PNG、JPEG）· 证据包（ZIP）· 电子凭证", "PDF · photo (PNG, JPEG) · evidence bundle (ZIP) · credential"],
  scan: ["用相机扫码", "Scan with the camera"],
  noCamera: ["无法使用相机；请用手机自带的相机扫码，或选择照片。", "The camera cannot be used; scan with the phone's own camera, or choose a photo."],
  stop: ["停止扫码", "Stop scanning"],
  paste: ["粘贴文本，或查询某一天", "Paste text, or ask about a day"],
  text: ["二维码网址、签章码或电子凭证", "The code's address, a seal, or a credential"],
  at: ["当日是否有效（留空为现在）", "Was it in force that day? (empty: now)"],
  check: ["核验", "Verify"],
  how: [
    "扫码核验在您的手机上完成：本站只收到状态列表的请求，不知道您查的是哪一件证照。选择的文件由本站核验，不保存。",
    "A scanned code is checked on your own device: this site only sees that a status list was asked for, not which certificate you look at. Files you choose are checked by this site and not kept.",
  ],
  server: [
    "这个浏览器不能自行核验签名，已请本站代为核验。",
    "This browser cannot check signatures itself, so this site checked for you.",
  ],
  askHere: ["向本站查询是否签发", "Ask this site whether it issued this"],
  lookedUp: ["已向本站查询。", "This site was asked."],
  offline: ["离线：以保存的证据核验。状态取自 {0}，密钥取自 {1}。", "Offline: checked against kept evidence. Status of {0}, keys of {1}."],
  working: ["正在核验……", "Checking…"],
  failed: ["未能核验：无法连接本站。", "Could not be checked: this site cannot be reached."],
  limited: ["请求太频繁，请在 {0} 秒后再试。", "Too many requests; try again in {0} seconds."],
  strangeFile: ["不支持这种文件；请选择PDF、PNG、JPEG、证据包或电子凭证。", "This kind of file is not read; choose a PDF, PNG, JPEG, evidence bundle or credential."],
  busy: ["本站繁忙，请稍后再试。", "This site is busy; try again shortly."],
  pause: ["。", ". "],
  asked: ["查询日期：{0}", "asked about {0}"],
  date_expired: ["有效期至 {0}", "valid until {0}"],
  date_copy_lapsed: ["加注件有效期至 {0}", "the copy was good until {0}"],
  date_not_yet_valid: ["自 {0} 起有效", "valid from {0}"],
  large: ["文件超过 32 MB。", "The file is larger than 32 MB."],
  good: ["真实有效", "Genuine and in force"],
  goodAt: ["真实，当日有效（{0}）", "Genuine, and in force on {0}"],
  goodCopy: ["加注件真实有效", "Genuine copy, in force"],
  mind: ["{0}；但{1}", "{0}, but {1}"],
  suspended: ["真实，但已暂扣", "Genuine, but suspended"],
  superseded: ["真实，但已被新版本取代", "Genuine, but superseded"],
  cancelled: ["真实，但已注销", "Genuine, but cancelled"],
  withdrawn: ["真实，但已撤销", "Genuine, but withdrawn"],
  revoked: ["真实，但已吊销", "Genuine, but revoked"],
  ended: ["真实，但已终止", "Genuine, but ended"],
  expired: ["真实，但已过有效期", "Genuine, but expired"],
  not_yet_valid: ["真实，但尚未生效", "Genuine, but not valid yet"],
  copy_lapsed: ["加注件已过期失效", "This copy has lapsed"],
  changed: ["文件被改动，不可采信", "The file was changed: do not rely on it"],
  notOriginal: ["不是签发时的原文件", "Not the file that was issued"],
  needsNetwork: ["离线时不能核验文件；请扫描二维码，或联网后再试。", "A file cannot be checked offline; scan the code, or try again with a network."],
  differs: ["版面与记录不一致，不可采信", "Page and record disagree: do not rely on it"],
  forged: ["不是真证", "Not genuine"],
  notCompetent: ["签发机构无权签发此证", "The issuer had no right to issue this"],
  strange: ["无法识别：不是完整的签章码或证照文件", "Not readable: no whole seal or certificate file"],
  open: ["未能核验", "Could not be checked"],
  openStatus: ["签名真实；当前状态未能核验", "Signature genuine; present status could not be checked"],
  since: ["自 {0}", "since {0}"],
  successor: ["新版本：{0}", "new version: {0}"],
  compare: ["请与证照核对下列内容", "Compare with the certificate"],
  steps: ["核验步骤", "Steps"],
  evidence: ["证据时间 {0}（{1}）", "evidence of {0} ({1})"],
  number: ["编号", "Number"],
  type: ["证照类型", "Type"],
  issuer: ["发证机关", "Issued by"],
  holder: ["持证主体", "Holder"],
  project: ["项目", "Project"],
  from: ["有效期起", "Valid from"],
  to: ["有效期至", "Valid to"],
  forever: ["长期", "no end date"],
  recipient: ["加注件提供给", "Copy for"],
  purpose: ["加注件用途", "Copy's purpose"],
  until: ["加注件有效期至", "Copy good until"],
  identifier: ["证照标识", "Identifier"],
  checked: ["核验时间", "Checked at"],
  step_read: ["读取", "Read"],
  step_signature: ["签名", "Signature"],
  step_type: ["类型", "Type"],
  step_time: ["有效期", "Validity"],
  step_log: ["存证", "Log"],
  step_status: ["状态", "Status"],
  step_agreement: ["版面", "Page"],
  outcome_passed: ["通过", "passed"],
  outcome_failed: ["未通过", "failed"],
  outcome_not_checked: ["未核验", "not checked"],
};

let language = "zh";

/** Take the language that the browser prefers, or that was chosen before. */
export function choose(wanted) {
  language = wanted === "zh" || wanted === "en" ? wanted : navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
  document.documentElement.lang = LANGUAGES[language];
  return language;
}

/** Say something, with values put in. */
export function say(name, ...values) {
  const text = WORDS[name][language === "zh" ? 0 : 1];
  return values.reduce((done, value, place) => done.replace(`{${place}}`, value), text);
}

/** Pick the present language out of {zh, en}. */
export const pick = (texts) => texts[language];

/** Write an instant for people, in their own time zone. */
export function moment(text) {
  const options = { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short" };
  return new Intl.DateTimeFormat(LANGUAGES[language], options).format(new Date(text));
}

/** Say how long ago an instant was. */
export function age(text) {
  const minutes = Math.round((Date.parse(text) - Date.now()) / 60000);
  const format = new Intl.RelativeTimeFormat(LANGUAGES[language], { numeric: "auto" });
  if (Math.abs(minutes) < 60) return format.format(minutes, "minute");
  if (Math.abs(minutes) < 2880) return format.format(Math.round(minutes / 60), "hour");
  return format.format(Math.round(minutes / 1440), "day");
}
