"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const { images, lists, make, makeCard } = hierseg;
  const main = find("cards");
  const tools = document.querySelector(".tools");
  const classes = [...document.querySelectorAll("button.class")];
  const list = find("list");
  let matching = images;
  const chosen = () => classes.filter((b) => b.ariaPressed === "true").map((b) => b.dataset.class);

  // Cards: those near the screen -------------------------------------------------------------
  // Cards are in batches. A batch far from the screen is an empty box with the height of its cards,
  // known or estimated, so that thousands of images scroll as fast as a few.
  const TOGETHER = 24; // fills rows of 1, 2, 3 and 4
  let batches = [];
  const fill = (batch) => {
    if (batch.childElementCount > 0) return;
    const names = chosen();
    batch.append(...batch.images.map((image) => makeCard(image, names)));
    batch.style.height = "";
  };
  const empty = (batch) => {
    if (batch.childElementCount === 0 || batch.contains(document.activeElement)) return;
    batch.style.height = `${batch.offsetHeight}px`;
    batch.replaceChildren();
  };
  const near = new IntersectionObserver(
    (seen) => {
      for (const one of seen) (one.isIntersecting ? fill : empty)(one.target);
    },
    { rootMargin: "1500px 0px" },
  );
  // Estimates the heights of empty batches from one that is filled.
  const size = () => {
    const filled = batches.find((batch) => batch.childElementCount > 0);
    if (!filled) return;
    const each = filled.offsetHeight / filled.images.length;
    for (const batch of batches) {
      if (batch.childElementCount === 0) batch.style.height = `${each * batch.images.length}px`;
    }
  };
  const lay = () => {
    near.disconnect();
    batches = [];
    for (let i = 0; i < matching.length; i += TOGETHER) {
      const batch = make("div", { className: "batch" });
      batch.images = matching.slice(i, i + TOGETHER);
      batches.push(batch);
    }
    main.replaceChildren(...batches);
    if (batches.length > 0) fill(batches[0]);
    size();
    for (const batch of batches) near.observe(batch);
  };
  const findCard = (image) => {
    const place = matching.indexOf(image);
    const batch = batches[Math.floor(place / TOGETHER)];
    if (!batch) return null;
    fill(batch);
    return batch.children[place % TOGETHER];
  };
  addEventListener("resize", size);
  addEventListener("beforeprint", () => batches.forEach(fill));
  addEventListener("afterprint", () => {
    for (const batch of batches) {
      near.unobserve(batch); // observing again reports each batch once, wherever it is
      near.observe(batch);
    }
  });

  // Filter and order -------------------------------------------------------------------------
  const apply = () => {
    const names = chosen();
    const named = list?.value ?? "";
    const text = find("search").value.trim().toLowerCase();
    const matches = (image) =>
      names.every((name) => image.shares.has(name)) && image.name.toLowerCase().includes(text);
    matching = (named === "" ? images : lists.get(named)).filter(matches);
    const shown = matching.length;
    const narrowed = names.length > 0 || text !== "" || named !== "";
    const all = images.length === 1 ? "1 image" : `${images.length} images`;
    find("shown").textContent = narrowed ? `${shown} of ${all}` : all;
    find("none").hidden = shown > 0 || images.length === 0;
    find("clear").hidden = !narrowed;
    const share = (image) => names.reduce((sum, name) => sum + image.shares.get(name).share, 0);
    const orders = {
      given: () => 0, // the order of the list, or of all images
      confidence: (a, b) => (a.confidence ?? 1) - (b.confidence ?? 1),
      share: (a, b) => share(b) - share(a),
    };
    matching.sort(orders[find("order").value]);
    lay();
    // If the first cards are scrolled away, scroll back to them, below the tools.
    const hidden = main.getBoundingClientRect().top - tools.offsetHeight;
    if (hidden < 0 && scrollY > 0) scrollBy(0, hidden);
  };
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
    main.classList.toggle("compact", on);
    size();
  };
  find("compact").addEventListener("click", () => compact(find("compact").ariaPressed !== "true"));
  compact(images.length > 40);
  // A browser may keep what was typed and chosen when it reloads the page.
  find("search").value = "";
  find("order").value = "given";
  if (list) list.value = "";
  lay();

  // Enlarged pictures ------------------------------------------------------------------------
  const viewer = find("viewer");
  let image = null;
  let kind = 0;

  const wipe = (percent) => {
    find("wipe").value = percent;
    find("over").style.clipPath = `inset(0 0 0 ${percent}%)`;
  };
  const show = () => {
    if (viewer.image !== image) viewer.dispatchEvent(new Event("step"));
    viewer.image = image;
    const all = image.panels;
    kind = Math.min(kind, all.length - 1);
    const base = all.find((panel) => panel.kind === "image") ?? all[0];
    find("viewer-name").textContent = image.name;
    find("under").src = base.address;
    find("over").src = all[kind].address;
    find("over").dataset.caption = all[kind].caption;
    find("over").dataset.kind = all[kind].kind;
    find("over").alt = `${image.name}: ${all[kind].caption}`;
    find("wipe-name").textContent = all[kind].caption;
    find("viewer").querySelector(".wipe").style.visibility = all[kind] === base ? "hidden" : "";
    const tabs = find("viewer-tabs");
    const focused = tabs.contains(document.activeElement);
    tabs.replaceChildren(
      ...all.map((panel, index) => {
        const tab = document.createElement("button");
        tab.type = "button";
        tab.textContent = panel.caption;
        tab.ariaPressed = String(index === kind);
        tab.addEventListener("click", () => choose(index));
        return tab;
      }),
    );
    if (focused) tabs.children[kind].focus(); // the removed button had the focus
  };
  const choose = (index) => {
    kind = index;
    show();
    find("viewer-tabs").children[kind]?.focus();
  };
  const step = (by) => {
    image = matching[(matching.indexOf(image) + by + matching.length) % matching.length];
    show();
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.(".card figure a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const card = link.closest(".card");
    image = card.image;
    kind = [...card.querySelectorAll("figure a")].indexOf(link);
    wipe(0);
    show();
    viewer.dispatchEvent(new Event("step"));
    viewer.showModal();
    find("viewer-tabs").children[kind].focus();
  });
  find("previous").addEventListener("click", () => step(-1));
  find("next").addEventListener("click", () => step(1));
  find("close").addEventListener("click", () => viewer.close());
  viewer.addEventListener("close", () => findCard(image)?.querySelectorAll("figure a")[kind]?.focus());
  find("wipe").addEventListener("input", (event) => wipe(event.target.value));
  // On the document, so that keys work wherever the focus is, or if nothing has it.
  document.addEventListener("keydown", (event) => {
    if (!viewer.open || event.ctrlKey || event.metaKey || event.altKey) return;
    const slides = event.target === find("wipe");
    if (event.key === "ArrowRight" && !slides) step(1);
    else if (event.key === "ArrowLeft" && !slides) step(-1);
    else if (/^[1-9]$/.test(event.key) && image.panels[event.key - 1]) choose(event.key - 1);
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
