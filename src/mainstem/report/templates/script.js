
"use strict";
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const name = () => { button.textContent = dark() ? "Light theme" : "Dark theme"; };
  button.hidden = false;
  button.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; name(); });
  system.addEventListener("change", name);
  name();

  const digits = (value) => {
    if (value !== 0 && (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e6)) return value.toExponential(2);
    return Number(value.toPrecision(4)).toLocaleString("en-US", { maximumFractionDigits: 8 });
  };
  const nearest = (values, wanted) => {
    let low = 0, high = values.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (values[middle] <= wanted) low = middle; else high = middle;
    }
    return Math.abs(values[low] - wanted) <= Math.abs(values[high] - wanted) ? low : high;
  };

  for (const plot of document.querySelectorAll(".plot")) {
    const data = JSON.parse(document.getElementById(plot.dataset.chart).textContent);
    const cross = plot.querySelector(".cross"), tip = plot.querySelector(".tip");
    const places = [...new Set(data.lines.flatMap((line) => line.x))].sort((a, b) => a - b);
    if (!places.length) continue;
    let at = places.length - 1;
    plot.tabIndex = 0;
    plot.setAttribute("role", "group");
    plot.setAttribute("aria-roledescription", "chart; arrow keys read its values");

    const row = (line) => {
      const index = nearest(line.x, places[at]);
      const element = document.createElement("div");
      const label = document.createElement("span"), value = document.createElement("span");
      label.textContent = line.name;
      value.textContent = digits(line.y[index]);
      element.append(label, value);
      return element;
    };
    const show = () => {
      const title = document.createElement("b");
      title.textContent = `${data.title} ${Math.round(places[at]).toLocaleString("en-US")}`;
      tip.replaceChildren(title, ...data.lines.map(row));
      const left = (places[at] - data.x[0]) / (data.x[1] - data.x[0]) * plot.clientWidth;
      cross.hidden = tip.hidden = false;
      cross.style.left = `${left}px`;
      const beside = left + 14 + tip.offsetWidth > plot.clientWidth ? left - 14 - tip.offsetWidth : left + 14;
      tip.style.left = `${Math.max(-40, Math.min(beside, plot.clientWidth - tip.offsetWidth))}px`;
    };
    const hide = () => { cross.hidden = tip.hidden = true; };
    const point = (event) => {
      const box = plot.getBoundingClientRect();
      const share = (event.clientX - box.left) / box.width;
      at = nearest(places, data.x[0] + share * (data.x[1] - data.x[0]));
      show();
    };
    plot.addEventListener("pointermove", point);
    plot.addEventListener("pointerdown", point);
    plot.addEventListener("pointerleave", hide);
    plot.addEventListener("blur", hide);
    plot.addEventListener("keydown", (event) => {
      const stride = event.shiftKey ? 10 : 1, last = places.length - 1;
      const to = { ArrowLeft: at - stride, ArrowRight: at + stride, Home: 0, End: last }[event.key];
      if (event.key === "Escape") hide();
      if (to === undefined) return;
      event.preventDefault();
      at = Math.min(Math.max(to, 0), last);
      show();
    });
  }
})();
