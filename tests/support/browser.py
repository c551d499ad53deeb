"""A real browser for tests: chromium through chromedriver, over plain HTTP on 127.0.0.1."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip
REQUIRED = "MAINSTEM_REQUIRE_BROWSER"
OWN = ("chrome://", "chrome-untrusted://", "data:")
"""How addresses begin that no page asked for: the browser's first tab, and content that is its own address."""
WIDTHS = (360, 1400)
"""A phone and a desk."""


OVERLAPS = """
const boxes = [];
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  const node = walk.currentNode, parent = node.parentElement;
  if (!node.textContent.trim() || parent.closest("script, style, .unseen, .skip, [hidden]")) continue;
  if (!parent.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true })) continue;
  const clip = parent.closest(".scroll")?.getBoundingClientRect();
  const range = document.createRange();
  range.selectNodeContents(node);
  for (const box of range.getClientRects()) {
    const left = Math.max(box.left, clip?.left ?? -1e9), right = Math.min(box.right, clip?.right ?? 1e9);
    const top = Math.max(box.top, clip?.top ?? -1e9), bottom = Math.min(box.bottom, clip?.bottom ?? 1e9);
    const text = node.textContent.trim().slice(0, 40);
    if (right - left > 1 && bottom - top > 1) boxes.push([text, left, top, right, bottom]);
  }
}
const found = [], width = document.documentElement.clientWidth;
for (let i = 0; i < boxes.length; i++) {
  const a = boxes[i];
  if (a[1] < -0.5 || a[3] > width + 0.5) found.push([a[0], "leaves the page"]);
  for (let j = i + 1; j < boxes.length; j++) {
    const b = boxes[j];
    const across = Math.min(a[3], b[3]) - Math.max(a[1], b[1]), down = Math.min(a[4], b[4]) - Math.max(a[2], b[2]);
    if (across > 1 && down > 3) found.push([a[0], b[0]]);
  }
}
return [boxes.length, found];
"""

CUT = r"""
const found = [], hosts = [...document.querySelectorAll("div")].map((x) => x.shadowRoot).filter((x) => x);
for (const part of [document.querySelector("article") ?? document.body, ...hosts]) {
  const walk = document.createTreeWalker(part, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode;
    if (node.parentElement.closest("script, style, pre:not(.code), svg, math")) continue;
    for (const word of node.textContent.matchAll(/(?<![\w-])(?:--)?[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*/g)) {
      const before = node.data.slice(0, word.index).match(/[^\s\u3000-\uffef]*$/)[0].length;
      const whole = before + node.data.slice(word.index).match(/^[^\s\u3000-\uffef]*/)[0].length;
      if (word[0].length > 20 || whole > 22) continue;  // which has to be broken somewhere
      if (!/[-_]/.test(word[0]) && !node.parentElement.closest("td, th")) continue;
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].filter((x) => x.width).map((x) => Math.round(x.top)));
      if (lines.size > 1) found.push(word[0]);
    }
  }
  for (const word of part.querySelectorAll(".word")) {
    const own = getComputedStyle(word), around = getComputedStyle(word.parentElement);
    if (/flex|grid/.test(around.display) || own.fontSize !== around.fontSize || own.color !== around.color)
      found.push([word.textContent, "stands apart"]);
  }
}
return found;
"""
"""Names such as pre-norm, options and words of tables that stand on two lines, or apart from the words around them; in
the site, of its articles."""

CONTRAST = r"""
const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const light = (colour) => {
  const [r, g, b] = colour.match(/[\d.]+/g).map(Number);
  return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
};
const behind = (element) => {
  for (; element; element = element.parentElement) {
    const colour = getComputedStyle(element).backgroundColor;
    if (!/, 0\)$/.test(colour)) return colour;
  }
  return "rgb(255, 255, 255)";
};
const ratio = (a, b) => {
  const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
  return (x + 0.05) / (y + 0.05);
};
const found = [];
for (const element of document.querySelectorAll(
  "p, th, td, a, li, dt, dd, span, b, summary, h1, h2, h3, figcaption, button, pre, text"
)) {
  if (!element.textContent.trim() || !element.checkVisibility()) continue;
  const style = getComputedStyle(element), ink = element.tagName === "text" ? style.fill : style.color;
  if (ratio(ink, behind(element)) < 4.5) found.push([element.tagName, element.textContent.trim().slice(0, 30), ink]);
}
for (const element of document.querySelectorAll(".curves path[class^='s-'], .strip line, .strip circle")) {
  const style = getComputedStyle(element), ink = style.stroke === "none" ? style.fill : style.stroke;
  if (ratio(ink, behind(element.closest(".card"))) < 2.2) found.push([element.getAttribute("class"), ink]);
}
return found;
"""


def missing() -> str | None:
    """Why there is no browser; None where there is one."""
    absent = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    return f"{' and '.join(absent)} not found" if absent else None


class Page:
    """One tab."""

    def __init__(self, url: str) -> None:
        self._url = url

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if method == "GET" else json.dumps(body or {}).encode()
        request = urllib.request.Request(
            f"{self._url}{path}", data, {"Content-Type": "application/json"}, method=method
        )
        # No proxy of the environment stands between us and a port of our own.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def tool(self, command: str, **parameters: Any) -> Any:
        """Call the DevTools protocol."""
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def show(self, path: Path, width: int, dark: bool, javascript: bool = True) -> None:
        """Open the file at a width, in a colour scheme, and wait until it is whole."""
        phone = width < 600
        self.tool("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.tool("Emulation.setEmulatedMedia", features=[scheme])
        self.tool("Emulation.setScriptExecutionDisabled", value=not javascript)
        self.log()
        address = path.resolve().as_uri()
        self.call("POST", "/url", {"url": address})
        # The driver answers now and then, in about one of thirty, when the page has only begun to load.
        end = time.monotonic() + 30
        while (seen := self.run("return [document.URL, document.readyState]")) != [address, "complete"]:
            assert time.monotonic() < end, (address, seen)
            time.sleep(0.02)

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that `script` returns."""
        return self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def log(self) -> list[dict[str, Any]]:
        """What the console said since it was last asked."""
        found: list[dict[str, Any]] = self.call("POST", "/se/log", {"type": "browser"})
        return found

    def requests(self) -> list[str]:
        """The addresses that were asked for since it was last asked, but for the browser's own (its icons)."""
        found = []
        for entry in self.call("POST", "/se/log", {"type": "performance"}):
            message = json.loads(entry["message"])["message"]
            if message["method"] in ("Network.requestWillBeSent", "Network.webSocketCreated"):
                found.append(message["params"].get("request", message["params"])["url"])
        # An address that is its own content leaves nothing, and the browser asks for an empty picture of its own so.
        return [address for address in found if not address.startswith(OWN)]

    def shot(self, path: Path) -> Path:
        """Save the whole page as a picture."""
        height = self.run("return document.documentElement.scrollHeight")
        width = self.run("return window.innerWidth")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        found = self.tool("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(found["data"]))
        return path


def assert_quiet(tab: Page, path: Path, width: int, dark: bool) -> None:
    """Open a page, then its tables: nothing overlaps or leaves it, nothing is said or asked for, all can be read."""
    tab.requests()
    tab.show(path, width, dark)
    for opened in (False, True):
        if opened:
            tab.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        scrolls, inner = tab.run("return [document.documentElement.scrollWidth, innerWidth]")
        assert (scrolls, inner) == (width, width)
        texts, found = tab.run(OVERLAPS)
        assert texts > 80
        assert found == []
        assert tab.run(CUT) == []
    assert tab.run(CONTRAST) == []
    assert tab.log() == []
    requests = set(tab.requests())
    assert requests == {path.resolve().as_uri()}, requests
    assert tab.run("return typeof bad") == "undefined"


@contextlib.contextmanager
def browser() -> Iterator[Page]:
    """A browser with an empty profile, which is gone afterwards."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    assert chromium is not None and driver is not None
    with tempfile.TemporaryDirectory(prefix="mainstem-browser-", ignore_cleanup_errors=True) as profile:
        environment = {**os.environ, "HOME": profile}
        process = subprocess.Popen(
            [driver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        )
        assert process.stdout is not None
        try:
            port = next(
                found[1] for line in process.stdout if (found := re.search(r"successfully on port (\d+)", line))
            )
            options = {"binary": chromium, "args": [*FLAGS, f"--user-data-dir={profile}/profile"]}
            wanted = {
                "browserName": "chrome", "goog:chromeOptions": options,
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            }  # fmt: skip
            root = Page(f"http://127.0.0.1:{port}")
            session = root.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
            page = Page(f"http://127.0.0.1:{port}/session/{session}")
            try:
                yield page
            finally:
                page.call("DELETE", "")
        finally:
            process.terminate()
            process.wait(20)
            process.stdout.close()
