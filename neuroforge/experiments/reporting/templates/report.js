"use strict";
(() => {
  const allPairs = document.getElementById("all-pairs");
  if (allPairs) {
    const section = document.getElementById("differences");
    allPairs.addEventListener("change", () => section.classList.toggle("every", allPairs.checked));
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
