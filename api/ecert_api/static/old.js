// For browsers that cannot run the page's modules: the site itself checks, and the page says so.
// Plain ECMAScript 5; it waits until everything was loaded and looks whether the modules run.
window.addEventListener("load", function () {
  var hash = location.hash;
  if (window.ecertStarted || hash.length < 2) return;
  var place = document.getElementById("verdict");
  var request = new XMLHttpRequest();
  request.open("POST", "/verify");
  request.setRequestHeader("Content-Type", "text/plain");
  request.onload = function () {
    if (request.status !== 200) return request.onerror();
    var report = JSON.parse(request.responseText);
    var words = { valid: ["good", "真实有效 Genuine and in force"], invalid: ["bad", "不是有效证照 Not genuine, or not in force"] };
    var said = words[report.verdict] || ["grey", "未能核验 Could not be checked"];
    var lines = report.certificate ? [report.certificate.number, report.certificate.issuer.name] : [];
    for (var i = 0; i < report.steps.length; i++) {
      var step = report.steps[i];
      if (step.outcome === "failed") lines.push(step.reason.zh + " " + step.reason.en);
    }
    lines.push("这个浏览器不能自行核验签名，已请本站代为核验。This browser cannot check signatures itself, so this site checked for you.");
    place.className = said[0];
    place.hidden = false;
    place.textContent = said[1] + " — " + lines.join(" · ");
  };
  request.onerror = function () {
    place.hidden = false;
    place.textContent = "未能核验 Could not be checked";
  };
  request.send(location.origin.toUpperCase() + "/V" + hash);
});
