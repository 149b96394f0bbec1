"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const make = (tag, about = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), about);
    element.append(...children);
    return element;
  };
  const AT_ONCE = 2; // one is decoded while another runs
  const RAMP = ["#000004", "#420a68", "#932667", "#dd513a", "#fca50a", "#fcffa4"];
  const OVER = { prediction: 55, heat: 85 }; // strength of the colours, in percent
  const items = [];
  let about = null;
  let chosen = null; // the item that is shown
  let layers = null; // its pixels
  let layer = "prediction";
  let marked = null; // the class that is shown alone
  let cross = null;

  const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const percent = (share) => (share > 0 && share < 0.001 ? "<0.1 %" : `${(100 * share).toFixed(1)} %`);
  const say = (text) => { find("live").textContent = text; };
  const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));
  const size = (bytes) => (bytes >= 2 ** 20 ? `${Math.round(bytes / 2 ** 20)} MB` : `${Math.ceil(bytes / 1024)} kB`);

  // How it runs ------------------------------------------------------------------------------
  const begin = async () => {
    const local = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
    try {
      const answer = await fetch("about");
      if (answer.status === 401) { location.assign("login"); return; }
      about = await answer.json();
    } catch {
      fail("The server does not answer.", "Is it still running? Start it again, and load this page anew.");
      find("again").hidden = true;
      return;
    }
    const { classes, limits, run_by_default: usual } = about;
    find("weights").textContent = about.weights;
    find("facts").replaceChildren(...[`${classes.length} classes`, `scales ${about.scales.join(", ")}`, about.device].map((fact) => make("li", { textContent: fact })));
    find("taken").textContent = `Up to ${size(limits.bytes)} and ${(limits.pixels / 1e6).toFixed(0)} million pixels each.`;
    const where = local ? "Pictures stay on this machine" : `Pictures go to ${location.host}`;
    find("promise").textContent = about.keeps
      ? `${where}; the server keeps them, and what it makes of them, in a folder.`
      : `${where}, and nothing is kept once the server ends.`;
    const offered = [...new Set([0.25, 0.5, 0.75, 1, 1.5, 2, ...about.scales])].filter((scale) => scale <= limits.scale);
    find("scales").replaceChildren(...offered.sort((a, b) => a - b).map((scale) => {
      const box = make("input", { type: "checkbox", value: scale, checked: usual.scales.includes(scale) });
      if (scale === 1 && about.attends) { box.checked = true; box.disabled = true; }
      return make("label", {}, box, String(scale));
    }));
    find("engine").value = usual.engine;
    if (usual.budget) {
      if (![...find("budget").options].some((one) => Number(one.value) === usual.budget)) {
        find("budget").append(make("option", { value: usual.budget, textContent: `${Math.round(100 * usual.budget)} %` }));
      }
      find("budget").value = String(usual.budget);
    }
    if (usual.long_edge === "own") find("long-edge").value = "own";
    find("flip").checked = usual.flip;
    if (!about.attends) find("attention").closest("label").hidden = true;
    describe();
    work();
  };
  const scales = () => [...find("scales").querySelectorAll(":checked")].map((box) => box.value);
  const describe = () => {
    const parts = [`scales ${scales().join(", ") || "none"}`, find("engine").selectedOptions[0].textContent];
    if (find("budget").value) parts.push(`budget ${find("budget").selectedOptions[0].textContent}`);
    if (find("flip").checked) parts.push("mirrored too");
    find("how").textContent = `\u2013 ${parts.join("; ")}`;
  };
  find("form").addEventListener("change", describe);
  find("form").addEventListener("submit", (event) => event.preventDefault());
  const parameters = () => {
    const asked = new FormData();
    asked.set("output", "links");
    if (scales().length) asked.set("scales", scales().join(","));
    asked.set("engine", find("engine").value);
    asked.set("budget", find("budget").value || "1");
    asked.set("long_edge", find("long-edge").value);
    asked.set("flip", find("flip").checked ? "1" : "0");
    asked.set("attention", about.attends && find("attention").checked && scales().length > 1 ? "1" : "0");
    asked.set("every", find("every").value || "1");
    return asked;
  };

  // The queue --------------------------------------------------------------------------------
  const add = (files) => {
    for (const file of files) {
      const row = make("li");
      const item = { file, row, state: "waiting", text: "waiting", share: null, result: null, error: "", frame: 0, sent: false };
      const pick = make("button", { type: "button", className: "pick" });
      const away = make("button", { type: "button", className: "drop-it", textContent: "\u2715", ariaLabel: `remove ${file.name}` });
      pick.addEventListener("click", async () => {
        await choose(item);
        if (matchMedia("(max-width: 900px)").matches) find("viewer").scrollIntoView(); // it lies below
      });
      away.addEventListener("click", () => remove(item));
      row.append(pick, away);
      items.push(item);
      find("queue").append(row);
      draw(item);
    }
    if (files.length) say(files.length === 1 ? `${files[0].name} is waiting` : `${files.length} files are waiting`);
    work();
  };
  const draw = (item) => {
    const pick = item.row.firstChild;
    const source = item.result && (item.result.view ?? item.result.frames[0].view).image;
    let picture = pick.querySelector("img");
    if (source && !picture) picture = make("img", { src: source, alt: "" });
    const parts = [source ? picture : make("i"), make("strong", { textContent: item.file.name, title: item.file.name }), make("small", { textContent: item.text })];
    if (item.state === "running") {
      const bar = make("progress", { max: 1, ariaLabel: `progress of ${item.file.name}` });
      if (item.share !== null) bar.value = item.share;
      parts.push(bar);
    }
    pick.replaceChildren(...parts);
    item.row.className = [item.state, item === chosen ? "chosen" : ""].join(" ").trim();
    pick.ariaCurrent = item === chosen ? "true" : "false";
    const done = items.filter((one) => one.result);
    find("queue-head").hidden = items.length === 0;
    find("queue-title").textContent = items.length === 1 ? "1 file" : `${done.length} of ${items.length} done`;
    find("download").hidden = done.length === 0;
    find("empty-title").textContent = items.some((one) => one.state === "running") ? "The result is on its way." : "Nothing here yet.";
    find("download").href = `download?${done.map((one) => `id=${encodeURIComponent(one.result.id)}`).join("&")}`;
  };
  const tell = (item, text, share = null) => {
    if (item.text === text && item.share === share) return;
    item.text = text;
    item.share = share;
    draw(item);
  };
  const work = () => {
    if (about === null) return;
    for (;;) {
      const running = items.filter((item) => item.state === "running");
      const next = items.find((item) => item.state === "waiting");
      // The next is sent once the one before is there, so that they keep their order.
      if (next === undefined || running.length >= AT_ONCE || running.some((item) => !item.sent)) return;
      next.state = "running";
      next.sent = false;
      run(next).finally(work);
    }
  };
  const run = async (item) => {
    if (item.file.size > about.limits.bytes) {
      finish(item, null, `${item.file.name} is larger than the ${size(about.limits.bytes)} that are taken.`);
      return;
    }
    for (;;) {
      const ticket = [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      const asked = parameters();
      asked.set("ticket", ticket);
      asked.set("file", item.file, item.file.name);
      const answer = await send(item, asked, ticket);
      if (item.state !== "running") return; // it was removed
      if ((answer.status === 429 || answer.status === 503) && answer.wait) {
        tell(item, `the server is busy; again in ${answer.wait} s`);
        await pause(answer.wait);
        if (item.state !== "running") return;
        continue;
      }
      if (answer.status === 401) { location.assign("login"); return; }
      if (answer.status === 200) finish(item, answer.content, "");
      else finish(item, null, answer.content?.error ?? "The server does not answer. Is it still running?");
      return;
    }
  };
  const send = (item, asked, ticket) => new Promise((done) => {
    const request = new XMLHttpRequest();
    item.request = request;
    let sent = false;
    request.open("POST", "predict");
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => {
      if (!event.lengthComputable || sent) return;
      const share = event.loaded / event.total;
      tell(item, `sending, ${Math.round(100 * share)} %`, share / 5);
    });
    request.upload.addEventListener("load", () => { sent = true; item.sent = true; work(); });
    const watch = setInterval(() => follow(item, ticket), 400);
    request.addEventListener("loadend", () => {
      clearInterval(watch);
      done({ status: request.status, content: request.response, wait: Number(request.getResponseHeader("Retry-After")) });
    });
    request.send(asked);
  });
  const follow = async (item, ticket) => {
    let found;
    try {
      const answer = await fetch(`tickets/${ticket}`);
      if (!answer.ok) return;
      found = await answer.json();
    } catch { return; }
    if (item.state !== "running") return;
    const texts = {
      waiting: found.ahead ? `waiting, ${found.ahead} before it` : "waiting",
      decoding: "reading the file", segmenting: found.notice || "segmenting", writing: "writing",
    };
    let [text, share] = [texts[found.state], { waiting: 0.2, decoding: 0.3, segmenting: null, writing: 0.95 }[found.state]];
    if (text === undefined) return;
    if (found.state === "segmenting" && found.total !== 1) {
      text = `frame ${found.done}${found.total ? ` of about ${found.total}` : ""}`;
      share = found.total ? Math.min(1, found.done / found.total) : null;
    }
    tell(item, text, share);
  };
  const finish = (item, result, error) => {
    Object.assign(item, { result, error, share: null, state: result ? "done" : "failed", frame: 0 });
    const frames = result?.frames ? `${result.frames.length} frames, ` : "";
    if (error.startsWith(`${item.file.name}: `)) error = error.slice(item.file.name.length + 2); // it stands above
    item.error = error.charAt(0).toUpperCase() + error.slice(1);
    item.text = result ? `${frames}${result.seconds.toFixed(result.seconds < 10 ? 2 : 0)} s` : item.error;
    draw(item);
    say(result ? `${item.file.name} is done` : `${item.file.name}: ${error}`);
    if (chosen === null || chosen === item || (chosen.state === "failed" && result)) choose(item);
  };
  const remove = (item) => {
    const at = items.indexOf(item);
    if (item.state === "running") item.request?.abort();
    if (item.result) fetch(`results/${item.result.id}`, { method: "DELETE" }).catch(() => {});
    item.state = "removed";
    items.splice(at, 1);
    item.row.remove();
    const next = items[Math.min(at, items.length - 1)];
    if (chosen === item) { chosen = null; choose(next ?? null); }
    if (next) { draw(next); next.row.firstChild.focus(); } else { find("queue-head").hidden = true; find("file").focus(); }
    say(`${item.file.name} is removed`);
  };
  const rerun = (item) => {
    if (item.result) fetch(`results/${item.result.id}`, { method: "DELETE" }).catch(() => {});
    Object.assign(item, { state: "waiting", text: "waiting", result: null, error: "" });
    draw(item);
    choose(item);
    work();
  };
  find("queue").addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const at = items.findIndex((item) => item.row.contains(document.activeElement));
    const next = items[at + step];
    if (!step || !next) return;
    event.preventDefault();
    next.row.firstChild.focus();
    choose(next);
  });
  find("file").addEventListener("change", () => { add([...find("file").files]); find("file").value = ""; });
  find("rerun").addEventListener("click", () => rerun(chosen));
  find("again").addEventListener("click", () => rerun(chosen));
  document.addEventListener("paste", (event) => add([...event.clipboardData.files]));
  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => { event.preventDefault(); find("drop").classList.add("over"); });
  }
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) find("drop").classList.remove("over"); });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    find("drop").classList.remove("over");
    add([...event.dataTransfer.files]);
  });

  // What is shown ----------------------------------------------------------------------------
  const show = (id) => { for (const one of ["empty", "failure", "shown"]) find(one).hidden = one !== id; };
  const fail = (title, text) => {
    find("failure-title").textContent = title;
    find("failure-text").textContent = text;
    find("again").hidden = false;
    show("failure");
  };
  const choose = async (item) => {
    const before = chosen;
    chosen = item;
    for (const one of [before, item]) if (one && items.includes(one)) draw(one);
    cross = null;
    find("cross").hidden = true;
    if (item === null) { show("empty"); return; }
    if (item.state === "failed") {
      fail(item.file.name, item.error);
      return;
    }
    if (!item.result) {
      show("empty");
      return;
    }
    await open(item);
  };
  const open = async (item) => {
    const { result } = item;
    const part = result.frames ? result.frames[item.frame] : result;
    let found;
    try { found = await load(part.view); } catch {
      fail(item.file.name, "This result is no longer on the server. Run it again.");
      return;
    }
    if (chosen !== item) return;
    layers = { ...found, part };
    const attended = list_scales(part.view.attention);
    marked = null;
    const facts = [`${result.width}\u00d7${result.height}`, `${result.seconds.toFixed(2)} s`, `${percent(part.confidence)} sure on average`];
    if (result.run_by) facts.push(`run by ${result.run_by}, for want of memory`);
    find("name").textContent = result.name;
    find("about").replaceChildren(...facts.map((fact) => make("li", { textContent: fact })));
    if (result.engine) find("about").append(make("li", { textContent: result.engine.split(": ").pop().split(/[,;]/)[0], title: result.engine }));
    find("frame-row").hidden = !result.frames;
    if (result.frames) {
      find("frame").max = result.frames.length - 1;
      find("frame").value = item.frame;
      find("frame-name").textContent = `at ${part.time.toFixed(1)} s`;
    }
    const names = ["prediction", "confidence", ...attended.map((scale) => `attention at ${scale}`)];
    if (!names.includes(layer)) layer = "prediction";
    find("tabs").replaceChildren(...names.map((name) => {
      const tab = make("button", { type: "button", textContent: name, ariaPressed: String(name === layer) });
      if (name !== "prediction") tab.append(make("span", { className: "ramp", title: "from 0 to 1" }));
      tab.addEventListener("click", () => choose_layer(name));
      return tab;
    }));
    list_shares(part.classes);
    list_files(result);
    show("shown");
    for (const id of ["under", "over"]) Object.assign(find(id), { width: layers.width, height: layers.height });
    find("stage").style.maxWidth = `calc(60vh * ${layers.width / layers.height})`;
    find("under").getContext("2d").drawImage(layers.image, 0, 0, layers.width, layers.height);
    paint();
    wipe(find("wipe").value);
    read(cross ?? (pointed && place_of(pointed))); // a pointer that rests reads what is new beneath it
  };
  const choose_layer = (name) => {
    layer = name;
    for (const tab of find("tabs").children) tab.ariaPressed = String(tab.firstChild.textContent === name);
    find("alpha").value = name === "prediction" ? OVER.prediction : OVER.heat;
    paint();
  };
  const list_scales = (attention) => Object.keys(attention).sort((a, b) => a - b); // an object has 1 before 0.5
  const load = async (view) => {
    const picture = async (address, exact) => {
      const answer = await fetch(address);
      if (!answer.ok) throw new Error(address);
      const options = exact ? { colorSpaceConversion: "none", premultiplyAlpha: "none" } : {};
      return createImageBitmap(await answer.blob(), options);
    };
    const values = async (address) => {
      const bitmap = await picture(address, true);
      const canvas = make("canvas", { width: view.width, height: view.height });
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(bitmap, 0, 0);
      const { data } = context.getImageData(0, 0, view.width, view.height);
      return Uint8Array.from({ length: data.length / 4 }, (_, at) => data[4 * at]);
    };
    const scales = list_scales(view.attention);
    const [image, labels, confidence, ...attention] = await Promise.all([
      picture(view.image, false), values(view.labels), values(view.confidence), ...scales.map((scale) => values(view.attention[scale])),
    ]);
    return { width: view.width, height: view.height, image, labels, confidence, attention: Object.fromEntries(scales.map((scale, at) => [scale, attention[at]])) };
  };
  const heat = Array.from({ length: 256 }, (_, value) => {
    const place = (value / 255) * (RAMP.length - 1);
    const [low, high] = [rgb(RAMP[Math.floor(place)]), rgb(RAMP[Math.ceil(place)])];
    return low.map((channel, at) => Math.round(channel + (high[at] - channel) * (place % 1)));
  });
  const paint = () => {
    if (!layers) return;
    const { width, height, labels } = layers;
    const picture = new ImageData(width, height);
    const { data } = picture;
    const strength = Math.round(2.55 * find("alpha").value);
    const values = layer === "confidence" ? layers.confidence : layers.attention[layer.replace("attention at ", "")];
    const colors = about.classes.map((one) => one.color);
    for (let at = 0, to = 0; at < labels.length; at += 1, to += 4) {
      const label = labels[at];
      if (values) {
        [data[to], data[to + 1], data[to + 2]] = heat[values[at]];
        data[to + 3] = marked === null || label === marked ? strength : 0;
        continue;
      }
      const color = colors[label];
      if (color === undefined || (marked !== null && label !== marked)) continue; // the picture itself
      const meets = (at % width !== width - 1 && labels[at + 1] !== label) || (at + width < labels.length && labels[at + width] !== label);
      const light = meets && strength > 0 ? 0.4 : 0;
      for (let channel = 0; channel < 3; channel += 1) data[to + channel] = color[channel] + light * (255 - color[channel]);
      data[to + 3] = meets ? Math.max(strength, Math.min(190, 2 * strength)) : strength;
    }
    find("over").getContext("2d").putImageData(picture, 0, 0);
  };
  const list_shares = (classes) => {
    const largest = classes[0]?.share ?? 1;
    find("shares").replaceChildren(...classes.map((one) => {
      const bar = make("b");
      bar.style.width = `${(100 * one.share) / largest}%`;
      bar.style.background = one.color;
      const button = make("button", { type: "button", ariaPressed: "false", title: `show ${one.name} alone` },
        make("span", { textContent: one.name }), bar, make("small", { textContent: percent(one.share) }));
      button.addEventListener("click", () => {
        marked = marked === one.train_id ? null : one.train_id;
        for (const other of find("shares").querySelectorAll("button")) other.ariaPressed = String(other === button && marked !== null);
        paint();
      });
      return make("li", {}, button);
    }));
  };
  const list_files = (result) => {
    const link = (text, address) => make("li", {}, make("a", { href: address, download: "", textContent: text }));
    const short = Object.entries(result.files).filter(([file]) => !/_\d{6}_labels\.png$/.test(file) && file !== "legend.json");
    const names = short.map(([file, address]) => link(file.replace(/^.*_(overlay|color|labels|ids|confidence|attention_[\d.]+(?:_heat)?)\.(\w+)$/, "$1.$2").replaceAll("_", " "), address));
    find("files").replaceChildren(link("all of it (zip)", result.zip), ...names);
  };

  // Reading and uncovering -------------------------------------------------------------------
  const wipe = (value) => {
    const place = Math.min(100, Math.max(0, Number(value)));
    find("wipe").value = place;
    find("over").style.clipPath = `inset(0 0 0 ${place}%)`;
    find("line").style.left = `${place}%`;
    find("line").hidden = place <= 0 || place >= 100;
  };
  const read = (place) => {
    const chip = find("readout").firstElementChild;
    const text = find("readout").lastElementChild;
    if (place === null || !layers) {
      chip.style.background = "none";
      text.textContent = "Point at the picture, or tap, to read classes.";
      return "";
    }
    const at = place.y * layers.width + place.x;
    const one = about.classes[layers.labels[at]];
    const weights = list_scales(layers.attention).map((scale) => `${scale}: ${(layers.attention[scale][at] / 255).toFixed(2)}`);
    const heading = one ? `${one.name}, ${Math.round((100 * layers.confidence[at]) / 255)} % sure` : "no class";
    chip.style.background = one ? one.hex : "none";
    text.textContent = weights.length ? `${heading}; attention at ${weights.join(", at ")}` : heading;
    return text.textContent;
  };
  const place_of = (event) => {
    const box = find("stage").getBoundingClientRect();
    const bound = (value, most) => Math.min(most - 1, Math.max(0, Math.floor(value * most)));
    return { x: bound((event.clientX - box.left) / box.width, layers.width), y: bound((event.clientY - box.top) / box.height, layers.height) };
  };
  let drags = null;
  let pointed = null; // where the pointer rests over the picture
  const stage = find("stage");
  stage.addEventListener("pointerdown", (event) => { if (event.button === 0 && layers) drags = { x: event.clientX, moved: false }; });
  stage.addEventListener("pointermove", (event) => {
    pointed = { clientX: event.clientX, clientY: event.clientY };
    if (!layers) return;
    if (drags && (drags.moved || Math.abs(event.clientX - drags.x) > 4)) {
      if (!drags.moved) stage.setPointerCapture(event.pointerId);
      drags.moved = true;
      const box = stage.getBoundingClientRect();
      wipe((100 * (event.clientX - box.left)) / box.width);
    }
    read(place_of(event));
  });
  for (const kind of ["pointerup", "pointercancel"]) {
    stage.addEventListener(kind, (event) => {
      if (layers && kind === "pointerup") read(place_of(event)); // also where a finger taps
      drags = null;
    });
  }
  stage.addEventListener("pointerleave", () => { pointed = null; });
  stage.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step || !layers || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const { width, height } = layers;
    const far = event.shiftKey ? 1 : Math.max(1, Math.round(Math.max(width, height) / 50));
    cross = cross ?? { x: Math.floor(width / 2), y: Math.floor(height / 2) };
    cross = { x: Math.min(width - 1, Math.max(0, cross.x + far * step[0])), y: Math.min(height - 1, Math.max(0, cross.y + far * step[1])) };
    find("cross").hidden = false;
    find("cross").style.left = `${(100 * (cross.x + 0.5)) / width}%`;
    find("cross").style.top = `${(100 * (cross.y + 0.5)) / height}%`;
    say(read(cross));
  });
  stage.addEventListener("blur", () => { find("cross").hidden = true; cross = null; });
  find("wipe").addEventListener("input", (event) => wipe(event.target.value));
  find("alpha").addEventListener("input", () => {
    OVER[layer === "prediction" ? "prediction" : "heat"] = Number(find("alpha").value);
    paint();
  });
  find("frame").addEventListener("input", () => {
    chosen.frame = Number(find("frame").value);
    open(chosen);
  });
  begin();
})();
