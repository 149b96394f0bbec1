"use strict";
// Shows the class and its confidence under the cursor. Each image's pixels are a script of their
// own, which is loaded when the image is first pointed at.
(() => {
  const find = (id) => document.getElementById(id);
  const { labels } = hierseg;
  const STEPS = 50;
  const UNKNOWN = 255;
  const KEPT = 12; // images whose pixels are held
  const known = new Map();
  const waiting = new Map();
  const tip = find("tip");
  let last = null;

  globalThis.hiersegPixels = (name, pictures) => waiting.get(name)?.(pictures);
  const decode = async (address) => {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    // Train ids, and below them the steps of confidence; grey, so that one channel says all.
    const { width, height, data } = context.getImageData(0, 0, canvas.width, canvas.height);
    return { width, height: height / 2, data };
  };
  const load = ({ name, pixels }) => {
    if (known.has(name)) return;
    known.set(name, null); // under way
    if (known.size > KEPT) known.delete(known.keys().next().value);
    waiting.set(name, async (pictures) => {
      const all = {};
      for (const [key, address] of Object.entries(pictures)) all[key] = await decode(address);
      if (known.has(name)) known.set(name, all);
      waiting.delete(name);
      if (last !== null) point(last);
    });
    const script = document.createElement("script");
    script.src = pixels;
    script.onload = script.onerror = () => script.remove();
    document.head.append(script);
  };

  // The class that a picture shows at a point of the window: {name, color, said}; null for none.
  const look = (picture, image, x, y) => {
    const shown = picture.closest("a")?.dataset ?? picture.dataset;
    const alone = shown.kind === "scale" ? (shown.caption.match(/[\d.]+/) ?? [""])[0] : "";
    const map = known.get(image.name)?.[alone];
    if (!map) return null;
    const box = picture.getBoundingClientRect();
    const scale = Math.min(box.width / map.width, box.height / map.height);
    const column = Math.floor((x - box.left - (box.width - map.width * scale) / 2) / scale);
    const row = Math.floor((y - box.top - (box.height - map.height * scale) / 2) / scale);
    if (column < 0 || row < 0 || column >= map.width || row >= map.height) return null;
    const train = map.data[4 * (row * map.width + column)];
    const steps = map.data[4 * ((map.height + row) * map.width + column)];
    if (train >= labels.length) return { name: "no class", color: "transparent", said: "" };
    const said = steps === UNKNOWN ? "" : ` ${((100 * steps) / STEPS).toFixed(0)} %`;
    return { ...labels[train], said };
  };
  const point = (event) => {
    last = event;
    const viewer = find("viewer");
    const inside = event.target.closest?.("#stage");
    const picture = inside ? find("over") : event.target.closest?.(".card figure a")?.querySelector("img");
    const image = inside ? viewer.image : picture?.closest(".card")?.image;
    if (image?.pixels) load(image);
    const seen = image && picture ? look(picture, image, event.clientX, event.clientY) : null;
    tip.hidden = seen === null;
    find("pointed").textContent = seen === null || !viewer.open ? "" : `${seen.name}${seen.said}`;
    if (seen === null) return;
    (viewer.open ? viewer : document.body).append(tip); // a dialog lies above all else
    tip.firstElementChild.style.background = seen.color;
    tip.lastElementChild.textContent = `${seen.name}${seen.said}`;
    const { offsetWidth: width, offsetHeight: height } = tip;
    const across = event.clientX + 16 + width > innerWidth ? event.clientX - 12 - width : event.clientX + 16;
    const down = event.clientY + 18 + height > innerHeight ? event.clientY - 10 - height : event.clientY + 18;
    tip.style.left = `${Math.max(0, across)}px`;
    tip.style.top = `${Math.max(0, down)}px`;
  };
  document.addEventListener("pointermove", point);
  document.addEventListener("pointerdown", point);
  for (const end of ["pointerleave", "scroll"]) {
    document.addEventListener(end, () => {
      tip.hidden = true;
      last = null;
    });
  }
  find("viewer").addEventListener("step", () => {
    tip.hidden = true;
    find("pointed").textContent = "";
    last = null;
  });
})();
