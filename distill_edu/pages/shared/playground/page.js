// What stands on the page: the controls, the HTML, and the settings in the page's address.

const CONTROLS = {  // `key`: the setting's name in the address; `soft`: of the soft loss, so it has no weight at alpha = 1
  says: {key: "says", values: ["answers", "another", "shuffled", "equal", "first"], start: "answers", soft: true},
  leftOut: {key: "out", values: [2, 4, 7, "none"], start: 2},
  images: {key: "images", values: [10, 20, 30, 60, 90, 150, 200, 300], start: 90, slider: true},
  temperature: {key: "T", values: [1, 1.5, 2, 3, 4, 6, 8, 12, 20], start: 4, slider: true, soft: true},
  alpha: {key: "alpha", values: [0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1], start: 0, slider: true},
  teacher: {key: "teacher", values: ["dense", "convolutional"], start: "dense", soft: true},
  hidden: {key: "hidden", values: [0, 8, 16, 32], start: 0},
};
const WHO = ["labels", "taught"];  // the two students, in this order everywhere

function say(name, values = {}) {
  const table = SENTENCES[document.documentElement.lang.startsWith("zh") ? "zh_CN" : "en"];
  return table[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

// ---- settings ----

/** The settings that an address such as #says=first&T=8 asks for, or null where it asks for none. */
function settingsOf(address) {
  const asked = new URLSearchParams(address.replace(/^#/, "")), settings = {};
  let found = false;
  for (const [name, {key, values, start}] of Object.entries(CONTROLS)) {
    const value = values.find(each => String(each) === asked.get(key));
    found ||= value !== undefined;
    settings[name] = value ?? start;
  }
  return found ? settings : null;
}

function addressOf(settings) {
  const changed = Object.entries(CONTROLS).filter(([name, {start}]) => settings[name] !== start);
  const asked = changed.map(([name, {key}]) => [key, settings[name]]);
  return `#${new URLSearchParams(asked.length ? asked : [["says", settings.says]])}`;
}

const startSettings = () => Object.fromEntries(Object.entries(CONTROLS).map(([name, {start}]) => [name, start]));

// ---- HTML ----

function optionText(name, value, data) {
  if (name === "teacher") return say(`teacher.${value}`, {right: data.teachers[value].right});
  if (name === "hidden" && value > 0) return say("hidden.units", {units: value});
  if (name === "leftOut" && value !== "none") return say("leftOut.digit", {digit: value});
  return say(`${name}.${value}`);
}

function controlHtml(name, data) {
  const {values, slider, soft} = CONTROLS[name], idle = soft ? `<small class="idle">${say("idle")}</small>` : "";
  if (slider) {
    return `<label class="${name}"><span>${say(name)} <b class="value" aria-hidden="true"></b></span>
      <input type="range" name="${name}" max="${values.length - 1}">${idle}</label>`;
  }
  const options = values.map(value => `<option value="${value}">${optionText(name, value, data)}</option>`);
  return `<label class="${name}"><span>${say(name)}</span><select name="${name}">${options.join("")}</select>${idle}</label>`;
}

const studentHtml = who => `<div class="student ${who}"><b>${say(who)}</b> <span class="score"></span>
  <canvas role="img" aria-label="${say("untrained")}"></canvas></div>`;

function answerHtml(who, name) {
  const bars = [...Array(CLASSES).keys()].map(c =>
    `<rect x="${c * 24 + 3}" width="18" y="50" height="0"/><text x="${c * 24 + 12}" y="60">${c}</text>`);
  return `<div class="answer ${who}"><span class="who"><span>${name}</span> <small></small></span>
    <svg viewBox="0 0 240 62" role="img"><path class="floor" d="M0 50H240"/>${bars.join("")}</svg><b class="value"></b></div>`;
}

const pageHtml = data => `<div class="inside">
  <div class="buttons">
    <button type="button" class="play"></button>
    <button type="button" class="other">${say("otherImages")}</button>
    <button type="button" class="ten">${say("tenMore")}</button>
    <span class="step"></span>
  </div>
  <label class="guess"><span class="question"></span><input type="range" min="0" value="0">
    <b class="value" aria-hidden="true"></b></label>
  <div class="curves"><svg viewBox="0 0 460 230" role="img"><g class="axes"></g><g class="before"></g><g class="now"></g></svg>
    <canvas class="sheet" role="img"></canvas></div>
  <form class="controls" autocomplete="off">${Object.keys(CONTROLS).map(name => controlHtml(name, data)).join("")}</form>
  <p class="said" aria-live="polite"></p>
  <div class="students">${WHO.map(studentHtml).join("")}</div>
  <p class="note weights"></p>
  <h3>${say("ask")}</h3>
  <div class="ask">
    <div class="pad"><div class="paper">
      <canvas width="${PAD}" height="${PAD}" role="img" aria-label="${say("draw.label")}"></canvas><span class="hint">${say("draw")}</span></div>
      <div class="buttons"><button type="button" class="clear">${say("clear")}</button>
        <button type="button" class="new">${say("newImage")}</button><button type="button" class="newUnseen"></button></div>
      <label><span>${say("theirs")} <b class="value" aria-hidden="true">–</b></span>
        <input type="range" class="theirs" min="0" value="0"></label></div>
    <div class="answers">${answerHtml("label", say("label"))}${answerHtml("teacher", say("teachersAnswer"))}
      ${WHO.map(who => answerHtml(who, say(who))).join("")}
      <p class="seen"><canvas role="img" aria-label="${say("seen")}"></canvas><span></span></p></div>
  </div>
  <h3>${say("rows")}</h3>
  <p class="note">${say("rows.note")} ${say("rows.covers")}</p>
  <div class="rows"></div>
  <p class="note">${say("truth")}</p></div>`;
