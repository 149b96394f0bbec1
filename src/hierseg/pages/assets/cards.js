"use strict";
// The images' data, and an image's card.
const hierseg = (() => {
  const known = JSON.parse(document.getElementById("known").textContent);
  const SMALL = ["scale", "attention", "confidence"];
  const HEAT = ["attention", "confidence"];
  const classes = known.classes.map(([name, color]) => ({ name, color }));

  const read = (about) => {
    const { name, folder, file, size: [height, width], confidence, facts = [] } = about;
    const address = about.address ?? name;
    const all = about.panels.map((place) => {
      const [kind, caption, before, after] = known.panels[place];
      return { kind, caption, address: after === null ? before : before + address + after };
    });
    const pictures = all.filter((panel) => panel.kind !== "pixels");
    const isSmall = (panel) => SMALL.includes(panel.kind);
    const shares = new Map();
    for (let i = 0; i < about.shares.length; i += 2) {
      shares.set(classes[about.shares[i]].name, { ...classes[about.shares[i]], share: about.shares[i + 1] });
    }
    return {
      name, height, width, confidence, shares,
      source: known.folders[folder] + file,
      pixels: all.find((panel) => panel.kind === "pixels")?.address,
      large: pictures.filter((panel) => !isSmall(panel)),
      small: pictures.filter(isSmall),
      facts: [
        `${height}x${width}`,
        ...(confidence === undefined ? [] : [`confidence ${(confidence * 100).toFixed(1)} %`]),
        ...facts,
      ],
      get panels() {
        return [...this.large, ...this.small];
      },
    };
  };
  const images = known.images.map(read);

  // Names are inserted as text, never as HTML.
  const make = (tag, about, ...parts) => {
    const element = Object.assign(document.createElement(tag), about);
    element.append(...parts);
    return element;
  };
  const makeFigure = (panel, image) => {
    const what = `${image.name}: ${panel.caption}`;
    const picture = make("img", { alt: what, loading: "lazy", decoding: "async" });
    picture.style.aspectRatio = `${image.width} / ${image.height}`;
    picture.src = panel.address;
    const link = make("a", { href: panel.address, ariaLabel: `enlarge ${what}` }, picture);
    [link.dataset.kind, link.dataset.caption] = [panel.kind, panel.caption];
    const ramp = HEAT.includes(panel.kind) ? [make("span", { className: "ramp" }, make("i"))] : [];
    return make("figure", { className: panel.kind }, make("figcaption", {}, panel.caption, ...ramp), link);
  };
  const makePanels = (panels, image) =>
    panels.length === 0 ? [] : [make("div", { className: "panels" }, ...panels.map((one) => makeFigure(one, image)))];
  const makeBars = (image, chosen) => {
    const all = [...image.shares.values()];
    const largest = Math.max(...all.map((one) => one.share));
    return all.map(({ name, color, share }) => {
      const bar = make("b");
      bar.style.width = `${((share / largest) * 100).toFixed(1)}%`;
      bar.style.background = color;
      const row = make("li", { className: chosen.includes(name) ? "chosen" : "" }, make("span", {}, name), bar,
        make("small", {}, `${(share * 100).toFixed(1)} %`));
      row.dataset.class = name;
      return row;
    });
  };
  // The card of an image; the rows of chosen classes are highlighted.
  const makeCard = (image, chosen) => {
    const card = make("article", { className: "card" },
      make("header", {},
        make("h2", { title: image.source }, image.name),
        make("ul", { className: "facts" }, ...image.facts.map((fact) => make("li", {}, fact)))),
      make("div", { className: "body" },
        make("div", {}, ...makePanels(image.large, image), ...makePanels(image.small, image)),
        make("ol", { className: "shares", ariaLabel: "class shares" }, ...makeBars(image, chosen))));
    card.dataset.name = image.name;
    card.image = image;
    return card;
  };
  const lists = new Map(Object.entries(known.lists).map(([title, places]) => [title, places.map((i) => images[i])]));
  return { images, lists, labels: classes.slice(0, known.labels), make, makeCard };
})();
