// What the page does: rows loaded one by one, verdicts given by key or button, each one saved before the next row comes.

import { $, alertText, element, reasonText, showFigures, showRow, showWords, state, statusText, words } from "./view.js";

// --- the server

class Lost extends Error {}

async function ask(path, body) {
  const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  let answer;
  try {
    const response = await fetch(path, options);
    answer = await response.json();
  } catch {
    throw new Lost();
  }
  if (answer.error !== undefined) throw new Error(answer.error);
  return answer;
}

// Runs `attempt` until it succeeds or is given up: what was to be saved is never dropped without a word.
async function surely(attempt, message) {
  state.busy = true;
  try {
    await attempt();
    state.retry = null;
    if (state.mode === "failed") setMode("judge");
    alertText("");
  } catch (error) {
    state.retry = error instanceof Lost ? () => surely(attempt, message) : null;
    setMode(state.retry ? "failed" : "judge");
    alertText(error instanceof Lost ? words()[message] : error.message);
  } finally {
    state.busy = false;
  }
}

function save(path, sent, say) {
  const body = { ...sent, request: crypto.randomUUID() };
  localStorage.setItem("unsaved", JSON.stringify({ path, body }));
  statusText(words().saving);
  return surely(async () => {
    let answer;
    try {
      answer = await ask(path, body);
    } catch (error) {
      // What the server refused is no verdict; what did not reach it is kept, also for the next time the page is opened.
      if (!(error instanceof Lost)) localStorage.removeItem("unsaved");
      statusText("");
      throw error;
    }
    localStorage.removeItem("unsaved");
    take(answer);
    const next = path === "/api/undo" ? answer.place : following(answer.place);
    const done = state.data.items.every((item) => item.mine);
    await load(next);
    statusText(done && path !== "/api/undo" ? `${say} ${words().done}` : say);
  }, "lost");
}

function take(answer) {
  state.data.items[answer.place].mine = answer.mine;
  state.data.gates = answer.gates;
  state.data.agreements = answer.agreements;
  showFigures();
}

// The next row without a verdict after `place`, around the end; the row itself when there is none.
function following(place) {
  const items = state.data.items;
  for (let step = 1; step <= items.length; step++) {
    const next = (place + step) % items.length;
    if (!items[next].mine) return next;
  }
  return place;
}

async function load(place) {
  state.row = await ask(`/api/rows/${place}`);
  state.place = place;
  state.begun = {};
  $("note").value = state.row.mine?.note ?? "";
  setMode("judge");
  showRow();
  window.scrollTo(0, 0);
  $("row").focus({ preventScroll: true });
}

function go(step) {
  const all = state.data.items.length;
  return surely(async () => {
    await load((state.place + step + all) % all);
    statusText("");
  }, "lostRow");
}

function setMode(mode) {
  const within = $("actions").contains(document.activeElement);
  state.mode = mode;
  showActions();
  if (within) $("row").focus({ preventScroll: true });
}

// Label, key and effect of every button of the present mode.
function choices() {
  const w = words();
  const pair = state.row?.answers.length > 1;
  switch (state.mode) {
    case "reason":
    case "note":
      return state.data.reasons.filter((reason) => reason.key).map((reason) => [reason[state.language], reason.key, () => chooseReason(reason.name)]);
    case "side":
      return [[w.left, "1", () => openEditor(0)], [w.right, "2", () => openEditor(1)]];
    case "failed":
      return [];
    default: {
      const verdicts = pair
        ? [[w.leftBetter, "1", () => judge("first")], [w.rightBetter, "2", () => judge("second")], [w.equal, "3", () => judge("equal")],
          [w.bothBad, "4", () => begin("reject")]]
        : [[w.accept, "a", () => judge("accept")], [w.reject, "r", () => begin("reject")]];
      return [...verdicts, [w.fix, "f", () => begin("fix")], [w.undo, "u", undo], [w.previous, "k", () => go(-1)], [w.next, "j", () => go(1)]];
    }
  }
}

function showActions() {
  if (!state.data) return;
  const asked = { reason: words().why[state.begun.action], note: words().needsNote, side: words().side }[state.mode];
  const buttons = choices().map(([label, key, effect]) => {
    const button = element("button", `${label} `, { type: "button", "aria-keyshortcuts": key });
    button.append(element("kbd", key));
    button.addEventListener("click", () => { if (!state.busy) effect(); });
    return button;
  });
  $("actions").setAttribute("aria-label", asked ?? words().verdict);
  $("actions").className = `bar ${state.mode}`;
  $("actions").replaceChildren(...buttons);
  $("status").className = asked ? "asked" : "";
  if (asked) statusText(asked);
}

// --- verdicts

function judge(action, more = {}) {
  const said = words().actions[action] + (more.reason ? `: ${reasonText(more.reason)}` : "");
  const sent = { place: state.place, content_key: state.row.content_key, action, note: $("note").value, ...more };
  return save("/api/verdicts", sent, words().saved(said));
}

function undo() {
  return save("/api/undo", {}, words().undone);
}

function begin(action) {
  state.begun = { action };
  alertText("");
  setMode("reason");
}

function cancel() {
  if (state.mode === "failed") {
    localStorage.removeItem("unsaved");
    state.retry = null;
  }
  state.begun = {};
  alertText("");
  statusText("");
  setMode("judge");
}

function chooseReason(reason) {
  state.begun.reason = reason;
  if (reason === "other" && !$("note").value.trim()) {
    setMode("note");
    $("note").focus();
    return;
  }
  if (state.begun.action === "reject") judge("reject", { reason });
  else if (state.row.answers.length > 1) setMode("side");
  else openEditor(0);
}

function openEditor(side) {
  state.begun.from = side;
  const mine = state.row.mine;
  $("corrected").value = mine?.action === "fix" ? mine.corrected : state.row.answers[side].source;
  $("corrected").lang = state.row.language;
  $("editor-alert").textContent = "";
  $("editor").showModal();
  $("corrected").focus();
  $("corrected").setSelectionRange(0, 0);
}

function saveCorrection() {
  const corrected = $("corrected").value;
  // A textarea has no carriage returns: a text that differs in them alone was not changed.
  const unchanged = (text) => text.replace(/\r\n?/g, "\n") === corrected;
  if (!corrected.trim() || state.row.answers.some((answer) => unchanged(answer.source))) {
    $("editor-alert").textContent = words().sameText;
    return;
  }
  const { reason } = state.begun;
  $("editor").close("saved");
  judge("fix", { reason, corrected });
}

// --- keys

// The key as its label on a Latin keyboard: with a Chinese input method on, the event may tell only which key it was.
function keyOf(event) {
  if (event.key.length === 1 && event.key.charCodeAt(0) < 128) return event.key.toLowerCase();
  const place = /^(?:Key|Digit)(\w)$/.exec(event.code);
  if (place && (event.key.length === 1 || event.key === "Process")) return place[1].toLowerCase();
  return event.code === "Slash" && event.shiftKey ? "?" : event.key;
}

const STEPS = { j: 1, ArrowRight: 1, k: -1, ArrowLeft: -1 };

// What changes no row, and so needs not wait.
const TOGGLES = { g: toggleReasoning, s: toggleSource, n: () => $("note").focus(), l: toggleLanguage, "?": openHelp };

function pressed(event) {
  if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const key = keyOf(event);
  if (event.target === $("note")) {
    if (key === "Enter") leaveNote(event);
    else if (key === "Escape") { event.preventDefault(); cancel(); $("row").focus({ preventScroll: true }); }
    return;
  }
  const onControl = event.target.closest?.("button, summary, a, input, textarea") !== null;
  if (key === "Escape") cancel();
  else if (key === "Enter" && state.retry && !onControl) state.retry();
  else if (state.row !== null && !event.repeat) {
    const effect = effectOf(key, event.target);
    if (effect === undefined) return;
    event.preventDefault();
    effect();
  }
}

function effectOf(key, target) {
  if (state.mode === "judge" && key in TOGGLES) return TOGGLES[key];
  // A key that comes while a row is on its way was meant for the row before.
  if (state.busy) return undefined;
  const choice = choices().find(([, name]) => name === key);
  if (choice) return choice[2];
  if (state.mode !== "judge") return undefined;
  // Arrow keys scroll what scrolls.
  if (key in STEPS && !target.closest?.(".scrolls")) return () => go(STEPS[key]);
  return state.row.answers.length > 1 && (key === "a" || key === "r") ? () => statusText(words().pairOnly) : undefined;
}

function leaveNote(event) {
  event.preventDefault();
  if (state.mode === "note") {
    if ($("note").value.trim()) { state.mode = "reason"; chooseReason("other"); }
    return;
  }
  $("row").focus({ preventScroll: true });
}

function toggleReasoning() {
  const folds = [...document.querySelectorAll("details.think")];
  const open = folds.some((fold) => !fold.open);
  for (const fold of folds) fold.open = open;
}

function toggleSource() {
  state.source = !state.source;
  showRow();
  statusText(state.source ? words().source : "");
}

function toggleLanguage() {
  state.language = state.language === "en" ? "zh" : "en";
  localStorage.setItem("language", state.language);
  showWords();
  showActions();
}

function openHelp() { $("help").showModal(); }

document.addEventListener("keydown", pressed);
$("language").addEventListener("click", toggleLanguage);
$("help-button").addEventListener("click", openHelp);
$("help-close").addEventListener("click", () => $("help").close());
$("editor-save").addEventListener("click", saveCorrection);
$("editor-cancel").addEventListener("click", () => $("editor").close());
$("editor").addEventListener("close", () => {
  if ($("editor").returnValue !== "saved") cancel();
  $("editor").returnValue = "";
});
$("corrected").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) {
    event.preventDefault();
    saveCorrection();
  }
});

// --- the beginning

async function start() {
  showWords();
  showActions();
  // The token is in a cookie now, and has no business in the history.
  history.replaceState(null, "", "/");
  await surely(async () => {
    const left = JSON.parse(localStorage.getItem("unsaved") ?? "null");
    state.data = await ask("/api/state");
    if (left !== null && state.data.items.length > (left.body.place ?? 0)) {
      // A verdict that the server had not confirmed when the page was closed: the same request is saved once only.
      try {
        await ask(left.path, left.body);
        state.data = await ask("/api/state");
      } catch (error) {
        if (error instanceof Lost) throw error;
      }
    }
    localStorage.removeItem("unsaved");
    showFigures();
    const items = state.data.items;
    await load(Math.max(0, items.findIndex((item) => !item.mine)));
    if (items.every((item) => item.mine)) statusText(words().done);
  }, "lostRow");
}

start();
