// Asks for the newest frame, shows it, and asks again: a slow page misses frames and lags behind none.
"use strict";
const byId = (id) => document.getElementById(id);
const frame = byId("frame"), waiting = byId("waiting"), pause = byId("pause");
let view = "overlay", number = 0, paused = false, ended = false;

function load(url) {
  return new Promise((done) => {
    const picture = new Image();
    picture.onload = () => done(picture.src);
    picture.onerror = () => done(null);
    picture.src = url;
  });
}

async function draw() {
  const source = await load(`frame.jpg?view=${view}&n=${number}`);
  if (source === null) return;
  frame.src = source;
  frame.hidden = false;
  waiting.hidden = !ended;
}

function row(name, color, share) {
  const item = document.createElement("li"), square = document.createElement("span");
  const label = document.createElement("span"), text = document.createElement("span");
  const meter = document.createElement("meter");
  square.className = "color";
  square.style.background = color;
  label.textContent = name;
  text.className = "share";
  text.textContent = `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;
  meter.value = share;
  item.append(square, label, text, meter);
  return item;
}

function list(state) {
  byId("classes").replaceChildren(...(state.classes || []).map((one) => row(...one)));
  const facts = Object.entries(state.facts || {}).map(([name, value]) => {
    const item = document.createElement("li");
    item.textContent = `${name} ${value}`;
    return item;
  });
  byId("facts").replaceChildren(...facts);
}

function end(why) {
  ended = true;
  waiting.textContent = why;
  waiting.className = "ended";
  waiting.hidden = false;
  document.body.dataset.state = "ended";
}

const rest = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

async function follow() {
  let failures = 0;
  while (!ended) {
    if (paused) { await rest(0.1); continue; }
    let state;
    try {
      const answer = await fetch(`state?after=${number}`);
      if (!answer.ok) throw new Error(answer.status);
      state = await answer.json();
      failures = 0;
    } catch {
      failures += 1;
      if (failures > 3) end("The stream has ended: the command that showed it is gone.");
      else await rest(0.5);
      continue;
    }
    if (state.number > number && !paused) {
      number = state.number;
      await draw();
      list(state);
      document.body.dataset.number = number;
    }
    if (state.ended) end(state.ended);
  }
}

function choose(chosen) {
  view = chosen;
  for (const button of document.querySelectorAll("[data-view]")) {
    button.setAttribute("aria-pressed", String(button.dataset.view === view));
  }
  if (number) draw();
}

function toggle() {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? "Go on" : "Pause";
}

for (const button of document.querySelectorAll("[data-view]")) {
  button.addEventListener("click", () => choose(button.dataset.view));
}
pause.addEventListener("click", toggle);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const chosen = { 1: "overlay", 2: "picture", 3: "classes" }[event.key];
  if (chosen) choose(chosen);
  if (event.key === " " && event.target.tagName !== "BUTTON") { event.preventDefault(); toggle(); }
});
follow();
