"use strict";
// Everything is readable without this: it sorts, filters and copies.
(() => {
  const table = document.querySelector(".overview");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    const value = cell.dataset.value ?? cell.textContent.trim();
    return value !== "" && !Number.isNaN(Number(value)) ? Number(value) : value.toLowerCase();
  };
  const compare = (a, b) => (typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1);

  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const order = rows.toSorted((a, b) => compare(valueOf(a, column), valueOf(b, column)));
      body.append(...(down ? order.reverse() : order));
    });
  });

  const form = document.querySelector(".filter");
  form.hidden = rows.length < 2;
  const filter = () => {
    const text = form.elements.text.value.toLowerCase();
    const status = form.elements.status.value;
    let shown = 0;
    for (const row of rows) {
      const fits = (!status || row.dataset.status === status) && row.textContent.toLowerCase().includes(text);
      row.hidden = !fits;
      document.querySelector(row.querySelector("a").getAttribute("href")).hidden = !fits;
      shown += fits;
    }
    form.querySelector("output").textContent = `${shown} of ${rows.length} shown`;
  };
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());

  const openTarget = () => {
    const target = document.getElementById(location.hash.slice(1));
    for (let e = target; e; e = e.parentElement) if (e instanceof HTMLDetailsElement) e.open = true;
  };
  addEventListener("hashchange", openTarget);
  openTarget();

  for (const button of document.querySelectorAll(".copy")) {
    const code = button.parentElement.querySelector("code");
    button.hidden = false;
    button.addEventListener("click", async () => {
      getSelection().selectAllChildren(code);
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Selected: copy it";
      }
    });
  }
})();
