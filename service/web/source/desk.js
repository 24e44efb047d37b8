// The desk's script. Every page works without it; with it, parts are exchanged instead of pages,
// files are sent one by one with their progress, and rows are added without asking the server.
import htmx from "htmx.org";

htmx.config.includeIndicatorStyles = false;
htmx.config.allowEval = false;
htmx.config.allowScriptTags = false;
htmx.config.selfRequestsOnly = true;
htmx.config.historyCacheSize = 0;
htmx.config.refreshOnHistoryMiss = true;
htmx.config.scrollBehavior = "auto";
// A refusal is a page too: what was typed, and what is wrong with it.
htmx.config.responseHandling = [
  { code: "204", swap: false },
  { code: "[23]..", swap: true },
  { code: "[45]..", swap: true },
];
const token = () => document.querySelector('meta[name="csrf-token"]')?.content ?? "";
document.addEventListener("htmx:configRequest", (event) => {
  event.detail.headers["X-CSRF-Token"] = token();
});
// A whole page of failure has none of the parts that were asked for: show all of it.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr } = event.detail;
  if (xhr.getResponseHeader("X-Page") === "failure") {
    event.detail.shouldSwap = true;
    event.detail.target = document.querySelector("main");
    event.detail.selectOverride = "main";
    event.detail.swapOverride = "outerHTML";
  }
});
document.addEventListener("htmx:sendError", () => {
  say("The service cannot be reached. Nothing was changed; try again in a moment.");
});

function say(text) {
  const place = document.querySelector("#said");
  if (!place) return;
  place.textContent = text;
  place.hidden = !text;
}

// What was open stays open when a part is exchanged, and what was focused keeps the focus.
let open = new Set();
let focused = null;
document.addEventListener("htmx:beforeSwap", () => {
  open = new Set([...document.querySelectorAll("details[id][open]")].map((one) => one.id));
  focused = document.activeElement?.id || null;
});
document.addEventListener("htmx:afterSettle", () => {
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focused && document.activeElement === document.body) {
    document.getElementById(focused)?.focus({ preventScroll: true });
  }
});

// A link to a field or part inside something closed opens it.
function reveal(id) {
  const target = id && document.getElementById(id);
  if (!target) return;
  for (let one = target; one; one = one.parentElement) {
    if (one.tagName === "DETAILS") one.open = true;
  }
  target.scrollIntoView({ block: "center" });
  if (target.matches("input, select, textarea, summary")) target.focus({ preventScroll: true });
}
addEventListener("hashchange", () => reveal(decodeURIComponent(location.hash.slice(1))));
addEventListener("DOMContentLoaded", () => reveal(decodeURIComponent(location.hash.slice(1))));
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#"]');
  if (link) {
    event.preventDefault();
    const id = decodeURIComponent(link.getAttribute("href").slice(1));
    history.replaceState(history.state, "", `#${id}`);
    reveal(id);
    return;
  }
  const add = event.target.closest("[data-add-row]");
  if (add) addRow(add);
  const choose = event.target.closest("[data-requirement]");
  if (choose) chooseRequirement(choose.dataset.requirement);
});

// One more empty row: the blank one's inputs, counted on.
function addRow(button) {
  const table = button.closest("[data-next-index]");
  const blanks = table.querySelectorAll(".row-card.blank");
  const last = blanks[blanks.length - 1];
  const index = Number(table.dataset.nextIndex) + blanks.length;
  const copy = last.cloneNode(true);
  for (const one of copy.querySelectorAll("[name], [id], [for]")) {
    for (const attribute of ["name", "id", "for"]) {
      const value = one.getAttribute(attribute);
      if (value) one.setAttribute(attribute, value.replace(/\[\d+\]/, `[${index}]`));
    }
    if (one.matches("input:not([type=checkbox]), textarea")) one.value = "";
  }
  last.after(copy);
  copy.querySelector("input, select, textarea")?.focus();
}

function chooseRequirement(key) {
  const select = document.querySelector("#shows");
  if (!select) return;
  select.value = key;
  reveal("shows");
}

// Files are sent one after the other, each with its own bar; then the part is fetched anew.
function wanted(form) {
  const list = form.querySelector(".uploads");
  const input = form.querySelector("input[type=file]");
  return { list, input };
}
document.addEventListener("submit", (event) => {
  const form = event.target.closest("form[data-upload]");
  if (!form) return;
  event.preventDefault();
  const { input } = wanted(form);
  if (input.files.length) send(form, [...input.files]);
  else input.focus();
});
document.addEventListener("change", (event) => {
  const form = event.target.closest("form[data-upload]");
  if (form && event.target.matches("input[type=file]") && event.target.files.length) {
    send(form, [...event.target.files]);
  }
});
for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    const form = event.target.closest?.("form[data-upload]");
    if (!form) return;
    event.preventDefault();
    form.classList.toggle("over", kind === "dragenter" || kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files.length) send(form, [...event.dataTransfer.files]);
  });
}
async function send(form, files) {
  const { list, input } = wanted(form);
  if (form.dataset.busy) return;
  form.dataset.busy = "yes";
  const fields = [...new FormData(form)].filter(([name]) => name !== "files");
  list.replaceChildren();
  const lines = files.map((file) => line(list, file));
  let refused = 0;
  for (const [index, file] of files.entries()) {
    const { bar, said, item } = lines[index];
    const answer = await post(form.action, fields, file, (share) => {
      bar.value = share;
      said.textContent = share < 1 ? `${Math.round(share * 100)} %` : "being checked";
    });
    bar.value = 1;
    if (answer.ok) {
      said.textContent = "there";
      bar.classList.add("full");
    } else {
      refused += 1;
      said.textContent = "not taken";
      const why = document.createElement("p");
      why.className = "wrong";
      why.textContent = answer.text;
      item.append(why);
    }
  }
  input.value = "";
  delete form.dataset.busy;
  // What was refused stays on the page until the person has read it.
  const keep = refused ? list.cloneNode(true) : null;
  await htmx.ajax("GET", location.pathname, {
    target: "#work-order",
    select: "#work-order",
    swap: "outerHTML show:none",
  });
  const place = document.querySelector("form[data-upload] .uploads");
  if (keep && place) place.replaceWith(keep);
}
function line(list, file) {
  const item = document.createElement("li");
  const name = document.createElement("span");
  name.className = "name";
  name.textContent = file.name;
  const bar = document.createElement("progress");
  bar.className = "bar work";
  bar.max = 1;
  bar.value = 0;
  bar.setAttribute("aria-label", file.name);
  const said = document.createElement("span");
  said.className = "said soft";
  said.textContent = "waits";
  item.append(name, bar, said);
  list.append(item);
  return { item, bar, said };
}
function post(url, fields, file, progress) {
  return new Promise((resolve) => {
    const body = new FormData();
    for (const [name, value] of fields) body.append(name, value);
    body.append("files", file);
    const xhr = new XMLHttpRequest();
    xhr.open("POST", url);
    xhr.setRequestHeader("X-CSRF-Token", token());
    xhr.setRequestHeader("Accept", "application/json");
    xhr.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) progress(event.loaded / event.total);
    });
    xhr.addEventListener("loadend", () => {
      let text = "The service cannot be reached. Try again in a moment.";
      let ok = xhr.status >= 200 && xhr.status < 300;
      try {
        const answer = JSON.parse(xhr.responseText);
        if (!ok) text = [answer.title, answer.detail].filter(Boolean).join(": ");
        else if (answer.refused?.length) {
          ok = false;
          text = answer.refused[0];
        }
      } catch {
        if (xhr.status) text = `The service answered ${xhr.status}.`;
      }
      resolve({ ok, text });
    });
    xhr.send(body);
  });
}
