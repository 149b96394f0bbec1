"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const cards = [...document.querySelectorAll(".card")];
  const classes = [...document.querySelectorAll("button.class")];
  const shares = new Map(cards.map((card) => [card, JSON.parse(card.dataset.shares)]));
  const ranks = new Map(cards.map((card) => [card, JSON.parse(card.dataset.ranks ?? "{}")]));
  const place = new Map(cards.map((card, index) => [card, index]));
  const TOGETHER = 60; // cards that are added at a time
  let matching = cards;
  let there = 0;
  const list = find("list");
  const chosen = () => classes.filter((b) => b.ariaPressed === "true").map((b) => b.dataset.class);

  // Filter and order -------------------------------------------------------------------------
  const apply = () => {
    const names = chosen();
    const named = list?.value ?? "";
    const text = find("search").value.trim().toLowerCase();
    const matches = (card) =>
      names.every((name) => name in shares.get(card)) &&
      (named === "" || named in ranks.get(card)) &&
      card.dataset.name.toLowerCase().includes(text);
    matching = cards.filter(matches);
    const shown = matching.length;
    const narrowed = names.length > 0 || text !== "" || named !== "";
    const all = cards.length === 1 ? "1 image" : `${cards.length} images`;
    find("shown").textContent = narrowed ? `${shown} of ${all}` : all;
    find("none").hidden = shown > 0 || cards.length === 0;
    find("clear").hidden = !narrowed;
    const share = (card) => names.reduce((sum, name) => sum + (shares.get(card)[name] ?? 0), 0);
    const orders = {
      given: (a, b) =>
        (ranks.get(a)[named] ?? 0) - (ranks.get(b)[named] ?? 0) || place.get(a) - place.get(b),
      confidence: (a, b) => a.dataset.confidence - b.dataset.confidence,
      share: (a, b) => share(b) - share(a),
    };
    matching.sort(orders[find("order").value]);
    find("cards").replaceChildren();
    there = 0;
    more();
  };
  // Cards of thousands of images would take a browser minutes: they come as the page is scrolled.
  const more = () => {
    const names = chosen();
    const next = matching.slice(there, there + TOGETHER);
    for (const card of next) {
      for (const row of card.querySelectorAll(".shares li")) {
        row.classList.toggle("chosen", names.includes(row.dataset.class));
      }
    }
    find("cards").append(...next);
    there += next.length;
    find("more").hidden = there >= matching.length;
  };
  new IntersectionObserver(
    (seen) => seen.some((one) => one.isIntersecting) && more(),
    { rootMargin: "1500px" },
  ).observe(find("more"));
  for (const button of classes) {
    button.addEventListener("click", () => {
      button.ariaPressed = String(button.ariaPressed !== "true");
      apply();
    });
  }
  find("search").addEventListener("input", apply);
  find("order").addEventListener("change", apply);
  list?.addEventListener("change", apply);
  find("clear").addEventListener("click", () => {
    for (const button of classes) button.ariaPressed = "false";
    find("search").value = "";
    if (list) list.value = "";
    apply();
    find("search").focus();
  });
  const compact = (on) => {
    find("compact").ariaPressed = String(on);
    find("cards").classList.toggle("compact", on);
  };
  find("compact").addEventListener("click", () => compact(find("compact").ariaPressed !== "true"));
  compact(cards.length > 40);
  // A browser may keep what was typed and chosen when the page is loaded again.
  find("search").value = "";
  find("order").value = "given";
  if (list) list.value = "";
  if (cards.length > TOGETHER) apply();

  // Enlarged pictures ------------------------------------------------------------------------
  const viewer = find("viewer");
  let card = null;
  let kind = 0;
  const links = () => [...card.querySelectorAll("figure a")];
  const visible = () => matching;

  const wipe = (percent) => {
    find("wipe").value = percent;
    find("over").style.clipPath = `inset(0 0 0 ${percent}%)`;
  };
  const show = () => {
    viewer.card = card;
    while (!card.isConnected && there < matching.length) more();
    const all = links();
    kind = Math.min(kind, all.length - 1);
    const base = all.find((link) => link.dataset.kind === "image") ?? all[0];
    if (find("viewer-name").textContent !== card.dataset.name) viewer.dispatchEvent(new Event("step"));
    find("viewer-name").textContent = card.dataset.name;
    find("under").src = base.href;
    find("over").src = all[kind].href;
    find("over").dataset.caption = all[kind].dataset.caption;
    find("over").dataset.kind = all[kind].dataset.kind;
    find("over").alt = all[kind].getAttribute("aria-label").replace(/^enlarge /, "");
    find("wipe-name").textContent = all[kind].dataset.caption;
    find("viewer").querySelector(".wipe").style.visibility = all[kind] === base ? "hidden" : "";
    const tabs = find("viewer-tabs");
    const focused = tabs.contains(document.activeElement);
    tabs.replaceChildren(
      ...all.map((link, index) => {
        const tab = document.createElement("button");
        tab.type = "button";
        tab.textContent = link.dataset.caption;
        tab.ariaPressed = String(index === kind);
        tab.addEventListener("click", () => choose(index));
        return tab;
      }),
    );
    if (focused) tabs.children[kind].focus(); // a button that is taken away takes it along
  };
  const choose = (index) => {
    kind = index;
    show();
    find("viewer-tabs").children[kind]?.focus();
  };
  const step = (by) => {
    const all = visible();
    card = all[(all.indexOf(card) + by + all.length) % all.length];
    show();
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.(".card figure a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    card = link.closest(".card");
    kind = links().indexOf(link);
    wipe(0);
    show();
    viewer.dispatchEvent(new Event("step"));
    viewer.showModal();
    find("viewer-tabs").children[kind].focus();
  });
  find("previous").addEventListener("click", () => step(-1));
  find("next").addEventListener("click", () => step(1));
  find("close").addEventListener("click", () => viewer.close());
  viewer.addEventListener("close", () => links()[kind]?.focus());
  find("wipe").addEventListener("input", (event) => wipe(event.target.value));
  // Of the whole document: keys reach it wherever the focus is, also where nothing has it.
  document.addEventListener("keydown", (event) => {
    if (!viewer.open || event.ctrlKey || event.metaKey || event.altKey) return;
    const slides = event.target === find("wipe");
    if (event.key === "ArrowRight" && !slides) step(1);
    else if (event.key === "ArrowLeft" && !slides) step(-1);
    else if (/^[1-9]$/.test(event.key) && links()[event.key - 1]) choose(event.key - 1);
    else return;
    event.preventDefault();
  });
  const drag = (event) => {
    if (!(event.buttons & 1) || find("stage").classList.contains("moves")) return;
    const box = find("stage").getBoundingClientRect();
    wipe(Math.max(0, Math.min(100, ((event.clientX - box.left) / box.width) * 100)));
  };
  find("stage").addEventListener("pointerdown", drag);
  find("stage").addEventListener("pointermove", drag);
})();
