// What the tests ask of a drawn page. Evaluates to an object of functions.
(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

  function rgb(colour) {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  }

  // Relative luminance, WCAG 2.2.
  function luminance(colour) {
    const linear = colour.slice(0, 3).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  }

  function behind(node) {
    for (let at = node; at; at = at.parentElement) {
      const colour = rgb(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return rgb("white");
  }

  function contrast(least) {
    const weak = [];
    for (const node of document.querySelectorAll("body *")) {
      const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
      if (!own || !node.checkVisibility({ visibilityProperty: true })) continue;
      if (node.closest("script, style, noscript, .hidden, option, optgroup, datalist")) continue;
      const style = getComputedStyle(node);
      const lights = [luminance(rgb(node instanceof SVGElement ? style.fill : style.color)), luminance(behind(node))];
      const ratio = (Math.max(...lights) + 0.05) / (Math.min(...lights) + 0.05);
      if (ratio < least) weak.push(`${ratio.toFixed(2)} ${node.tagName}.${node.getAttribute("class")} ${node.textContent}`);
    }
    return weak;
  }

  function names() {
    const wrong = [];
    const every = (selector, right, problem) => {
      for (const node of document.querySelectorAll(selector)) if (!right(node)) wrong.push(`${problem}: ${node.outerHTML}`);
    };
    const said = (node) => (node.getAttribute("aria-label") || node.textContent).trim();
    every("[id]", (node) => document.querySelectorAll(`[id="${CSS.escape(node.id)}"]`).length === 1, "an id twice");
    every("button, a, summary", said, "no name");
    every("input, select", (node) => node.labels.length, "no label");
    every("table", (node) => node.caption && node.caption.textContent.trim(), "no caption");
    every("th", (node) => node.scope, "no scope");
    every("svg", (node) => node.getAttribute("aria-label") || node.getAttribute("aria-hidden") === "true", "no name");
    every("[role=region]", (node) => node.getAttribute("aria-label"), "no name");
    every("img", (node) => node.alt, "no text");
    for (const attribute of ["aria-describedby", "aria-controls", "aria-labelledby"]) {
      every(`[${attribute}]`, (node) => document.getElementById(node.getAttribute(attribute)), `${attribute} of nothing`);
    }
    if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
    return wrong;
  }

  // Milliseconds that the page takes to do something and lay itself out again.
  function spent(selector, event, value) {
    const node = document.querySelector(selector);
    const from = performance.now();
    if (value !== undefined) node.value = value;
    if (event === "click") node.click();
    else node.dispatchEvent(new Event(event));
    document.body.getBoundingClientRect();
    return performance.now() - from;
  }

  // Milliseconds that the browser takes to make a bare table of numbers and lay it out.
  function bareTable(rows, columns) {
    const from = performance.now();
    const table = document.createElement("table");
    for (let row = 0; row < rows; row += 1) {
      const line = table.insertRow();
      for (let column = 0; column < columns; column += 1) line.insertCell().textContent = (row * column) / 7;
    }
    document.body.append(table);
    document.body.getBoundingClientRect();
    table.remove();
    document.body.getBoundingClientRect();
    return performance.now() - from;
  }

  const reachable = () => [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")].filter(
    (node) => !node.disabled && node.checkVisibility({ visibilityProperty: true }) && !(node.type === "radio" && !node.checked));

  const stops = () => reachable().length;

  // Where the focus is: its place in the page, whether it can be seen and whether it is marked; null outside.
  function stop() {
    const node = document.activeElement;
    if (!node || node === document.body) return null;
    const box = node.getBoundingClientRect();
    const style = getComputedStyle(node);
    return {
      name: `${node.tagName} ${node.getAttribute("aria-label") || node.textContent.trim().slice(0, 40) || node.id}`,
      place: reachable().indexOf(node),
      in_sight: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth && box.width > 0,
      marked: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    };
  }

  return { contrast, names, spent, bareTable, stops, stop };
})()
