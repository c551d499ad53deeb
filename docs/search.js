"use strict";
/* Search in all pages of this language. `index`, (page, anchor, title, text) of each section, stands above; it lies in
   this file because a page that was opened from a disk may load no other one by itself. */
(() => {
  const here = document.currentScript.src;
  const chinese = document.documentElement.lang.startsWith("zh");
  const words = chinese
    ? { open: "搜尋", hint: "搜尋各頁（按 / 開啟）", none: "沒有找到。", found: (n) => `${n} 處` }
    : { open: "Search", hint: "Search all pages (press /)", none: "Nothing was found.", found: (n) => `${n} found` };
  const make = (name, attributes, ...children) => {
    const element = Object.assign(document.createElement(name), attributes);
    element.append(...children);
    return element;
  };
  const field = make("input", { type: "search", placeholder: words.hint, autocomplete: "off", spellcheck: false });
  field.setAttribute("aria-label", words.hint);
  const status = make("p", { className: "search__status" });
  status.setAttribute("role", "status");
  const list = make("ol", { className: "search__list" });
  const dialog = make("dialog", { className: "search" }, field, status, list);
  dialog.setAttribute("aria-label", words.open);
  const button = make("button", { type: "button", className: "md-header__button search__open", textContent: words.open });
  const show = () => { if (!dialog.open) dialog.showModal(); field.focus(); field.select(); };
  button.addEventListener("click", show);

  const folded = index.map(([, , title, text]) => [title.toLowerCase(), text.toLowerCase()]);
  const marked = (text, terms) => {
    const lower = text.toLowerCase(), parts = [];
    let at = 0;
    while (at < text.length) {
      const next = terms.map((term) => [lower.indexOf(term, at), term]).filter(([place]) => place >= 0)
        .sort((a, b) => a[0] - b[0])[0];
      if (!next) break;
      parts.push(text.slice(at, next[0]), make("mark", { textContent: text.slice(next[0], next[0] + next[1].length) }));
      at = next[0] + next[1].length;
    }
    return [...parts, text.slice(at)];
  };
  const around = (text, lower, terms) => {
    const place = Math.max(0, Math.min(...terms.map((term) => lower.indexOf(term)).filter((at) => at >= 0), text.length));
    const first = Math.max(0, place - 60), piece = text.slice(first, first + 180);
    return `${first ? "… " : ""}${piece}${first + 180 < text.length ? " …" : ""}`;
  };
  const look = () => {
    const terms = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const hits = terms.length ? index.map((_, i) => i).filter((i) => terms.every(
      (term) => folded[i][0].includes(term) || folded[i][1].includes(term))) : [];
    const named = (i) => terms.filter((term) => folded[i][0].includes(term)).length;
    hits.sort((a, b) => named(b) - named(a) || a - b);
    status.textContent = terms.length ? (hits.length ? words.found(hits.length) : words.none) : "";
    list.replaceChildren(...hits.slice(0, 30).map((i) => {
      const [page, anchor, title, text] = index[i];
      const link = make("a", { href: new URL(page, here).href + (anchor ? `#${anchor}` : "") }, ...marked(title, terms));
      link.addEventListener("click", () => dialog.close());
      return make("li", {}, link, make("p", {}, ...marked(around(text, folded[i][1], terms), terms)));
    }));
  };
  field.addEventListener("input", look);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter") list.querySelector("a")?.click();
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) { event.preventDefault(); show(); }
  });
  document.querySelector(".md-header__inner").append(button);
  document.body.append(dialog);
})();
