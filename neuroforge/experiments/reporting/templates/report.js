"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  const theme = document.getElementById("theme");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
  });

  const allPairs = document.getElementById("all-pairs");
  if (allPairs) {
    const section = document.getElementById("differences");
    allPairs.addEventListener("change", () => section.classList.toggle("every", allPairs.checked));
  }

  const valueOf = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.value ?? cell.textContent.trim();
    const number = Number.parseFloat(text.replace(/,/g, ""));
    return Number.isNaN(number) ? null : number;
  };
  const sortBy = (table, heading, column) => {
    const isUp = heading.getAttribute("aria-sort") !== "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", isUp ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows];
    rows.sort((one, other) => {
      const a = valueOf(one, column);
      const b = valueOf(other, column);
      if (a === null || b === null) return (a === null) - (b === null);
      return isUp ? a - b : b - a;
    });
    table.tBodies[0].append(...rows);
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((heading, column) => {
      if ("fixed" in heading.dataset) return;
      heading.tabIndex = 0;
      heading.addEventListener("click", () => sortBy(table, heading, column));
      heading.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          sortBy(table, heading, column);
        }
      });
    });
  }

  const form = document.getElementById("filter");
  const more = document.getElementById("more");
  let limit = 40;
  const items = [...document.querySelectorAll("details.item")].map((element) => {
    const marks = new Map();
    for (const mark of element.querySelectorAll("summary .mark")) {
      marks.set(mark.dataset.number, mark.dataset.score === "" ? null : Number(mark.dataset.score));
    }
    const failed = new Set([...element.querySelectorAll("summary .mark.failed")].map((mark) => mark.dataset.number));
    return { element, marks, failed, text: null };
  });
  const isShown = (item, asked) => {
    if (asked.dataset && item.element.dataset.dataset !== asked.dataset) return false;
    if (asked.text) {
      item.text ??= item.element.textContent.toLowerCase();
      if (!item.text.includes(asked.text)) return false;
    }
    if (!asked.outcome) return true;
    if (asked.outcome === "failed") return item.failed.has(asked.a) || item.failed.has(asked.b);
    const a = item.marks.get(asked.a) ?? null;
    const b = item.marks.get(asked.b) ?? null;
    if (a === null || b === null) return false;
    return { win: a > b, loss: a < b, tie: a === b }[asked.outcome];
  };
  const refresh = () => {
    const fields = form.elements;
    const asked = {
      a: fields.a?.value, b: fields.b?.value, outcome: fields.outcome?.value ?? "",
      dataset: fields.dataset.value, text: fields.text.value.trim().toLowerCase(),
    };
    let n = 0;
    for (const item of items) {
      const fits = isShown(item, asked);
      n += fits ? 1 : 0;
      item.element.hidden = !fits || n > limit;
    }
    fields.count.value = `${n} of ${items.length} fit`;
    more.hidden = n <= limit;
  };
  more.addEventListener("click", () => {
    limit = Infinity;
    refresh();
  });
  form.hidden = items.length === 0;
  form.addEventListener("input", refresh);
  form.addEventListener("submit", (event) => event.preventDefault());
  refresh();
})();
