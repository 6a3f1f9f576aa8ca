// The console works without this file; it adds the live feed, buttons that copy, and questions.
"use strict";

const MOST_ROWS = 50;

function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content.querySelector("tr");
}

// The server does not know the names of receivers that this page shows.
function name(row) {
  const cell = row.querySelector("[data-receiver]");
  const option = document.querySelector(`select[name=receiver] option[value="${cell.dataset.receiver}"]`);
  if (option) cell.querySelector("a").textContent = option.textContent;
}

// Whoever has moved to a link of the row with the keyboard stays at it.
function replace(old, row) {
  const at = [...old.querySelectorAll("a")].indexOf(document.activeElement);
  old.replaceWith(row);
  if (at >= 0) row.querySelectorAll("a")[at]?.focus({ preventScroll: true });
}

function take(event) {
  const row = parse(event.detail.data);
  if (!row) return;
  const rows = document.getElementById("rows");
  if (rows) {
    name(row);
    const old = document.getElementById(row.id);
    if (old) replace(old, row);
    else if (rows.hasAttribute("data-live")) {
      rows.prepend(row);
      row.classList.add("new");
      while (rows.rows.length > MOST_ROWS) rows.lastElementChild.remove();
      document.querySelector(".empty")?.remove();
    }
  }
  document.querySelectorAll(`[data-delivery="${row.id}"], [data-any-delivery]`).forEach(moved);
}

const held = new Set();

// What somebody types or has opened is not taken away: such a part is shown anew once they leave it.
function moved(part) {
  const active = document.activeElement;
  if (part.contains(active) && active.tagName !== "BUTTON") {
    held.add(part);
  } else {
    held.delete(part);
    htmx.trigger(part, "moved");
  }
}

function live(on) {
  const mark = document.getElementById("live");
  if (mark) mark.hidden = !on;
}

function prepare(root) {
  root.querySelectorAll("[data-copy]").forEach((button) => {
    button.hidden = !navigator.clipboard;
  });
  root.querySelectorAll("[data-submit-on-change]").forEach((form) => {
    form.querySelector("button").hidden = true;
  });
}

document.addEventListener("row", take);
document.addEventListener("focusout", () => setTimeout(() => held.forEach(moved)));
document.addEventListener("htmx:sse:after:connection", () => live(true));
document.addEventListener("htmx:sse:close", () => live(false));
document.addEventListener("htmx:sse:error", () => live(false));
document.addEventListener("htmx:after:swap", () => prepare(document));
document.addEventListener("change", (event) => {
  event.target.closest("[data-submit-on-change]")?.requestSubmit();
});
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
  button.textContent = "Copied";
});
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});
prepare(document);
