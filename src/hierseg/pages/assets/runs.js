"use strict";
// A run that is pointed at, in the table or in a chart, is highlighted everywhere.
const pick = (name) => {
  document.body.classList.toggle("faded", name !== null);
  for (const part of document.querySelectorAll("[data-run]")) {
    part.classList.toggle("picked", name !== null && part.dataset.run === name);
  }
};
for (const part of document.querySelectorAll("[data-run]")) {
  part.addEventListener("pointerenter", () => pick(part.dataset.run));
  part.addEventListener("pointerleave", () => pick(null));
}
// A click on a column's title sorts by it; a second click reverses the order.
const body = document.querySelector("tbody");
document.querySelectorAll("th button").forEach((button, column) => {
  let sign = 1;
  button.addEventListener("click", () => {
    const text = (row) => row.cells[column].textContent;
    const compare = (one, other) => {
      const [a, b] = [parseFloat(text(one)), parseFloat(text(other))];
      return Number.isNaN(a) || Number.isNaN(b) ? text(one).localeCompare(text(other)) : a - b;
    };
    [...body.rows].sort((one, other) => sign * compare(one, other)).forEach((row) => body.append(row));
    sign = -sign;
  });
});
