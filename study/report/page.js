// Tables: a click on a heading sorts by it; numbers by size, what is no number last. Without scripts they are just tables.
"use strict";

const numberIn = (text) => {
  const found = text.replace(/,(?=\d{3})/g, "").match(/^[<>]?\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)/i);
  return found ? parseFloat(found[1]) : null;
};

const compare = (a, b) => {
  const [x, y] = [numberIn(a), numberIn(b)];
  if (x !== null && y !== null) return x - y;
  if (x !== null || y !== null) return x !== null ? -1 : 1;
  return a.localeCompare(b, "en", { numeric: true });
};

for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    heading.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      const text = (row) => row.cells[column].textContent.trim();
      const [empty, full] = [[], []];
      for (const row of body.rows) (text(row) === "" || text(row).startsWith("none") ? empty : full).push(row);
      full.sort((a, b) => (down ? compare(text(b), text(a)) : compare(text(a), text(b))));
      body.append(...full, ...empty);
      table.classList.add("sorted");
      headings.forEach((other) => other.setAttribute("aria-sort", "none"));
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    });
  });
}

// Paper shows everything.
const folded = () => document.querySelectorAll("details:not([open])");
let opened = [];
addEventListener("beforeprint", () => {
  opened = [...folded()];
  opened.forEach((part) => (part.open = true));
});
addEventListener("afterprint", () => opened.forEach((part) => (part.open = false)));
