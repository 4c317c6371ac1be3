// What the page shows. Texts of rows come rendered from the server, which is the only one that makes tags of them; everything else goes in as text,
// with the signs that could hide or turn it around shown by their number.

import { WORDS } from "./words.js";

export const $ = (id) => document.getElementById(id);

// `mode` is what is going on: judge, reason (of a rejection or fix), side (of a pair to start a fix from), note (one is missing), failed.
export const state = { mode: "judge", language: startLanguage(), data: null, place: 0, row: null, busy: true, begun: {}, retry: null, source: false };

export const words = () => WORDS[state.language];

function startLanguage() {
  return localStorage.getItem("language") ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
}

export function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

// As in rendering.py: controls, what has no width, what changes direction.
const HIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/u;

function visible(name, text, attributes = {}) {
  const made = element(name, "", attributes);
  for (const part of text.split(new RegExp(`(${HIDDEN.source})`, "u"))) {
    const number = () => `U+${part.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
    made.append(part.length === 1 && HIDDEN.test(part) ? element("span", number(), { class: "hidden-sign" }) : part);
  }
  return made;
}

export function statusText(text) { $("status").textContent = text; }
export function alertText(text) { $("alert").textContent = text; }

export function showWords() {
  document.documentElement.lang = state.language === "zh" ? "zh-CN" : "en";
  for (const place of document.querySelectorAll("[data-word]")) place.textContent = words()[place.dataset.word];
  $("language").textContent = words().other;
  $("language").lang = state.language === "zh" ? "en" : "zh-CN";
  $("progress").setAttribute("aria-label", words().title);
  $("row").setAttribute("aria-label", words().title);
  $("keys").replaceChildren(...words().keyList.flatMap(([keys, what]) => {
    const term = element("dt");
    term.append(...keys.split(" ").map((key) => element("kbd", key)));
    return [term, element("dd", what)];
  }));
  if (state.data) showFigures();
  if (state.row) showRow();
  }

export function showFigures() {
  const { items, gates, agreements, reviewer } = state.data;
  const read = items.filter((item) => item.mine).length;
  $("reviewer").textContent = words().reviewer(reviewer);
  $("progress").max = items.length;
  $("progress").value = read;
  $("count").textContent = words().count(read, items.length);
  $("gates").replaceChildren(...gates.map((gate) => element("li", words().gate(gate))));
  const lines = agreements.map((found) => words().agreement(found, found.reviewers.find((name) => name !== reviewer)));
  $("agreements").replaceChildren(...(lines.length ? lines : [words().alone]).map((line) => element("li", line)));
}

export function showRow() {
  const { row, place } = state;
  const item = state.data.items[place];
  const facts = [words().place(place + 1, state.data.items.length), item.domain, row.facts.topic, words().kinds[row.facts.kind] ?? row.facts.kind,
    row.facts.method, item.purposes.map((purpose) => words().purposes[purpose]).join(" + "), row.facts.model];
  $("facts").replaceChildren(...facts.filter(Boolean).map((fact) => visible("span", fact, { dir: "auto" })));
  document.title = `${facts[0]} · ${words().title}`;
  // What a screen reader says when the next row comes.
  $("row").setAttribute("aria-label", facts[0]);
  $("mine").hidden = !row.mine;
  $("mine").textContent = row.mine ? words().mine(words().actions[row.mine.action], reasonText(row.mine.reason)) : "";
  $("system-part").hidden = !row.system;
  if (row.system) fill($("system"), row.system);
  fill($("prompt"), row.prompt);
  const pair = row.answers.length > 1;
  $("answers").className = pair ? "pair" : "";
  $("answers").replaceChildren(...row.answers.map((answer, number) => {
    const part = element("section");
    const text = element("div", "", { class: "text", dir: "auto" });
    part.append(element("h2", pair ? [words().first, words().second][number] : words().answer), text);
    fill(text, answer);
    return part;
  }));
}

function fill(place, text) {
  place.lang = state.row.language;
  if (state.source) {
    place.replaceChildren(visible("pre", text.source, { class: "plain" }));
    return;
  }
  place.innerHTML = text.html;
  for (const summary of place.querySelectorAll("details.think > summary")) {
    summary.textContent = words().reasoning;
    summary.lang = document.documentElement.lang;
  }
}

export function reasonText(name) {
  return state.data.reasons.find((reason) => reason.name === name)?.[state.language] ?? "";
}
