
"use strict";
const plots = (root) => {
  const digits = (value, whole) => {
    if (whole) return value.toLocaleString("en-US");
    if (value !== 0 && (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e6)) return value.toExponential(2);
    return Number(value.toPrecision(4)).toLocaleString("en-US", { maximumFractionDigits: 8 }).replace(/^-0$/, "0");
  };
  const nearest = (values, wanted) => {
    let low = 0, high = values.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (values[middle] <= wanted) low = middle; else high = middle;
    }
    return Math.abs(values[low] - wanted) <= Math.abs(values[high] - wanted) ? low : high;
  };

  for (const plot of root.querySelectorAll(".plot")) {
    const data = JSON.parse(root.getElementById(plot.dataset.chart).textContent);
    const cross = plot.querySelector(".cross"), tip = plot.querySelector(".tip");
    const places = [...new Set(data.lines.flatMap((line) => line.x))].sort((a, b) => a - b);
    if (!places.length) continue;
    const swatches = [...plot.closest("figure").querySelectorAll(".legend .swatch")];
    const [low, high, log] = data.x;
    const place = (x) => log ? Math.log(x / low) / Math.log(high / low) : (x - low) / (high - low);
    const value = (share) => log ? low * (high / low) ** share : low + share * (high - low);
    let at = places.length - 1;
    plot.tabIndex = 0;
    plot.setAttribute("role", "group");
    plot.setAttribute("aria-roledescription", "chart; arrow keys read its values");

    // A curve says nothing well before its first point or after its last one: runs may be of different lengths.
    const reaches = (line) => {
      const first = place(line.x[0]), last = place(line.x[line.x.length - 1]), here = place(places[at]);
      const room = Math.max(0.02, (last - first) / Math.max(1, line.x.length - 1));
      return first - room <= here && here <= last + room;
    };
    const row = (line) => {
      const index = nearest(line.x, places[at]);
      const element = document.createElement("div");
      const label = document.createElement("span"), number = document.createElement("span");
      const swatch = swatches.find((each) => each.querySelector(`.s-${line.style}`));
      if (swatch) label.append(swatch.cloneNode(true));
      label.append(line.name);
      number.textContent = digits(line.y[index]);
      element.append(label, number);
      return element;
    };
    const show = () => {
      const title = document.createElement("b");
      const here = data.names.length ? data.names[places[at]] : digits(data.whole ? Math.round(places[at]) : places[at], data.whole);
      title.textContent = `${data.title} ${here}`;
      tip.replaceChildren(title, ...data.lines.filter(reaches).map(row));
      const left = place(places[at]) * plot.clientWidth;
      cross.hidden = tip.hidden = false;
      cross.style.left = `${left}px`;
      const beside = left + 14 + tip.offsetWidth > plot.clientWidth ? left - 14 - tip.offsetWidth : left + 14;
      tip.style.left = `${Math.max(-40, Math.min(beside, plot.clientWidth - tip.offsetWidth))}px`;
    };
    const hide = () => { cross.hidden = tip.hidden = true; };
    const point = (event) => {
      const box = plot.getBoundingClientRect();
      const share = (event.clientX - box.left) / box.width;
      at = nearest(places, value(share));
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
};
