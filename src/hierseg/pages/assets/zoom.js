"use strict";
// Zooms enlarged pictures by wheel, pinch, buttons and keys. A picture larger than the window can
// be dragged.
(() => {
  const find = (id) => document.getElementById(id);
  const stage = find("stage");
  const LARGEST = 40;
  let [factor, left, top] = [1, 0, 0];
  const fingers = new Map();

  const show = () => {
    const { width, height } = stage.getBoundingClientRect();
    left = Math.min(0, Math.max(width * (1 - factor), left));
    top = Math.min(0, Math.max(height * (1 - factor), top));
    find("zoomed").style.transform = `translate(${left}px, ${top}px) scale(${factor})`;
    stage.classList.toggle("moves", factor > 1);
    stage.classList.toggle("pixels", factor >= 4);
    find("zoom-fit").textContent = `${factor < 10 ? Math.round(factor * 10) / 10 : Math.round(factor)}\u00d7`;
  };
  // The point of the picture at (x, y) stays in place.
  const zoom = (by, x, y) => {
    const next = Math.min(LARGEST, Math.max(1, factor * by));
    left = x - ((x - left) * next) / factor;
    top = y - ((y - top) * next) / factor;
    factor = next;
    show();
  };
  const reset = () => {
    [factor, left, top] = [1, 0, 0];
    show();
  };
  const middle = (by) => zoom(by, stage.clientWidth / 2, stage.clientHeight / 2);
  const place = (event) => {
    const box = stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const apart = () => {
    const [[a, b], [c, d]] = [...fingers.values()];
    return Math.hypot(a - c, b - d);
  };

  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoom(Math.exp(-Math.max(-200, Math.min(200, event.deltaY)) * 0.002), ...place(event));
  }, { passive: false });
  stage.addEventListener("dblclick", (event) => (factor > 1 ? reset() : zoom(3, ...place(event))));
  stage.addEventListener("pointerdown", (event) => {
    fingers.set(event.pointerId, place(event));
    if (factor > 1) stage.setPointerCapture(event.pointerId);
  });
  stage.addEventListener("pointermove", (event) => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const [x, y] = place(event);
    if (fingers.size === 2) {
      const was = apart();
      fingers.set(event.pointerId, [x, y]);
      if (was > 0) zoom(apart() / was, ...[0, 1].map((i) => [...fingers.values()].reduce((sum, p) => sum + p[i] / 2, 0)));
    } else {
      fingers.set(event.pointerId, [x, y]);
      if (factor === 1) return;
      left += x - before[0];
      top += y - before[1];
      show();
    }
  });
  for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
    stage.addEventListener(end, (event) => fingers.delete(event.pointerId));
  }
  find("zoom-in").addEventListener("click", () => middle(1.5));
  find("zoom-out").addEventListener("click", () => middle(1 / 1.5));
  find("zoom-fit").addEventListener("click", reset);
  find("viewer").addEventListener("step", reset);
  addEventListener("resize", show);
  document.addEventListener("keydown", (event) => {
    if (!find("viewer").open || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "=") middle(1.5);
    else if (event.key === "-") middle(1 / 1.5);
    else if (event.key === "0") reset();
    else return;
    event.preventDefault();
  });
})();
