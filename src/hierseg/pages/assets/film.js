"use strict";
const strips = JSON.parse(document.getElementById("known").textContent);
const chosen = document.getElementById("strip");
const slider = document.getElementById("time");
const caption = document.getElementById("caption");
const player = document.getElementById("play");
const main = document.getElementById("figures");
const images = [...main.querySelectorAll("img")];
const loaded = new Map();
let strip = null;
let timer = 0;

function fetchPicture(address) {
  if (!loaded.has(address)) {
    const image = new Image();
    image.src = address;
    loaded.set(address, image);
  }
}

function show(place) {
  const frame = strip.frames[place];
  slider.value = place;
  caption.textContent = frame.facts ? `${frame.caption} · ${frame.facts}` : frame.caption;
  images.forEach((image, number) => { image.src = frame.pictures[number]; });
}

function choose(number) {
  strip = strips[number];
  chosen.value = number;
  slider.max = strip.frames.length - 1;
  strip.frames.forEach((frame) => frame.pictures.forEach(fetchPicture));
  show(strip.first);
}

function step(by) {
  const count = strip.frames.length;
  show((Number(slider.value) + by + count) % count);
}

function play(on) {
  clearInterval(timer);
  timer = on ? setInterval(() => step(1), 350) : 0;
  player.setAttribute("aria-pressed", String(on));
  player.textContent = on ? "pause" : "play";
}

chosen.addEventListener("change", () => choose(Number(chosen.value)));
slider.addEventListener("input", () => { play(false); show(Number(slider.value)); });
document.getElementById("back").addEventListener("click", () => { play(false); step(-1); });
document.getElementById("on").addEventListener("click", () => { play(false); step(1); });
player.addEventListener("click", () => play(timer === 0));
images.forEach((image) => image.addEventListener("click", () => {
  main.querySelectorAll("figure").forEach((figure) => figure.classList.toggle("chosen", figure === image.parentElement));
  main.classList.toggle("alone");
}));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target === chosen || (event.target === slider && event.key.startsWith("Arrow"))) return;
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const clip = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (by) { play(false); step(by); }
  else if (clip) choose((strips.indexOf(strip) + clip + strips.length) % strips.length);
  else if (event.key === " " && event.target.tagName !== "BUTTON") play(timer === 0);
  else return;
  event.preventDefault();
});
choose(0);
